"""One answer, several tabs, a bad network: each shows what was said, once."""

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from conversations import frames, live, outboxes
from conversations.live import LiveTurn
from conversations.outboxes import Hub, Outbox
from tests.reader import Shown, Tally

ALICE, BOB = 1, 2
PIECES = st.sampled_from(["a", "中😀", "word " * 9, "\n\n", "```\n", "x" * 9000, "**b**"])
ENDS = st.sampled_from(["completed", "failed", "canceled", "interrupted"])
PAGE = st.integers(0, 2)


class Broken(AssertionError):
    """What a tab shows is not what was said."""


def hold(condition: object, what: str) -> None:
    if not condition:
        raise Broken(what)


class Reader:
    """A tab of somebody's, with its socket and what the network does to it."""

    def __init__(self, hub: Hub, turn: LiveTurn, *, owner: int, tally: Tally) -> None:
        self.outbox = Outbox(owner_id=owner, language="en", session_key="")
        hub.join(self.outbox)
        hub.follow(self.outbox, turn.conversation_id)
        self.shown = Shown(str(turn.id), tally=tally)
        self.wants_all = False

    def waits(self) -> bool:
        return bool(self.outbox._waiting or self.outbox._stale)

    async def read(self, *, times: int = 1) -> None:
        """The next frame: lost (0), once, or twice."""
        frame = json.loads(await self.outbox.next() or "{}")
        if times != 1:
            self.shown.asked_for += 1
        for _each in range(times):
            if self.shown.take(frame):
                self.shown.syncing = self.wants_all = True


