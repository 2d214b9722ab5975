"""Where a call talks at Coze: a conversation of its own that is thrown away, or one that goes on."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.utils import timezone

from accounts.models import User
from cozechat import database
from cozechat.coze.errors import CozeError
from cozechat.coze.polling import Pace
from cozechat.gateway.asking import Asking
from cozechat.gateway.errors import Refusal, retry_after
from cozechat.gateway.models import StickyConversation
from cozechat.gateway.routes import Route
from cozechat.usage.reserving import LEASE

logger = logging.getLogger(__name__)
# How long to ask for the counts of a chat that was cancelled or broke off: its charge can wait, its client is gone.
_AFTERWARDS = Pace(interval=1.0, attempts=10)


class Place:
    """The conversation of one call. A run has none."""

    def __init__(self, route: Route, *, user: User, conversation: StickyConversation | None) -> None:
        self._route = route
        self._user = user
        self._sticky = conversation if route.manner.is_chat else None

    @property
    def is_known(self) -> bool:
        """Whether Coze remembers what was said before."""
        return self._sticky is not None and bool(self._sticky.coze_conversation_id)

    @property
    def public_id(self) -> str:
        """What the client calls it."""
        return self._sticky.pk if self._sticky is not None else ""

    @asynccontextmanager
    async def claimed(self, request_id: str) -> AsyncIterator[None]:
        """One call at a time in a conversation that goes on. Raises Refusal."""
        if self._sticky is None:
            yield
            return
        if not await database.run(_claim, self._sticky.pk, request_id=request_id):
            message = "Another request runs in this conversation."
            raise Refusal(409, "conversation_busy", message, headers=retry_after(1))
        try:
            # Since it was looked at, another call may have begun it.
            await database.run(self._sticky.refresh_from_db, fields=["coze_conversation_id"])
            yield
        finally:
            await database.run(_free, request_id)

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

    async def leave(self, asking: Asking | None, *, keep: bool) -> None:
        """Throw away what belongs to one call alone, unless somebody has yet to ask how it ended."""
        if asking is None or self._sticky is not None or keep or not asking.conversation_id:
            return
        try:
            await asking.client.conversations.delete(asking.caller, asking.conversation_id)
        except CozeError as error:
            logger.info("conversation %s stays at Coze: %s", asking.conversation_id, error)


async def look_up(asking: Asking) -> None:
    """The counts of a chat that goes on without us."""
    polling = asking.client.chats.until_ended(
        asking.caller, asking.conversation_id, asking.chat_id, pace=_AFTERWARDS
    )
    try:
        asking.usage = (await polling.last()).usage
    except CozeError as error:
        logger.info("chat %s: its counts are unknown: %s", asking.chat_id, error)


def _claim(pk: str, *, request_id: str) -> bool:
    now = timezone.now()
    return StickyConversation.objects.claim(pk, request_id=request_id, now=now, until=now + LEASE)


def _free(request_id: str) -> None:
    StickyConversation.objects.free(request_id, now=timezone.now())
