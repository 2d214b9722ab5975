"""Hints on their way: what is understood, what is passed over, and that nobody waits for them."""

import asyncio
import time
import uuid

import pytest

from conversations.live import LiveTurn
from conversations.outboxes import Hub
from conversations.turns.processes import hints
from conversations.turns.processes.hints import (
    Changed,
    Delta,
    Ended,
    SignedOut,
    Stop,
    Text,
    Watch,
    read,
    written,
)
from conversations.turns.processes.relaying import DistantTurn, Relay
from conversations.turns.processes.wire import WAITING, Wire

TURN, CONVERSATION = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.mark.parametrize(
    "hint",
    [
        hints.Began(1, TURN, CONVERSATION),
        Ended(1, TURN, suggestions=["More?"], advice={"retryable": True}),
        Stop(1, TURN),
        Watch(1, TURN, seq=3, length=10),
        Text(1, TURN, seq=3, start=0, content="ten 字", breaks=[4]),
        Delta(1, TURN, seq=4, content="!", part=True),
        Changed(1, CONVERSATION),
        hints.Deleted(1, CONVERSATION),
        SignedOut(1, ""),
    ],
    ids=lambda hint: type(hint).__name__,
)
def test_a_hint_arrives_as_it_was_sent(hint):
    assert read(written(hint)) == hint


@pytest.mark.parametrize(
    "data",
    [
        None,
        "Stop",
        {},
        {"kind": "FromTheFuture", "user": 1},
        {"kind": "Stop", "user": 1},
        {"kind": "Stop", "user": "1", "turn": str(TURN)},
        {"kind": "Stop", "user": 1, "turn": "no id"},
        {"kind": "Stop", "user": 1, "turn": None},
        {"kind": ["Stop"], "user": 1, "turn": str(TURN)},
    ],
    ids=str,
)
def test_what_is_no_hint_is_passed_over(data):
    assert read(data) is None


class Lines:
    """Stands in for a channel layer at the transport: keeps what is sent, or hangs like a Redis that is stopped."""

    def __init__(self) -> None:
        self.sent: list[dict] = []
        self.hangs = False

    async def group_send(self, _group, message) -> None:
        if self.hangs:
            await asyncio.sleep(3600)
        self.sent += message["hints"]

    async def new_channel(self) -> str:
        return "channel"

    async def group_add(self, _group, _channel) -> None: ...

    async def receive(self, _channel) -> dict:
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def flush(self) -> None: ...


async def test_a_layer_that_hangs_delays_nobody_and_fills_no_memory():
    lines = Lines()
    wire = Wire(lines, hear=lambda _hint: None)
    lines.hangs = True
    started = time.monotonic()
    for number in range(WAITING + 500):
        wire.send(Stop(number % 7, TURN))
    assert time.monotonic() - started < 1
    assert wire._count == WAITING
    await wire.aclose()
    assert time.monotonic() - started < 3


class Groups(Lines):
    """A layer whose groups take their time."""

    def __init__(self) -> None:
        super().__init__()
        self.members: set[str] = set()
        self.go = asyncio.Event()

    async def group_add(self, group, _channel) -> None:
        await self.go.wait()
        self.members.add(group)

    async def group_discard(self, group, _channel) -> None:
        await self.go.wait()
        self.members.discard(group)


async def test_whoever_goes_and_comes_back_while_a_slow_layer_listens_is_heard():
    layer = Groups()
    wire = Wire(layer, hear=lambda _hint: None)
    wire.keep({1, 2, 3})
    await asyncio.sleep(0.02)
    wire.keep(set())
    layer.go.set()
    for _each in range(3):
        await asyncio.sleep(0)
    wire.keep({1, 2, 3})
    await asyncio.sleep(0.1)
    assert len(layer.members) == 3
    await wire.aclose()


def distant() -> DistantTurn:
    return DistantTurn(id=TURN, conversation_id=CONVERSATION, owner_id=1, hub=Hub())


async def test_deltas_that_come_twice_late_or_with_a_gap_never_make_another_text():
    turn = distant()
    first, second, third = (Delta(1, TURN, seq=seq, content=f"{seq} ", part=False) for seq in (1, 2, 3))
    assert turn.take(first)
    assert turn.take(first)
    assert not turn.take(third)
    assert turn.take_text(Text(1, TURN, seq=2, start=2, content="2 ", breaks=[]))
    assert turn.take(second)
    assert turn.take(third)
    assert (turn.seq, turn.text) == (3, "1 2 3 ")
    assert not turn.take_text(Text(1, TURN, seq=9, start=50, content="far ahead", breaks=[]))
    assert (turn.seq, turn.text) == (3, "1 2 3 ")


async def test_a_turn_seen_from_elsewhere_has_the_same_text_blocks_and_breaks():
    lines = Lines()
    wire = Wire(lines, hear=lambda _hint: None)
    home, away = LiveTurn(id=TURN, conversation_id=CONVERSATION, owner_id=1, hub=Hub()), distant()
    relay = Relay(wire)
    home.append("# Title\n\nfirst ")
    relay.serve(home, Watch(1, TURN, seq=0, length=0))
    home.append("answer")
    home.flush()
    home.part()
    home.append("second answer\n\nmore")
    home.finish()
    await asyncio.sleep(0.05)
    for hint in map(read, lines.sent):
        assert away.take(hint) if isinstance(hint, Delta) else away.take_text(hint)
    away.finish()
    assert (away.seq, away.text, away.breaks, away.html) == (home.seq, home.text, home.breaks, home.html)
    assert home.breaks
    await wire.aclose()


async def test_nothing_is_sent_of_a_turn_that_nobody_watches_elsewhere():
    lines = Lines()
    wire = Wire(lines, hear=lambda _hint: None)
    turn = LiveTurn(id=TURN, conversation_id=CONVERSATION, owner_id=1, hub=Hub())
    for _each in range(100):
        turn.append("word ")
        turn.flush()
    await wire.aclose()
    assert lines.sent == []
