"""What goes with an answer without being part of it: thoughts, follow-up questions, times, what its reader says of it."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist

from conversations.live import LiveTurn
from conversations.models import Message, Turn
from conversations.thoughts import Thought
from conversations.turns.running import RunningTurn

_COZE_ID = 120


def of_message(live: LiveTurn) -> dict[str, Any]:
    """What an answer's row keeps of its turn's thoughts."""
    return {"reasoning": live.thought.text, "reasoning_seconds": live.thought.seconds}


def of_turn(running: RunningTurn, *, status: Turn.Status) -> dict[str, Any]:
    """What a turn's row keeps at its end."""
    offered = running.suggestions if status == Turn.Status.COMPLETED else []
    coze_id = running.answer_coze_id
    return {"suggestions": offered, "answer_coze_id": coze_id if len(coze_id) <= _COZE_ID else ""}


def thought_of(turn_id: Any) -> Thought:
    """What a running turn has thought so far."""
    rows = Message.objects.filter(turn_id=turn_id, role=Message.Role.ASSISTANT)
    found = rows.values_list("reasoning", "reasoning_seconds").first()
    thought = Thought()
    if found and found[0]:
        thought.take(found[0], seconds=found[1])
    return thought


def described(message: Message, *, turn: Turn) -> dict[str, Any]:
    """`{reasoning {content, seconds}?, suggestions?, seconds?, log_id?, feedback?}` of an answer."""
    found: dict[str, Any] = {}
    if message.reasoning:
        found["reasoning"] = {"content": message.reasoning, "seconds": message.reasoning_seconds}
    if turn.suggestions:
        found["suggestions"] = turn.suggestions
    seconds = seconds_of(turn)
    found |= {} if seconds is None else {"seconds": seconds}
    return found | ({"log_id": turn.log_id} if turn.log_id else {}) | _feedback(turn)


def seconds_of(turn: Turn) -> float | None:
    """From the question to the end of its answer."""
    return round((turn.ended_at - turn.created_at).total_seconds(), 1) if turn.ended_at else None


def _feedback(turn: Turn) -> dict[str, Any]:
    try:
        feedback = turn.feedback.described()
    except ObjectDoesNotExist:
        return {}
    return {"feedback": feedback} if feedback else {}
