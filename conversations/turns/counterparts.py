"""Coze's conversation beside each of ours: made when it is needed, made anew when Coze has lost it."""

import contextlib
import logging

from conversations.models import Branch, Cut, Message
from conversations.turns import saving
from conversations.turns.running import RunningTurn
from cozechat import database
from cozechat.coze.client import CozeClient
from cozechat.coze.errors import (
    ConversationNotFound,
    CozeError,
    NotFound,
    NotPublished,
    PermissionDenied,
)
from cozechat.coze.types import Caller

logger = logging.getLogger(__name__)

# How many earlier messages travel along when a conversation has to be made anew at Coze.
_HISTORY = 40
# Coze documents 4002 for a conversation that is missing or foreign; 4200 and 4101 fit its words as well, but also
# mean a workflow that is not published, and a token that may not do this.
DOUBTFUL = (NotFound, NotPublished, PermissionDenied)

History = tuple[tuple[str, str], ...]


async def provide(running: RunningTurn, *, client: CozeClient, caller: Caller) -> History:
    """Make a conversation of this user's own at Coze; returns the history that it has to be told."""
    return await _adopt(running, await _make(running, client=client, caller=caller))


async def replace_if_lost(
    running: RunningTurn, refusal: CozeError, *, client: CozeClient, caller: Caller
) -> History | None:
    """A new conversation for one that Coze has lost, with what it has to be told; None: the refusal meant something else.

    What the refusal leaves in doubt is asked. Only then another conversation takes the place of the old one.
    """
    lost = running.begun.line.coze_conversation_id
    if not lost:
        return None
    if isinstance(refusal, ConversationNotFound):
        made = await _make(running, client=client, caller=caller)
    else:
        if await _knows(client, caller, lost):
            return None
        made = await _make(running, client=client, caller=caller)
        if not await _knows(client, caller, made):
            # This token may look at no conversation at all, so nothing is known about the old one.
            with contextlib.suppress(CozeError):
                await client.delete_conversation(caller, made)
            return None
    logger.info("turn %s: Coze no longer knows its conversation; a new one takes its place", running.id)
    await database.run(saving.forget_coze_conversation, running, coze_id=lost)
    return await _adopt(running, made)


async def _knows(client: CozeClient, caller: Caller, conversation_id: str) -> bool:
    try:
        await client.retrieve_conversation(caller, conversation_id)
    except DOUBTFUL:
        return False
    return True


async def _make(running: RunningTurn, *, client: CozeClient, caller: Caller) -> str:
    title = running.begun.conversation.title
    made = await client.create_conversation(
        caller, bot_id=running.assistant.bot_id or None, name=title or None
    )
    return made.id


async def _adopt(running: RunningTurn, coze_id: str) -> History:
    adopted, history = await database.run(_keep_and_recall, running, coze_id=coze_id)
    if not adopted:
        running.stop()
    running.begun.line.coze_conversation_id = adopted or coze_id
    return history


async def clear(running: RunningTurn, *, client: CozeClient, caller: Caller) -> None:
    """Have Coze forget what is above a cut that its owner has made since the last question on this line."""
    await client.clear_conversation(caller, running.begun.line.coze_conversation_id)
    await database.run(saving.note_cut, running)


def _keep_and_recall(running: RunningTurn, *, coze_id: str) -> tuple[str, History]:
    """The conversation to ask in, and what it has to be told; empty where this turn has nothing to ask any more."""
    title = running.begun.conversation.title
    kept = saving.keep_coze_conversation(running, coze_id=coze_id, name=title)
    saving.note_cut(running)
    if kept:
        return coze_id, _earlier(running)
    # A turn that was stopped while Coze made its conversation may have been quicker: then it is this one's, too.
    return saving.coze_conversation_of(running), ()


def _earlier(running: RunningTurn) -> History:
    """What was said before on its path and below the last cut, oldest first; only what has text."""
    turn = running.begun.turn
    path = Branch.objects.lines_of(turn.conversation_id).path(turn.branch_id)
    before = Message.objects.filter(conversation=running.begun.conversation, pk__lt=running.begun.question.pk)
    cuts = Cut.objects.on(path, conversation_id=turn.conversation_id)
    if cuts:
        before = before.filter(pk__gt=cuts[-1].after)
    shown = before.worth_showing().exclude(content="")
    return tuple(
        (message.role, message.content) for message in reversed(shown.newest_on(path, limit=_HISTORY))
    )


async def unfinished(running: RunningTurn) -> History:
    """What a question to go on has to be told: Coze may have nothing of an answer that broke off, or all of it."""
    return await database.run(_unfinished, running)


def _unfinished(running: RunningTurn) -> History:
    rows = Message.objects.filter(turn=running.begun.turn.parent_id).exclude(content="").order_by("pk")
    return tuple(rows.values_list("role", "content"))
