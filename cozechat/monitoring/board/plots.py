"""The plots of the page as numbers: stacked bars of what was counted, lines of what was measured."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from django.utils.translation import gettext as _

from cozechat import plotting
from cozechat.monitoring.board.readings import Readings, Slice, Span, Sums

# More kinds are hard to tell apart.
MOST_RANKS = 7

Write = Callable[[float], str]
Measure = Callable[[Sums], float | None]


@dataclass(frozen=True, slots=True)
class Series:
    """One kind in the legend; `rank` (from 1) chooses colour and pattern; `path` and `dots` are its line."""

    rank: int
    name: str
    total: str = ""
    path: str = ""
    dots: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One slot: its place, its pieces, its line in the table (None is no data)."""

    label: str
    place: plotting.Place
    values: tuple[str | None, ...]
    pieces: tuple[plotting.Piece, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of it."""
        return all(value is None for value in self.values)


@dataclass(frozen=True, slots=True)
class Plot:
    """All that a template needs."""

    key: str
    title: str
    summary: str
    series: tuple[Series, ...]
    columns: tuple[Column, ...]
    ticks: tuple[plotting.Tick, ...]
    top: str
    middle: str
    is_lines: bool = False
    height: int = plotting.HEIGHT

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return all(column.is_empty for column in self.columns)


@dataclass(frozen=True, slots=True)
class Axis:
    """The slots with their names, at length and under the plot."""

    slices: tuple[Slice, ...]
    labels: tuple[str, ...]
    ticks: tuple[plotting.Tick, ...]

    @classmethod
    def of(cls, readings: Readings, *, zone: tzinfo) -> "Axis":
        """The span's."""
        long, short = {
            Span.HOUR: ("%H:%M", "%H:%M"),
            Span.DAY: ("%Y-%m-%d %H:%M", "%H:%M"),
            Span.MONTH: ("%Y-%m-%d", "%m-%d"),
        }[readings.span]
        starts = [each.slot.start.astimezone(zone) for each in readings.slices]
        return cls(
            slices=readings.slices,
            labels=tuple(f"{start:{long}}" for start in starts),
            ticks=plotting.ticks([f"{start:{short}}" for start in starts]),
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """What one series counts or measures."""

    name: str
    measure: Measure
    total: str = field(default="")
    rank: int = 0


def counting(*names: str) -> Measure:
    """How often these happened; nothing where nobody has summed."""
    return lambda sums: sum(sums.get(name, 0) for name in names)


def on_average(gauge: str) -> Measure:
    """How much of it there was on average; None where nobody looked."""
    return lambda sums: sums.get(f"gauge:{gauge}", 0) / sums["samples"] if sums.get("samples") else None


def _measured(kind: Kind, axis: Axis) -> list[float | None]:
    return [None if each.sums is None else kind.measure(each.sums) for each in axis.slices]


def stacked(key: str, title: str, *, axis: Axis, kinds: Sequence[Kind], write: Write) -> Plot:
    """Bars of several kinds on each other; kinds that never happened are left out, but for the first."""
    ranked = [(kind, kind.rank or number) for number, kind in enumerate(kinds, 1)]
    rows = {rank: _measured(kind, axis) for kind, rank in ranked}
    shown = [(kind, rank) for kind, rank in ranked if any(rows[rank])] or ranked[:1]
    columns = [
        {rank: int(rows[rank][number] or 0) for _kind, rank in shown} for number in range(len(axis.slices))
    ]
    sums = [sum(column.values()) for column in columns]
    top = plotting.round_up(max(sums))
    count = len(axis.slices)
    return Plot(
        key=key,
        title=title,
        summary=_summary(axis, values=sums, write=write),
        series=tuple(
            Series(rank, kind.name, kind.total or write(sum(column[rank] for column in columns)))
            for kind, rank in shown
        ),
        columns=tuple(
            Column(
                label=axis.labels[number],
                place=plotting.place(number, count=count),
                values=tuple(
                    None if axis.slices[number].sums is None else write(column[rank]) for _kind, rank in shown
                ),
                pieces=plotting.pieces({rank: value for rank, value in column.items() if value}, top=top),
            )
            for number, column in enumerate(columns)
        ),
        ticks=axis.ticks,
        top=write(top),
        middle=write(top / 2),
    )


def lines(key: str, title: str, *, axis: Axis, kinds: Sequence[Kind], write: Write, unit: float = 1) -> Plot:
    """A line for each kind; `unit` is what the scale is round in."""
    rows = [_measured(kind, axis) for kind in kinds]
    highest = max((value for row in rows for value in row if value is not None), default=0.0)
    top = plotting.round_up(highest / unit) * unit
    count = len(axis.slices)
    return Plot(
        key=key,
        title=title,
        summary=_summary(axis, values=rows[0], write=write),
        series=tuple(
            Series(
                rank,
                kind.name,
                kind.total,
                path=plotting.path(row, top=top),
                dots=plotting.dots(row, top=top),
            )
            for rank, (kind, row) in enumerate(zip(kinds, rows, strict=True), 1)
        ),
        columns=tuple(
            Column(
                label=axis.labels[number],
                place=plotting.place(number, count=count),
                values=tuple(None if row[number] is None else write(row[number] or 0) for row in rows),
            )
            for number in range(count)
        ),
        ticks=axis.ticks,
        top=write(top),
        middle=write(top / 2),
        is_lines=True,
    )


def _summary(axis: Axis, *, values: Iterable[float | None], write: Write) -> str:
    """The plot in a sentence, for those who do not see it."""
    known = [(value, label) for value, label in zip(values, axis.labels, strict=True) if value is not None]
    if not known:
        return _("No data.")
    highest, when = max(known)
    return _("From %(first)s to %(last)s; the highest is %(value)s, at %(when)s.") % {
        "first": axis.labels[0], "last": axis.labels[-1], "value": write(highest), "when": when,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spark:
    """A small drawing beside a number: bars without a scale."""

    places: tuple[tuple[plotting.Place, plotting.Piece], ...]

    @classmethod
    def of(cls, axis: Axis, *, measure: Measure) -> "Spark":
        """What was counted in each slot."""
        counts = [0 if each.sums is None else int(measure(each.sums) or 0) for each in axis.slices]
        top = max(counts) or 1
        return cls(
            tuple(
                (plotting.place(number, count=len(counts)), plotting.pieces({1: count}, top=top)[0])
                for number, count in enumerate(counts)
                if count
            )
        )
