"""Keeps Coze's side like ours: titles that were changed, conversations that were deleted.

What has to be done stands in the rows themselves (`coze_title` differs from `title`; `deleted_at` is set), so a
restart forgets nothing and doing it twice does no harm.
"""

import logging
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from accounts import tokens
from accounts.models import User
from conversations.models import Branch, Conversation
from conversations.turns import pruning
from conversations.turns.leftovers import clear_leftovers
from conversations.turns.verdicts import tell_coze
from cozechat import database
from cozechat.catalog.clients import coze_client
from cozechat.coze.errors import CONVERSATION_GONE, CozeError, TokenRefused
from cozechat.coze.types import Caller

logger = logging.getLogger(__name__)

EVERY = 1.0
_LOOK_EVERY = 30.0
_BATCH = 20
# No statement takes more parameters than a few hundred with ease.
_MOST_WAITING = 500
_LONGEST_WAIT = 3600.0
# A deleted conversation without a Coze id might still be getting one from a turn that was just ended.
_STUB_LIFE = timedelta(minutes=15)


class Mirror:
    """Does at Coze what was done here; what fails is tried again, at growing intervals."""

    def __init__(self) -> None:
        self._look_at = 0.0
        self._wait_until: dict[uuid.UUID, tuple[float, float]] = {}

    def wake(self) -> None:
        """Something was changed: look at the next opportunity."""
        self._look_at = 0.0

    async def work(self) -> None:
        """One round: a batch of conversations that differ."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY
        waiting = [pk for pk, (until, _wait) in self._wait_until.items() if now < until]
        for line in await database.run(_differing, but=waiting[-_MOST_WAITING:]):
            await self._bring_in_line(line)
        await database.run(pruning.settle_due)
        await clear_leftovers()
        await tell_coze()

    async def finish(self, conversation_ids: list[uuid.UUID]) -> None:
        """Do what these conversations need now, without waiting for the next round."""
        for line in await database.run(_differing, only=conversation_ids):
            await self._bring_in_line(line)
        await clear_leftovers()

    async def _bring_in_line(self, line: Conversation | Branch) -> None:
        try:
            await _at_coze(line)
        except CozeError as error:
            wait = min(_LONGEST_WAIT, 2 * self._wait_until.get(line.pk, (0.0, 15.0))[1])
            self._wait_until[line.pk] = (time.monotonic() + wait, wait)
            logger.warning("conversation %s differs at Coze: %s; again in %.0f s", line.pk, error, wait)
        else:
            self._wait_until.pop(line.pk, None)


def _differing(
    *, only: list[uuid.UUID] | None = None, but: Sequence[uuid.UUID] = ()
) -> list[Conversation | Branch]:
    """Some that differ. Those that failed lately (`but`) leave their places to others."""
    rows = Conversation.objects.select_related("owner", "assistant__app").exclude(coze_conversation_id="")
    if only is not None:
        rows = rows.filter(pk__in=only)
    rows = rows.exclude(pk__in=but).order_by("pk")
    renamed = rows.filter(deleted_at=None).exclude(title="").exclude(title=F("coze_title"))
    stubs = Conversation.objects.filter(coze_conversation_id="", erase_at=None)
    stubs.filter(deleted_at__lt=timezone.now() - _STUB_LIFE).delete()
    # What may still be taken back (`erase_at`) stays as it is.
    deleted = rows.filter(erase_at=None).exclude(deleted_at=None)
    return [*deleted[:_BATCH], *renamed[:_BATCH], *_renamed_branches(but)]


def _renamed_branches(but: Sequence[uuid.UUID]) -> list[Branch]:
    rows = Branch.objects.select_related("conversation__owner", "conversation__assistant__app")
    rows = rows.exclude(coze_conversation_id="").exclude(pk__in=but).filter(conversation__deleted_at=None)
    renamed = rows.exclude(conversation__title="").exclude(conversation__title=F("coze_title"))
    return list(renamed.order_by("pk")[:_BATCH])


async def _at_coze(line: Conversation | Branch) -> None:
    conversation = line if isinstance(line, Conversation) else line.conversation
    owner, app = conversation.owner, conversation.assistant.app
    assert isinstance(owner, User)  # noqa: S101 - the type checker cannot see through the setting
    for last_try in (False, True):
        token = await tokens.access_token(owner, app=app)
        try:
            caller = Caller(token=token, session_name=owner.session_name)
            await _change(line, conversation=conversation, caller=caller)
            return
        except CONVERSATION_GONE:
            await database.run(_settle, line, conversation=conversation, gone=True)
            return
        except TokenRefused:
            await tokens.discard(owner, app=app, token=token)
            if last_try:
                raise


async def _change(line: Conversation | Branch, *, conversation: Conversation, caller: Caller) -> None:
    client, coze_id = coze_client(conversation.assistant.app), line.coze_conversation_id
    if conversation.deleted_at:
        await client.delete_conversation(caller, coze_id)
    else:
        await client.rename_conversation(caller, coze_id, name=conversation.title)
    await database.run(_settle, line, conversation=conversation, gone=False)


def _settle(line: Conversation | Branch, *, conversation: Conversation, gone: bool) -> None:
    rows = type(line)._default_manager.filter(pk=line.pk)
    if conversation.deleted_at:
        rows.delete()
    elif gone:
        rows.update(coze_conversation_id="", coze_title="")
    else:
        rows.update(coze_title=conversation.title)
