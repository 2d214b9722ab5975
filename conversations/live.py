"""Running answers of this process, in memory: no database, no network."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from conversations import frames
from conversations.outboxes import Hub, Outbox
from conversations.rendering import GrowingText
from conversations.thoughts import Thought

# Deltas that arrive within this time of the last flush travel together (seconds).
COALESCE = 0.03
# So much of a long text is rendered at once, with everybody else's turn between.
_STRETCH = 8_000


@dataclass(slots=True)
class LiveTurn:
    """One running answer: its text, its sequence number, and the sockets that see it grow."""

    id: uuid.UUID
    conversation_id: uuid.UUID
    owner_id: int
    hub: Hub
    seq: int = 0
    breaks: list[int] = field(default_factory=list)
    ended: bool = False
    dirty: bool = False
    length: int = 0
    # Tools that were invoked on the way, by id, in their order: as the tabs see them.
    steps: dict[int, dict[str, Any]] = field(default_factory=dict)
    # Called with each delta and where in the text it begins, while tabs in other processes look on.
    relay: "Callable[[LiveTurn, str, int], None] | None" = None
    # Called with each step, while tabs in other processes look on.
    relay_step: "Callable[[LiveTurn, dict[str, Any]], None] | None" = None
    # What is thought aloud before the answer; called with each piece and where it begins.
    thought: Thought = field(default_factory=Thought)
    relay_thought: "Callable[[LiveTurn, str, int], None] | None" = None
    _parts: list[str] = field(default_factory=list)
    _unsent: list[str] = field(default_factory=list)
    _growing: GrowingText = field(default_factory=GrowingText)
    _flushed_at: float = 0.0
    _timer: asyncio.TimerHandle | None = None

    @property
    def text(self) -> str:
        """The answer so far, sent or not."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    @property
    def html(self) -> str:
        """The finished blocks; after the end, the whole answer."""
        return "".join(self._growing.blocks)

    def append(self, piece: str) -> None:
        """The answer grows; what comes within 30 ms travels as one delta. After the end nothing comes."""
        if self.ended:
            return
        self.thought.close()
        self._parts.append(piece)
        self._unsent.append(piece)
        self.length += len(piece)
        self._grew()

    def think(self, piece: str) -> None:
        """The assistant thinks aloud; it travels as the answer does, and beside it."""
        if not self.ended:
            self.thought.add(piece)
            self._grew()

    def _grew(self) -> None:
        self.dirty = True
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._flushed_at + COALESCE), self.flush)

    def part(self) -> None:
        """Coze begins another answer message: its blocks do not run into those before it."""
        if self.length and (not self.breaks or self.breaks[-1] != self.length):
            self.flush()
            self.breaks.append(self.length)
            self._send_html(self._growing.end())

    def show_step(self, step: dict[str, Any]) -> None:
        """A tool is invoked, or has ended. After the end nothing comes."""
        if self.ended or self.steps.get(step["id"]) == step:
            return
        self.flush()
        self.steps[step["id"]] = step
        for outbox in self.hub.followers(self.conversation_id, owner_id=self.owner_id):
            outbox.offer(step_frame(self, step))
        if self.relay_step is not None:
            self.relay_step(self, step)

    def flush(self) -> None:
        """Send what piled up."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tell_thought()
        if not self._unsent:
            return
        text, self._unsent = "".join(self._unsent), []
        self._flushed_at = asyncio.get_running_loop().time()
        readers = self.hub.followers(self.conversation_id, owner_id=self.owner_id)
        start = self.length - len(text)
        for piece in frames.pieces(text):
            self.seq += 1
            if readers:
                self._offer(readers, frames.build("turn.delta", turn=self.id, seq=self.seq, content=piece))
            if self.relay is not None:
                self.relay(self, piece, start)
            start += len(piece)
        self._send_html(self._growing.feed(text))

    def finish(self) -> None:
        """No more text comes: send the rest, render the rest."""
        self.thought.close()
        self.flush()
        self.ended = True
        self._send_html(self._growing.end())

    def begin_anew(self) -> None:
        """Forget the text: another one takes its place."""
        self._parts, self._unsent, self.breaks, self.length = [], [], [], 0
        self._growing = GrowingText()

    async def load(self, *, seq: int, content: str, breaks: list[int]) -> None:
        """Begin with a stored text, before anybody follows; a long one is rendered in stretches."""
        self.seq = seq
        for stop in sorted({*breaks, *range(_STRETCH, len(content), _STRETCH), len(content)}):
            self._grow(content[self.length : stop])
            if stop in breaks:
                self._growing.end()
                self.breaks.append(stop)
            await asyncio.sleep(0)

    def _grow(self, text: str) -> None:
        if text:
            self._parts.append(text)
            self.length += len(text)
            self._growing.feed(text)

    def sync_frames(self) -> list[str]:
        """The whole answer so far as frames; text and sequence number belong together.

        After the last word too: how the turn ended is said by its last frame, which is still to come.
        """
        self.flush()
        return [
            *(thought_frame(self, piece, at=at) for piece, at in self.thought.whole()),
            *(step_frame(self, step) for step in self.steps.values()),
            *sync(self.id, seq=self.seq, content=self.text, status="in_progress"),
            *self._html_frames(0, self._growing.blocks),
        ]

    def _send_html(self, blocks: list[str]) -> None:
        if not blocks:
            return
        readers = self.hub.followers(self.conversation_id, owner_id=self.owner_id)
        for text in self._html_frames(len(self._growing.blocks) - len(blocks), blocks) if readers else ():
            self._offer(readers, text)

    def _html_frames(self, first: int, blocks: list[str]) -> Iterator[str]:
        if not blocks:
            return
        tail = frames.utf16_length(self._growing.tail)
        pieces = list(frames.pieces("".join(blocks)))
        for number, piece in enumerate(pieces, 1):
            yield frames.build(
                "turn.html",
                turn=self.id,
                seq=self.seq,
                block=first,
                html=piece,
                tail=tail,
                last=number == len(pieces),
            )

    def _tell_thought(self) -> None:
        readers = self.hub.followers(self.conversation_id, owner_id=self.owner_id)
        for piece, start, at in self.thought.news():
            self._flushed_at = asyncio.get_running_loop().time()
            self._offer(readers, thought_frame(self, piece, at=at))
            if self.relay_thought is not None:
                self.relay_thought(self, piece, start)

    def _offer(self, readers: list[Outbox], text: str) -> None:
        for outbox in readers:
            outbox.offer_delta(text, turn=self)


def step_frame(turn: LiveTurn, step: dict[str, Any]) -> str:
    """A tool that was invoked on the way to an answer; the same `id` again takes the place of the former."""
    return frames.build("turn.step", turn=turn.id, conversation=turn.conversation_id, seq=turn.seq, step=step)


def thought_frame(turn: LiveTurn, piece: str, *, at: int) -> str:
    """What is thought from `offset` on; `seconds` once it has been thought through."""
    done = {} if turn.thought.seconds is None else {"seconds": turn.thought.seconds}
    return frames.build(
        "turn.reasoning", turn=turn.id, conversation=turn.conversation_id, offset=at, content=piece, **done
    )


def sync(turn_id: uuid.UUID, *, seq: int, content: str, status: str) -> Iterator[str]:
    """A `turn.sync` for a text, in as many frames as it needs."""
    offset, parts = 0, list(frames.pieces(content))
    for number, piece in enumerate(parts, 1):
        yield frames.build(
            "turn.sync",
            turn=turn_id,
            seq=seq,
            content=piece,
            status=status,
            offset=offset,
            last=number == len(parts),
        )
        offset += frames.utf16_length(piece)
