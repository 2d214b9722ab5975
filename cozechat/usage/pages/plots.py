"""Stacked bars of what was spent: how each piece is filled, where its bar leads. Templates draw them."""

import enum
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cozechat import plotting
from cozechat.plotting import HEIGHT, Piece, Tick
from cozechat.usage.money import CREDIT, short
from cozechat.usage.pages.sums import Cell

# More kinds are hard to tell apart: from the last rank on they are drawn together.
LAST_RANK = 7
REST = "rest"


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
class Bar:
    """One slot: its column, and its line in the table (`values` in the order of the series; None is no data)."""

    label: str
    href: str
    place: plotting.Place
    pieces: tuple[Piece, ...]
    values: tuple[str | None, ...]
    total: str | None
    is_chosen: bool


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
    top = plotting.round_up(highest or (CREDIT if measure is Measure.COST else 0))
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
    ticks = plotting.ticks([label.short for label in labels])
    return Plot(series, bars, ticks, shown(measure, top), shown(measure, top // 2))


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
    values = tuple(shown(measure, column[rank]) if rank in column else None for rank in ranks)
    return Bar(
        label=label.long,
        href=label.href,
        place=plotting.place(number, count=count),
        pieces=plotting.pieces(column, top=top),
        values=values,
        total=shown(measure, sum(column.values())) if column else None,
        is_chosen=label.is_chosen,
    )
