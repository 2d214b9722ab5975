"""Stacked bars as numbers: where each piece stands, how it is filled, where it leads. Templates draw them.

Across, everything is in per cent, upwards in pixels: so the drawing has any width, and letters and patterns keep
their size.
"""

import enum
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cozechat.usage.money import CREDIT, short
from cozechat.usage.pages.sums import Cell

HEIGHT = 200
# More kinds are hard to tell apart: from the last rank on they are drawn together.
LAST_RANK = 7
REST = "rest"
_GAP = 0.18
_STUB = 2.0
_STEPS = (2, 4, 6, 10)


class Measure(enum.StrEnum):
    """What is drawn."""

    COST = "cost"
    TOKENS = "tokens"
    CALLS = "calls"


class By(enum.StrEnum):
    """What the bars are divided by."""

    MODEL = "model"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Series:
    """One model or key in the legend; `rank` (from 1) chooses colour and pattern."""

    rank: int
    name: str
    total: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar."""

    rank: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One slot: its column, and its line in the table (`values` in the order of the series; None is no data)."""

    label: str
    href: str
    x: float
    width: float
    left: float
    breadth: float
    pieces: tuple[Piece, ...]
    values: tuple[str | None, ...]
    total: str | None
    is_chosen: bool

    @property
    def middle(self) -> float:
        """Across."""
        return round(self.left + self.breadth / 2, 3)


@dataclass(frozen=True, slots=True)
class Tick:
    """A name under the bars."""

    x: float
    label: str
    is_minor: bool


@dataclass(frozen=True, slots=True)
class Plot:
    """All that a template needs; no series means that there is no data."""

    series: tuple[Series, ...]
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    top: str
    middle: str
    height: int = HEIGHT

    @property
    def has_gaps(self) -> bool:
        """Whether there were slots without a single call."""
        return any(bar.total is None for bar in self.bars)


@dataclass(frozen=True, slots=True)
class Label:
    """What a slot is called, at length and under the bars, and where its bar leads."""

    long: str
    short: str
    href: str
    is_chosen: bool = False


def amount(measure: Measure, cell: Cell) -> int:
    """How much of it this cell holds."""
    return {Measure.COST: cell.cost, Measure.TOKENS: cell.tokens, Measure.CALLS: cell.calls}[measure]


def shown(measure: Measure, value: int) -> str:
    """For people: credits, or a number with its thousands apart."""
    return short(value) if measure is Measure.COST else f"{value:,}"


def draw(
    cells: Iterable[Cell], *, labels: Sequence[Label], measure: Measure, ranks: dict[Any, int],
    group: Callable[[Cell], Any], names: Callable[[Any], str],
) -> Plot:  # fmt: skip
    """Stack the cells of each slot; `ranks` says in which order, and which ones share the last place."""
    heaps: dict[tuple[int, int], int] = defaultdict(int)
    kinds: dict[int, set[Any]] = defaultdict(set)
    for cell in cells:
        rank = ranks[group(cell)]
        kinds[rank].add(group(cell))
        heaps[cell.slot, rank] += amount(measure, cell)
    columns = [
        {rank: heaps[slot, rank] for rank in sorted(kinds) if (slot, rank) in heaps}
        for slot in range(len(labels))
    ]
    highest = max((sum(column.values()) for column in columns), default=0)
    # Where all of it was free, the scale is in whole credits and not in the smallest parts of one.
    top = _round_up(highest or (CREDIT if measure is Measure.COST else 0))
    series = tuple(
        Series(
            rank,
            _name(kinds[rank], names=names),
            shown(measure, sum(column.get(rank, 0) for column in columns)),
        )
        for rank in sorted(kinds)
    )
    bars = tuple(
        _bar(
            number,
            column,
            label=labels[number],
            count=len(labels),
            top=top,
            measure=measure,
            ranks=sorted(kinds),
        )
        for number, column in enumerate(columns)
    )
    return Plot(series, bars, _ticks(labels), shown(measure, top), shown(measure, top // 2))


def ranked(cells: Iterable[Cell], *, measure: Measure, group: Callable[[Cell], Any]) -> dict[Any, int]:
    """The largest first; from a certain rank on all have the same."""
    sums: dict[Any, int] = defaultdict(int)
    for cell in cells:
        sums[group(cell)] += amount(measure, cell)
    order = sorted(sums, key=lambda kind: (-sums[kind], str(kind)))
    return {kind: min(number, LAST_RANK) for number, kind in enumerate(order, 1)}


def _name(kinds: set[Any], *, names: Callable[[Any], str]) -> str:
    return names(next(iter(kinds)) if len(kinds) == 1 else REST)


def _bar(
    number: int, column: dict[int, int], *, label: Label, count: int, top: int, measure: Measure, ranks: list[int]
) -> Bar:  # fmt: skip
    room = 100 / count
    values = tuple(shown(measure, column[rank]) if rank in column else None for rank in ranks)
    return Bar(
        label=label.long,
        href=label.href,
        x=round(room * (number + _GAP / 2), 3),
        width=round(room * (1 - _GAP), 3),
        left=round(room * number, 3),
        breadth=round(room, 3),
        pieces=_pieces(column, top=top),
        values=values,
        total=shown(measure, sum(column.values())) if column else None,
        is_chosen=label.is_chosen,
    )


def _pieces(column: dict[int, int], *, top: int) -> tuple[Piece, ...]:
    """From the ground up. Calls that come to nothing still leave a line: nothing at all is no data."""
    found, ground = [], float(HEIGHT)
    for rank, value in column.items():
        height = HEIGHT * value / top
        if height:
            ground -= height
            found.append(Piece(rank, round(ground, 2), round(height, 2)))
    if column and HEIGHT - ground < _STUB:
        return (Piece(next(iter(column)), HEIGHT - _STUB, _STUB),)
    return tuple(found)


def _round_up(value: int) -> int:
    """The next number that halves well: 2, 4, 6 or 10 times a power of ten."""
    power = 1
    while power * _STEPS[-1] < value:
        power *= 10
    return next(step * power for step in _STEPS if step * power >= value)


def _ticks(labels: Sequence[Label]) -> tuple[Tick, ...]:
    """At most seven names, of which a narrow page shows every second."""
    count = len(labels)
    step = -(-count // 7)
    numbers = range(0, count, step)
    return tuple(
        Tick(
            x=round(100 * (number + 0.5) / count, 3),
            label=labels[number].short,
            is_minor=place % 2 == 1,
        )
        for place, number in enumerate(numbers)
    )
