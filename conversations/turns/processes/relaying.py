"""Words of a running turn on their way to tabs in other processes: sent at its home, put together elsewhere."""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

from conversations import frames
from conversations.live import LiveTurn, thought_frame
from conversations.turns.processes.hints import Delta, Stepped, Text, Thinking, Watch
from conversations.turns.processes.wire import NoWire, Wire

# How long a turn's deltas are sent after somebody elsewhere last said that it is watched (seconds).
WATCHED = 15.0
# Whoever is further behind than this reads the row (characters).
_TAIL = 256 * 1024


class Relay:
    """At the home of turns: sends deltas of those that are watched elsewhere, and of no others."""

    def __init__(self, wire: Wire | NoWire) -> None:
        self._wire = wire
        self._until: dict[uuid.UUID, float] = {}

    def serve(self, turn: LiveTurn, watch: Watch) -> None:
        """Somebody watches: give them what they miss, and from now on every delta."""
        turn.flush()
        self._until[turn.id] = _now() + WATCHED
        turn.relay, turn.relay_step, turn.relay_thought = self._delta, self._step, self._thought
        if turn.thought.text and len(turn.thought.text) <= _TAIL:
            self._thought(turn, turn.thought.text, 0)
        for step in turn.steps.values():
            self._step(turn, step)
        text = turn.text
        start = watch.length if watch.length <= len(text) else 0
        if watch.seq == turn.seq or len(text) - start > _TAIL:
            return
        breaks = list(turn.breaks)
        self._wire.send(
            Text(turn.owner_id, turn.id, seq=turn.seq, start=start, content=text[start:], breaks=breaks)
        )

    def forget(self, turn_id: uuid.UUID) -> None:
        """The turn is over."""
        self._until.pop(turn_id, None)

    def _delta(self, turn: LiveTurn, piece: str, start: int) -> None:
        if _now() > self._until.get(turn.id, 0.0):
            turn.relay = turn.relay_step = turn.relay_thought = None
            return
        part = bool(turn.breaks) and turn.breaks[-1] == start
        self._wire.send(Delta(turn.owner_id, turn.id, seq=turn.seq, content=piece, part=part))

    def _thought(self, turn: LiveTurn, piece: str, start: int) -> None:
        seconds = turn.thought.seconds
        told = -1 if seconds is None else round(seconds * 1000)
        self._wire.send(Thinking(turn.owner_id, turn.id, start=start, content=piece, milliseconds=told))

    def _step(self, turn: LiveTurn, step: dict[str, Any]) -> None:
        self._wire.send(Stepped(turn.owner_id, turn.id, step=step))


def _now() -> float:
    return asyncio.get_running_loop().time()


@dataclass(slots=True)
class DistantTurn(LiveTurn):
    """A turn that runs in another process, as far as it is known here: its followers see the same deltas."""

    # What the row said when it was last ahead of us.
    row_seq: int = 0

    def take(self, delta: Delta) -> bool:
        """The next delta; what came before is passed over. False: one is missing between."""
        if self.ended or delta.seq <= self.seq:
            return True
        if delta.seq != self.seq + 1:
            return False
        if delta.part:
            self.part()
        self.append(delta.content)
        self.flush()
        return True

    def take_thought(self, hint: Thinking) -> bool:
        """More of what is thought aloud. False: some of it is missing between."""
        known = self.thought.text
        if self.ended:
            return True
        if hint.start > len(known):
            return False
        text = known[: hint.start] + hint.content
        seconds = None if hint.milliseconds < 0 else hint.milliseconds / 1000
        if len(text) < len(known) or (text, seconds) == (known, self.thought.seconds):
            return True
        at = frames.utf16_length(known[: hint.start])
        self.thought.take(text, seconds=seconds)
        readers = self.hub.followers(self.conversation_id, owner_id=self.owner_id)
        for piece in frames.pieces(hint.content):
            self._offer(readers, thought_frame(self, piece, at=at))
            at += frames.utf16_length(piece)
        return True

    def take_text(self, text: Text) -> bool:
        """What we missed. False: it does not fit to what we have."""
        if self.ended or text.seq <= self.seq:
            return True
        if text.start > self.length:
            return False
        self.catch_up(seq=text.seq, content=self.text[: text.start] + text.content, breaks=text.breaks)
        return True

    def catch_up(self, *, seq: int, content: str, breaks: list[int]) -> None:
        """The whole text is known from elsewhere: whoever follows gets a sync."""
        if not content.startswith(self.text) or breaks[: len(self.breaks)] != self.breaks:
            self.begin_anew()
        for stop in breaks[len(self.breaks) :]:
            self._grow(content[self.length : stop])
            self._growing.end()
            self.breaks.append(stop)
        self._grow(content[self.length :])
        self.seq = seq
        for outbox in self.hub.followers(self.conversation_id, owner_id=self.owner_id):
            outbox.refresh(self)
