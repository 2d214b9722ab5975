"""Stops a turn that runs in another process: its home is asked first, for it alone has every word."""

import asyncio
import uuid
from typing import TYPE_CHECKING, NamedTuple

from django.db import transaction
from django.utils import timezone

from conversations.models import Conversation, Message, Turn
from conversations.turns import metering
from conversations.turns.ending import End, stored_end
from conversations.turns.processes.hints import Stop
from conversations.turns.reading import StoredTurn
from cozechat import database

if TYPE_CHECKING:
    from conversations.turns.engine import Engine

# How long its home may take, and how often we look.
_PATIENCE = 0.6
_LOOK_EVERY = 0.1


class _Shown(NamedTuple):
    """What tabs here have seen of the turn."""

    seq: int
    text: str
    breaks: list[int]


async def stop_elsewhere(engine: "Engine", stored: StoredTurn) -> None:
    """End a turn as canceled within a second, whether its home hears of it or not."""
    if engine.news.wire.reaches_others and await _ended_at_home(engine, stored):
        return
    turn = engine.elsewhere.turns.get(stored.id)
    shown = _Shown(turn.seq, turn.text, list(turn.breaks)) if turn else None
    end = await database.run(_take_away, stored.id, shown=shown)
    if end is not None:
        await engine.announce(end)


async def _ended_at_home(engine: "Engine", stored: StoredTurn) -> bool:
    engine.news.wire.send(Stop(stored.owner_id, stored.id))
    for _look in range(round(_PATIENCE / _LOOK_EVERY)):
        await asyncio.sleep(_LOOK_EVERY)
        if not await database.run(Turn.objects.running().filter(pk=stored.id).exists):
            await engine.elsewhere.look_at_end(stored.id)
            return True
    return False


def _take_away(turn_id: uuid.UUID, *, shown: _Shown | None) -> End | None:
    """End it over its home's head, which finds its lease gone; what was shown here and is not stored yet is kept."""
    now = timezone.now()
    with transaction.atomic():
        turns = Turn.objects.running().filter(pk=turn_id)
        ended = turns.update(status=Turn.Status.CANCELED, lease=None, lease_until=None, ended_at=now)
        if ended:
            Conversation.objects.filter(turns=turn_id).update(active_at=now)
        if ended and shown and Turn.objects.filter(pk=turn_id, seq__lt=shown.seq).update(seq=shown.seq):
            answer = Message.objects.filter(turn_id=turn_id, role=Message.Role.ASSISTANT)
            answer.update(content=shown.text, breaks=shown.breaks)
        if ended:
            metering.meter_stored(turn_id, status=Turn.Status.CANCELED)
    return stored_end(turn_id, is_news=bool(ended))
