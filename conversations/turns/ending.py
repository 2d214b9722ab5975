"""The one end of a turn in the database, and what there is to tell about it afterwards."""

import asyncio
import logging
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from conversations import frames
from conversations.models import Turn
from conversations.turns import allowances, questions, saving, wishes
from conversations.turns.failures import Failure
from conversations.turns.reading import StoredTurn, described, stored_turn
from conversations.turns.running import RunningTurn
from cozechat import database
from cozechat.coze.types import Usage

logger = logging.getLogger(__name__)

_SAVE_AGAIN_AFTER = (0.2, 1.0, 3.0)


@dataclass(frozen=True, slots=True)
class End:
    """How a turn ended. `is_news`: it was ended just now by this very process, and nobody else knows.

    `usage`: what its owner's meter shows now, if turns are charged.
    """

    turn: StoredTurn
    conversation: dict[str, Any] | None
    suggestions: list[str] = field(default_factory=list)
    advice: dict[str, Any] = field(default_factory=dict)
    is_news: bool = False
    usage: dict[str, Any] | None = None


async def save_end(running: RunningTurn, *, status: Turn.Status, failure: Failure | None) -> End | None:
    """Save the end of a turn, if need be a little later; returns what the database then says about it.

    None: the turn is gone, goes on in other hands, or could not be written to (then its lease runs out).
    """
    for pause in (*_SAVE_AGAIN_AFTER, None):
        try:
            return await database.run(_end, running, status=status, failure=failure)
        except Exception:
            logger.exception("the end of turn %s could not be saved", running.id)
        if pause is not None:
            await asyncio.sleep(pause)
    return None


def _end(running: RunningTurn, *, status: Turn.Status, failure: Failure | None) -> End | None:
    live = running.live
    is_ours = saving.save_end(running, status=status, failure=failure, content=live.text, html=live.html)
    if not is_ours:
        saving.note_lost_race(running, failure=failure)
        return stored_end(running.id)
    return End(
        turn=_ended(running, status=status, failure=failure),
        conversation=described(live.conversation_id, owner_id=live.owner_id),
        suggestions=running.suggestions if status == Turn.Status.COMPLETED else [],
        advice=failure.advice if failure else {},
        is_news=True,
        usage=allowances.news_of(live.owner_id),
    )


def stored_end(turn_id: uuid.UUID, *, is_news: bool = False) -> End | None:
    """The end that stands in the database; None when there is none, or no turn."""
    turn = stored_turn(turn_id)
    if turn is None or turn.ended_at is None:
        return None
    conversation = described(turn.conversation_id, owner_id=turn.owner_id)
    usage = allowances.news_of(turn.owner_id)
    return End(turn=turn, conversation=conversation, is_news=is_news, usage=usage)


def _of_run(running: RunningTurn, *, status: Turn.Status) -> dict[str, Any]:
    turn = Turn(
        status=status,
        execute_id=running.execute_id,
        interrupt=running.interrupt,
        interrupt_state=saving.asks_back(running, status),
    )
    failed = (
        step["title"]
        for step in running.live.steps.values()
        if (step["kind"], step["status"]) == ("node", "failed")
    )
    return {
        "interrupt": questions.shown(turn),
        "run": wishes.run_of(turn, assistant=running.assistant),
        "failed_step": next(failed, "") if status == Turn.Status.FAILED else "",
    }


def _ended(running: RunningTurn, *, status: Turn.Status, failure: Failure | None) -> StoredTurn:
    """The turn as it was just saved: what we wrote need not be read."""
    live, usage, now = running.live, running.usage or Usage(0, 0, 0), timezone.now()
    return StoredTurn(
        id=running.id,
        conversation_id=live.conversation_id,
        owner_id=live.owner_id,
        status=status,
        seq=live.seq,
        answer_id=running.begun.answer.pk,
        answer_text=live.text,
        breaks=live.breaks,
        ended_at=now,
        error_code=failure.code if failure else "",
        log_id=failure.log_id if failure else "",
        steps=len(live.steps),
        **_of_run(running, status=status),
        cached=running.cached,
        seconds=round((now - running.begun.turn.created_at).total_seconds(), 1),
        reasoning=frames.utf16_length(live.thought.text),
        usage={
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
        },
    )
