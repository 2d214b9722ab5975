"""Brings an orphaned turn to its end: Coze is asked for the finished answer, and never again for an answer.

Coze goes on with an answer whose reader has gone. It lists the messages of a chat once they are finished, so an
answer that is read twice alike, and is no shorter than what was shown, is the whole one.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, repeat

from django.conf import settings
from django.utils import timezone

from accounts import tokens
from accounts.models import User
from conversations.models import Message, Turn
from conversations.thoughts import LIMIT
from conversations.turns.ending import End
from conversations.turns.processes import orphans
from conversations.turns.processes.orphans import Answer, Orphan
from conversations.turns.words import storable
from cozechat import counters, database
from cozechat.catalog.clients import coze_client
from cozechat.catalog.models import CozeApp
from cozechat.coze.errors import CozeError, NotFound, TokenRefused
from cozechat.coze.types import Caller, Usage
from cozechat.coze.types import Message as CozeMessage

logger = logging.getLogger(__name__)

# A turn has its end so long after its process gave its last sign of life; Coze is asked for so long at least.
_ENDED_WITHIN = timedelta(seconds=25)
# What the documents promise for that.
PROMISED = timedelta(seconds=30)
_AT_LEAST = timedelta(seconds=6)
# A Coze that takes a question and stays silent is not waited for longer than this, once (seconds). With a pause
# between, both are less than a lease; and nothing goes on for more than `_OVER` after the deadline.
_ASK_WITHIN, _COUNT_WITHIN, _OVER = 8.0, 4.0, 4.0
_PAUSES = (0.3, 0.7, 1.0, 1.5, 2.0)
_PAGES = 5


@dataclass(frozen=True, slots=True)
class _Case:
    """Whom to ask for what: the owner, his conversation at Coze, the chat; and what of it was kept."""

    owner: User
    app: CozeApp
    coze_conversation_id: str
    coze_chat_id: str
    kept: str


async def recover(orphan: Orphan) -> End | None:
    """End a claimed turn. None: somebody else has ended it."""
    answer = None
    case = await database.run(_case, orphan)
    if case is not None:
        answer = await _ask_until(case, orphan, deadline=_deadline(orphan))
    end = await database.run(orphans.settle, orphan, answer=answer)
    if end is not None:
        _count(timezone.now() - orphan.silent_since)
        logger.info("turn %s was left by its process: %s", orphan.id, end.turn.status)
    return end


def _count(silence: timedelta) -> None:
    """How long it took, from the last sign of life of the process that had it to the turn's end."""
    counters.add("recovered_turns")
    counters.add("recovery_ms", max(0, round(silence.total_seconds() * 1000)))
    if silence > PROMISED:
        counters.add("recovered_late")


def _deadline(orphan: Orphan) -> datetime:
    return max(timezone.now() + _AT_LEAST, orphan.silent_since + _ENDED_WITHIN)


def _case(orphan: Orphan) -> _Case | None:
    """None where there is nothing to ask: Coze never began, or the conversation is gone."""
    turn = (
        Turn.objects.leased(orphan.lease)
        .select_related("owner", "conversation__assistant__app", "branch")
        .filter(conversation__deleted_at=None)
        .exclude(coze_chat_id="")
        .first()
    )
    if turn is None or not turn.line.coze_conversation_id:
        return None
    assert isinstance(turn.owner, User)  # noqa: S101 - the type checker cannot see through the setting
    return _Case(
        owner=turn.owner,
        app=turn.conversation.assistant.app,
        coze_conversation_id=turn.line.coze_conversation_id,
        coze_chat_id=turn.coze_chat_id,
        kept=Message.objects.get(turn=turn, role=Message.Role.ASSISTANT).content,
    )


async def _ask_until(case: _Case, orphan: Orphan, *, deadline: datetime) -> Answer | None:
    """The whole answer, as soon as Coze has it; None when the deadline passes or nothing can come."""
    before = None
    for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
        try:
            async with _patience(_ASK_WITHIN, deadline=deadline):
                found = await _ask(case)
        except NotFound:
            return None
        except (CozeError, TimeoutError) as error:
            logger.info("turn %s: its answer could not be asked for: %s", orphan.id, str(error) or "silence")
            found = None
        if found is not None and found == before:
            return replace(found, usage=await _counted(case, deadline=deadline))
        before = found
        if timezone.now() + timedelta(seconds=pause) > deadline or not await database.run(
            orphans.keep, orphan
        ):
            return None
        await asyncio.sleep(pause)
    return None


def _patience(seconds: float, *, deadline: datetime) -> asyncio.Timeout:
    """Ends the wait, never the call: whatever was sent to Coze comes to its end by itself."""
    left = (deadline - timezone.now()).total_seconds() + _OVER
    return asyncio.timeout(min(seconds, left))


async def _ask(case: _Case) -> Answer | None:
    """What Coze has of the answer now, if it may be the whole of it; with the owner's own token."""
    token = await tokens.access_token(case.owner, app=case.app)
    try:
        messages = await _messages(case, caller=Caller(token=token, session_name=case.owner.session_name))
    except TokenRefused:
        await tokens.discard(case.owner, app=case.app, token=token)
        raise
    answer = _put_together(messages)
    whole = len(case.kept) <= len(answer.content) <= settings.TURN_ANSWER_LIMIT
    return answer if answer.content and whole else None


async def _counted(case: _Case, *, deadline: datetime) -> Usage | None:
    """What Coze counted for the whole of it; None if it does not say so when it is asked once."""
    try:
        async with _patience(_COUNT_WITHIN, deadline=deadline):
            token = await tokens.access_token(case.owner, app=case.app)
            caller = Caller(token=token, session_name=case.owner.session_name)
            chat = await coze_client(case.app).chats.retrieve(
                caller, case.coze_conversation_id, case.coze_chat_id
            )
    except (CozeError, TimeoutError) as error:
        logger.info(
            "the counts of chat %s could not be asked for: %s", case.coze_chat_id, str(error) or "silence"
        )
        return None
    return chat.usage if chat.status.ended else None


async def _messages(case: _Case, *, caller: Caller) -> list[CozeMessage]:
    """The answers of this chat, oldest first; whatever else Coze might list is passed over."""
    client, found, after = coze_client(case.app), [], None
    for _page in range(_PAGES):
        page = await client.list_messages(
            caller, case.coze_conversation_id, order="asc", chat_id=case.coze_chat_id, after_id=after
        )
        found += [
            message
            for message in page.items
            if (message.chat_id, message.role, message.type) == (case.coze_chat_id, "assistant", "answer")
        ]
        after = page.last_id
        if not page.has_more or not after:
            break
    return found


def _put_together(messages: list[CozeMessage]) -> Answer:
    text, breaks = "", list[int]()
    for message in messages:
        if text and message.content:
            breaks.append(len(text))
        text += storable(message.content)
    thought = storable("".join(message.reasoning_content for message in messages))
    return Answer(text, breaks, reasoning=thought[:LIMIT])
