"""Long runs whose process has died: looked on at here, as if they had begun here, and never begun again."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from conversations.live import LiveTurn
from conversations.models import Message, Turn
from conversations.turns import metering, queueing
from conversations.turns.beginning import Begun
from conversations.turns.processes.orphans import Orphan
from conversations.turns.reading import steps_of
from conversations.turns.running import RunningTurn
from cozechat import database
from cozechat.catalog.models import Assistant

if TYPE_CHECKING:
    from conversations.turns.engine import Engine


@dataclass(frozen=True, slots=True)
class _Left:
    """A run as its process has left it."""

    begun: Begun
    answer: Message
    steps: list[dict[str, Any]]


async def adopt(engine: "Engine", orphan: Orphan) -> RunningTurn | None:
    """Let a claimed turn run on here; None for one that cannot: then it is to be recovered."""
    left = await database.run(_left, orphan)
    if left is None:
        return None
    begun, turn = left.begun, left.begun.turn
    live = LiveTurn(turn.pk, begun.conversation.pk, begun.owner.pk, engine.hub)
    live.steps = {step["id"]: step for step in left.steps}
    await live.load(seq=turn.seq, content=left.answer.content, breaks=left.answer.breaks)
    engine.elsewhere.forget(turn.pk)
    gone = (timezone.now() - (turn.run_began_at or timezone.now())).total_seconds()
    running = RunningTurn(begun=begun, live=live, began=time.monotonic() - gone)
    running.execute_id, running.run_began_at = turn.execute_id, turn.run_began_at
    engine.launch(running)
    for outbox in engine.hub.followers(live.conversation_id, owner_id=live.owner_id):
        outbox.refresh(live)
    return running


def _left(orphan: Orphan) -> _Left | None:
    rows = Turn.objects.leased(orphan.lease).exclude(execute_id="").exclude(run_began_at=None)
    kind = Assistant.Kind.LONG_WORKFLOW_RUN
    if not rows.filter(conversation__deleted_at=None, conversation__assistant__kind=kind).exists():
        return None
    begun = queueing.look_up(orphan.id, is_held=metering.has_hold(orphan.id))
    return None if begun is None else _Left(begun, begun.answer, steps_of(orphan.id))
