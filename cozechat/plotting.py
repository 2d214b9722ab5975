"""Plots as numbers: where each bar, piece and line stands. Templates draw them. Pure.

Across, everything is in per cent, upwards in pixels: so the drawing has any width, and letters and patterns keep
their size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HEIGHT = 200
_GAP = 0.18
_STUB = 2.0
_STEPS = (2, 4, 6, 10)
_TICKS = 7


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar; `rank` (from 1) chooses colour and pattern."""

    rank: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A name under the bars."""

    x: float
    label: str
    is_minor: bool


@dataclass(frozen=True, slots=True)
class Place:
    """One slot of several: the column that it has, and the bar within."""

    x: float
    width: float
    left: float
    breadth: float

    @property
    def middle(self) -> float:
        """Across."""
        return round(self.left + self.breadth / 2, 3)


def place(number: int, *, count: int) -> Place:
    """Where the slot of this number (from 0) stands."""
    room = 100 / count
    return Place(
        x=round(room * (number + _GAP / 2), 3),
        width=round(room * (1 - _GAP), 3),
        left=round(room * number, 3),
        breadth=round(room, 3),
    )


def pieces(column: Mapping[int, int], *, top: int) -> tuple[Piece, ...]:
    """Of one bar, from the ground up. What comes to nothing still leaves a line: nothing at all is no data."""
    found, ground = [], float(HEIGHT)
    for rank, value in column.items():
        height = HEIGHT * value / top
        if height:
            ground -= height
            found.append(Piece(rank, round(ground, 2), round(height, 2)))
    if column and HEIGHT - ground < _STUB:
        return (Piece(next(iter(column)), HEIGHT - _STUB, _STUB),)
    return tuple(found)


def path(values: Sequence[float | None], *, top: float) -> str:
    """A line through the middles of the slots, for a drawing 100 wide; it breaks where there is no value."""
    drawn, is_open = [], False
    for number, value in enumerate(values):
        if value is not None:
            drawn.append(("L" if is_open else "M") + _point(number, value, count=len(values), top=top))
        is_open = value is not None
    return "".join(drawn)


def dots(values: Sequence[float | None], *, top: float) -> str:
    """The values between two gaps, of which no line is drawn: lines of no length, which round ends make dots."""
    beside = [None, *values, None]
    return "".join(
        f"M{_point(number, value, count=len(values), top=top)}h0"
        for number, value in enumerate(values)
        if value is not None and beside[number] is None and beside[number + 2] is None
    )


def _point(number: int, value: float, *, count: int, top: float) -> str:
    return f"{place(number, count=count).middle} {round(HEIGHT * (1 - value / top), 2)}"


def round_up(value: float) -> int:
    """The next number that halves well: 2, 4, 6 or 10 times a power of ten."""
    power = 1
    while power * _STEPS[-1] < value:
        power *= 10
    return next(step * power for step in _STEPS if step * power >= value)


def ticks(labels: Sequence[str]) -> tuple[Tick, ...]:
    """At most seven names, of which a narrow page shows every second."""
    count = len(labels)
    numbers = range(0, count, -(-count // _TICKS))
    return tuple(
        Tick(x=place(number, count=count).middle, label=labels[number], is_minor=order % 2 == 1)
        for order, number in enumerate(numbers)
    )
