"""Where a call talks at Coze: a conversation of its own that is thrown away, or one that goes on."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.utils import timezone

from accounts.models import User
from cozechat import database
from cozechat.coze.chat_records import Chat
from cozechat.coze.errors import CozeError
from cozechat.coze.polling import Pace, PollsSpent
from cozechat.coze.run_records import RunHistory
from cozechat.coze.statuses import Status
from cozechat.gateway import sessions
from cozechat.gateway.asking import Asking
from cozechat.gateway.errors import Refusal, retry_after
from cozechat.gateway.models import StickyConversation
from cozechat.gateway.routes import Route
from cozechat.usage.reserving import LEASE

logger = logging.getLogger(__name__)
# How long to ask for the counts of what was cancelled or broke off: its charge can wait, its client does not.
_AFTERWARDS = Pace(interval=1.0, attempts=10)
_LONGEST_SECONDS = 30.0


class Place:
    """The conversation of one call. A run has none."""

    def __init__(self, route: Route, *, conversation: StickyConversation | None) -> None:
        self._route = route
        self._sticky = conversation if route.manner.is_chat else None

    @property
    def is_known(self) -> bool:
        """Whether Coze remembers what was said before."""
        return self._sticky is not None and bool(self._sticky.coze_conversation_id)

    @property
    def public_id(self) -> str:
        """What the client calls it; empty until it has a row."""
        return "" if self._sticky is None or self._sticky._state.adding else self._sticky.pk

    @asynccontextmanager
    async def claimed(self, request_id: str) -> AsyncIterator[None]:
        """One call at a time in a conversation that goes on. Raises Refusal."""
        if self._sticky is None:
            yield
            return
        try:
            if self.public_id:
                await self._claim(request_id)
            yield
        finally:
            await database.run(_free, request_id)

    async def begin(self, user: User, *, request_id: str) -> None:
        """Give a new conversation its row. Raises Refusal if another call has begun the same one and runs there."""
        if self._sticky is None or self.public_id:
            return
        self._sticky = await database.run(sessions.begun, self._sticky, user=user)
        await self._claim(request_id)

    async def _claim(self, request_id: str) -> None:
        assert self._sticky is not None  # noqa: S101 - for the type checker
        if not await database.run(_claim, self._sticky.pk, request_id=request_id):
            message = "Another request runs in this conversation."
            raise Refusal(409, "conversation_busy", message, headers=retry_after(1))
        # Since it was looked at, another call may have begun it.
        await database.run(self._sticky.refresh_from_db, fields=["coze_conversation_id"])

    async def enter(self, asking: Asking) -> None:
        """See to it that there is a conversation of this end user's own."""
        if not self._route.manner.is_chat:
            return
        if self.is_known and self._sticky is not None:
            asking.conversation_id = self._sticky.coze_conversation_id
            return
        # Without the bot: one that is not published is then refused by the chat itself, which says so.
        made = await asking.client.conversations.create(asking.caller)
        asking.conversation_id = made.id
        if self._sticky is not None:
            self._sticky.coze_conversation_id = made.id
            await database.run(self._sticky.save, update_fields=["coze_conversation_id"])

    async def forget(self) -> None:
        """Coze has lost it: the next one is told everything anew."""
        if self._sticky is not None:
            self._sticky.coze_conversation_id = ""
            await database.run(self._sticky.save, update_fields=["coze_conversation_id"])

    async def cancel(self, asking: Asking | None) -> None:
        """End the chat at Coze and learn what it has cost."""
        if asking is None or not asking.chat_id:
            return
        chats, where = asking.client.chats, (asking.caller, asking.conversation_id, asking.chat_id)
        try:
            ended = await chats.cancel(*where)
        except CozeError as error:
            logger.info("chat %s could not be cancelled: %s", asking.chat_id, error)
            await look_up(asking)
        else:
            asking.usage = ended.usage

    async def learn_cost(self, asking: Asking) -> bool:
        """What a call that broke off has cost; a chat that will not end is ended, for nobody hears it any more.

        False if it is a run that goes on: nobody can end it, so its cost is yet to come.
        """
        if await look_up(asking) is not Status.IN_PROGRESS:
            return True
        await self.cancel(asking)
        return bool(asking.chat_id)

    async def leave(self, asking: Asking | None, *, keep: bool) -> None:
        """Throw away what belongs to one call alone, unless somebody has yet to ask how it ended."""
        if asking is None or self._sticky is not None or keep or not asking.conversation_id:
            return
        try:
            await asking.client.conversations.delete(asking.caller, asking.conversation_id)
        except CozeError as error:
            logger.info("conversation %s stays at Coze: %s", asking.conversation_id, error)


async def look_up(asking: Asking) -> Status | None:
    """How far a chat or a run has come without us, None if Coze does not say; its counts if it has ended."""
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            found = await _ended(asking)
    except (PollsSpent, TimeoutError):
        return Status.IN_PROGRESS
    except CozeError as error:
        logger.info("call of %s: its counts are unknown: %s", asking.ids, error)
        return None
    if found is not None:
        asking.usage = found.usage
    return found.status if found else None


async def _ended(asking: Asking) -> Chat | RunHistory | None:
    """None for what has no name at Coze: a streamed run tells its id at its end only."""
    client, caller = asking.client, asking.caller
    if asking.chat_id:
        chats = client.chats.until_ended(caller, asking.conversation_id, asking.chat_id, pace=_AFTERWARDS)
        return await chats.last()
    if asking.execute_id:
        runs = client.runs.until_ended(caller, asking.route.workflow_id, asking.execute_id, pace=_AFTERWARDS)
        return await runs.last()
    return None


def _claim(pk: str, *, request_id: str) -> bool:
    now = timezone.now()
    return StickyConversation.objects.claim(pk, request_id=request_id, now=now, until=now + LEASE)


def _free(request_id: str) -> None:
    StickyConversation.objects.free(request_id, now=timezone.now())