class StreamMachine(RuleBasedStateMachine):
    """Alice has three tabs; Bob's tab follows the same conversation, as it never could."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.do(self._begin())

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def _begin(self) -> None:
        self.hub, self.tally, self.said, self.end = Hub(), Tally(), "", ""
        self.turn = LiveTurn(id=uuid.uuid4(), conversation_id=uuid.uuid4(), owner_id=ALICE, hub=self.hub)
        self.pages = [Reader(self.hub, self.turn, owner=ALICE, tally=self.tally) for _each in range(3)]
        self.bobs = Reader(self.hub, self.turn, owner=BOB, tally=Tally())

    @precondition(lambda self: not self.end)
    @rule(piece=PIECES)
    def coze_says(self, piece: str) -> None:
        async def act() -> None:
            self.turn.append(piece)

        self.said += piece
        self.do(act())

    @precondition(lambda self: not self.end)
    @rule()
    def a_moment_passes(self) -> None:
        async def act() -> None:
            self.turn.flush()

        self.do(act())

    @precondition(lambda self: not self.end and self.said)
    @rule(kind=ENDS)
    def it_ends(self, kind: str) -> None:
        async def act() -> None:
            self.turn.finish()
            readers = self.hub.followers(self.turn.conversation_id, owner_id=ALICE)
            outboxes.send(readers, lambda: _end(self.turn, kind=kind), turn=self.turn)

        self.end = kind
        self.do(act())

    @rule(page=PAGE, times=st.sampled_from([0, 1, 1, 1, 2]))
    def a_frame_arrives(self, page: int, times: int) -> None:
        if self.pages[page].waits():
            self.do(self.pages[page].read(times=times))
        self.check()

    @rule(page=PAGE)
    def asks_for_everything(self, page: int) -> None:
        self.pages[page].shown.syncing = True
        self.do(self._answer(self.pages[page]))
        self.check()

    async def _answer(self, page: Reader) -> None:
        """What `turns.resume` does."""
        page.wants_all = False
        page.shown.asked_for += 1
        if self.end:
            for text in live.sync(self.turn.id, seq=self.turn.seq, content=self.turn.text, status=self.end):
                page.outbox.offer(text)
            page.outbox.offer(_end(self.turn, kind=self.end))
            return
        for text in self.turn.sync_frames():
            page.outbox.offer(text)

    def check(self) -> None:
        """Always."""
        hold(not self.tally.breaches, str(self.tally.breaches))
        hold(not self.bobs.waits(), "Bob hears Alice's answer")
        for page in self.pages:
            hold(self.said.startswith(page.shown.text), "what is shown was never said")

    def teardown(self) -> None:
        """At rest: every frame that still comes arrives."""
        try:
            if not self.end:
                self.it_ends("completed")
            for page in self.pages:
                self.do(self._rest(page))
                hold((page.shown.text, page.shown.ended) == (self.said, self.end), "a tab is left behind")
            self.check()
        finally:
            self.loop.close()

    async def _rest(self, page: Reader) -> None:
        for _each in range(3):
            while page.waits():
                await page.read()
            if page.shown.ended:
                return
            page.shown.syncing = True
            await self._answer(page)


def _end(turn: LiveTurn, *, kind: str) -> str:
    length = frames.utf16_length(turn.text)
    return frames.build(f"turn.{kind}", turn=turn.id, seq=turn.seq, length=length)


def play(*, examples: int) -> None:
    chosen = settings(
        max_examples=examples, stateful_step_count=30, deadline=None, derandomize=True, database=None,
        phases=(Phase.generate,), report_multiple_bugs=False,
    )  # fmt: skip
    run_state_machine_as_test(StreamMachine, settings=chosen)


def test_every_tab_shows_what_was_said_whatever_the_network_does():
    play(examples=200)


# --- The planted mutants ---------------------------------------------------------------------------------


def page_ignores_gaps(patch: Any) -> None:
    def delta(self: Shown, frame: dict[str, Any]) -> bool:
        if frame["seq"] > self.seq and not self.ended:
            self.text, self.seq = self.text + frame["content"], frame["seq"]
        return False

    patch.setattr(Shown, "_delta", delta)


def page_takes_repeats(patch: Any) -> None:
    def delta(self: Shown, frame: dict[str, Any]) -> bool:
        self.text, self.seq = self.text + frame["content"], frame["seq"]
        return False

    patch.setattr(Shown, "_delta", delta)


def tells_everybody(patch: Any) -> None:
    patch.setattr(Hub, "followers", lambda self, conversation_id, *, owner_id: list(self.all()))


def keeps_the_end_to_itself(patch: Any) -> None:
    patch.setattr(outboxes, "send", lambda readers, make, **turn: None)
    patch.setattr(StreamMachine, "_answer", _answers_nothing_about_ends)


async def _answers_nothing_about_ends(self: StreamMachine, page: Reader) -> None:
    for text in self.turn.sync_frames():
        page.outbox.offer(text)


def syncs_what_was_not_sent_yet(patch: Any) -> None:
    def made(self: LiveTurn) -> list[str]:
        return list(live.sync(self.id, seq=self.seq, content=self.text, status="in_progress"))

    patch.setattr(LiveTurn, "sync_frames", made)


def loses_what_overflows(patch: Any) -> None:
    """A full outbox drops deltas and promises nothing in their place."""

    def dropped(self: Outbox, turn: Any) -> None:
        self._waiting.clear()
        self._size = 0

    patch.setattr(outboxes, "BACKLOG", 9_000)
    patch.setattr(Outbox, "_drop_deltas_of", dropped)
    patch.setattr(Shown, "_end", _believes_every_end)


def _believes_every_end(self: Shown, frame: dict[str, Any], *, kind: str) -> bool:
    self.ended = self.ended or kind
    return False


def drops_pieces(patch: Any) -> None:
    append = LiveTurn.append
    patch.setattr(LiveTurn, "append", lambda self, piece: None if "b" in piece else append(self, piece))


MUTANTS: list[Callable[[Any], None]] = [
    page_ignores_gaps, page_takes_repeats, tells_everybody, keeps_the_end_to_itself,
    syncs_what_was_not_sent_yet, loses_what_overflows, drops_pieces,
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_every_fault_that_is_planted_shows(monkeypatch, mutant):
    mutant(monkeypatch)
    with pytest.raises(Broken):
        play(examples=1000)
