"""Faults that change how a stream goes."""

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Protocol

from cozechat.emulator.faults.board import Fault
from cozechat.emulator.faults.catalog import ANSWER, BROKEN, ENDS, PIECES
from cozechat.emulator.runs import Moment, Part
from cozechat.emulator.world import World

GARBAGE = b'event: conversation.message.delta\ndata: {"id":"1","content":\xff\xfe not json\n\n'
NO_TEXT = b"\xe6\x89 \xff\xc3("
"""Half a character, two bytes that never occur, and a false beginning."""

CHAT = (*ENDS, *PIECES, *ANSWER, *BROKEN)
COMMON = ("error-event", *PIECES, *BROKEN)
"""What can strike a workflow run as well as a chat."""
UNSEEN = (*ENDS, *ANSWER)
"""What can strike a chat that nobody watches."""


class Streamed(Protocol):
    """A chat or a workflow run, told frame by frame."""

    def moments(self) -> Iterator[Moment]: ...

    def failure(self, name: str, *, code: int, msg: str) -> Iterator[bytes]: ...

    def strange(self) -> bytes: ...

    def heartbeat(self) -> bytes: ...

    def piece(self, content: bytes) -> bytes: ...


Bend = Callable[[Iterator[Moment], Fault, Streamed], Iterator[Moment]]


def take(world: World, *, path: str, session_name: str | None, names: Iterable[str] = CHAT) -> list[Fault]:
    """The armed faults that strike here; taking one uses it up."""
    if not world.faults.armed:
        return []
    faults = world.faults.take_all(tuple(names), path=path, session_name=session_name)
    for fault in faults:
        world.ledger.faults[fault.name] += 1
    return faults


def bend(run: Streamed, *, faults: list[Fault]) -> Iterator[Moment]:
    """The run's moments with every stream fault applied, in order."""
    moments = run.moments()
    for fault in faults:
        turn = BENDS.get(fault.name)
        if turn is not None:
            moments = turn(moments, fault, run)
    return moments


def _until(moments: Iterator[Moment], after: int) -> Generator[Moment, None, Moment | None]:
    """Passes on the start and `after` deltas, at most all of them; returns what would have followed."""
    seen = 0
    for moment in moments:
        if moment.part is Part.END or (seen >= after and moment.part is not Part.START):
            return moment
        yield moment
        seen += moment.part is Part.DELTA
    return None


def _stall(moments: Iterator[Moment], fault: Fault, run: Streamed) -> Iterator[Moment]:
    following = yield from _until(moments, fault.settings["after"])
    while following is not None:
        yield following._replace(due=following.due + fault.settings["seconds"])
        following = next(moments, None)


def _truncate(moments: Iterator[Moment], fault: Fault, run: Streamed) -> Iterator[Moment]:
    yield from _until(moments, fault.settings["after"])


def _half_frame(moments: Iterator[Moment], fault: Fault, run: Streamed) -> Iterator[Moment]:
    following = yield from _until(moments, fault.settings["after"])
    if following is not None:
        yield following._replace(data=following.data[: len(following.data) // 2])


def _reset(moments: Iterator[Moment], fault: Fault, run: Streamed) -> Iterator[Moment]:
    following = yield from _until(moments, fault.settings["after"])
    if following is not None:
        yield following._replace(data=b"", part=Part.RESET)


def _without_last(moments: Iterator[Moment], fault: Fault, run: Streamed) -> Iterator[Moment]:
    before = next(moments, None)
    for moment in moments:
        if before is not None:
            yield before
        before = moment


def _beating(moments: Iterator[Moment], fault: Fault, run: Streamed) -> Iterator[Moment]:
    for moment in moments:
        yield moment
        if moment.part is Part.DELTA:
            yield moment._replace(data=run.heartbeat(), part=Part.WHOLE)


def _insert(build: Callable[[Streamed], bytes]) -> Bend:
    def bend(moments: Iterator[Moment], fault: Fault, run: Streamed) -> Iterator[Moment]:
        following = yield from _until(moments, fault.settings["after"])
        if following is not None:
            yield following._replace(data=build(run))
            yield following
        yield from moments

    return bend


def _fail(moments: Iterator[Moment], fault: Fault, run: Streamed) -> Iterator[Moment]:
    """The chat ends without an answer."""
    following = yield from _until(moments, fault.settings["after"])
    due = 0.0 if following is None else following.due
    for data in run.failure(fault.name, code=fault.settings["code"], msg=fault.settings["msg"]):
        yield Moment(due, data, Part.END)


BENDS: dict[str, Bend] = {
    "stall": _stall,
    "truncate": _truncate,
    "half-frame": _half_frame,
    "reset": _reset,
    "no-done": _without_last,
    "ping": _beating,
    "garbage-frame": _insert(lambda run: GARBAGE),
    "invalid-utf8": _insert(lambda run: run.piece(NO_TEXT)),
    "unknown-event": _insert(lambda run: run.strange()),
    **dict.fromkeys(ENDS, _fail),
}
