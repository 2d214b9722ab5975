"""The usage page's upper half: choices, totals, plot."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _

from cozechat.usage.models import UsageRecord
from cozechat.usage.money import short
from cozechat.usage.pages import plots, sums
from cozechat.usage.pages.asked import CUSTOM, NO_KEY, RANGES, Asked, moment
from cozechat.usage.pages.plots import By, Label, Measure
from cozechat.usage.pages.ranges import Grain, Slot
from cozechat.usage.pages.sums import Cell
from cozechat.usage.pages.wording import NOTHING, key_names, number, seconds

LOG = "#log"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several views of the page."""

    label: str
    href: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Option:
    """One value of a filter."""

    value: str
    label: str
    is_chosen: bool


def overview(records: QuerySet[UsageRecord], *, asked: Asked, zone: tzinfo) -> dict[str, Any]:
    """What the template shows above the log. `records` are one owner's."""
    everything = sums.cells(records, over=asked.range)
    found = [cell for cell in everything if asked.filters.admit(cell)]
    keys = key_names(records, called={cell.key for cell in everything}, asked=set(asked.filters.keys))
    within = asked.filters.of(records).filter(
        created_at__gte=asked.range.start, created_at__lt=asked.range.end
    )
    return {
        "totals": totals(found, records=within),
        "plot": _plot(found, everything=everything, asked=asked, keys=keys, zone=zone),
        "plot_title": _title(asked),
        "choices": _choices(asked),
        "hidden": {
            "dates": _others(asked.query, but=("range", "since", "until", "at", "after")),
            "filters": _others(asked.query, but=("model", "key", "status", "at", "after")),
        },
        "unfiltered": asked.href(model=None, key=None, status=None, at=None),
        "options": _options(everything, asked=asked, keys=keys),
        "chosen": _chosen(asked, keys=keys),
        "span": span_name(asked.slot, grain=asked.range.grain, zone=zone) if asked.slot else "",
        "days": _days(asked, zone=zone),
        "is_custom": asked.range_name == CUSTOM,
    }


def totals(found: list[Cell], *, records: QuerySet[UsageRecord]) -> dict[str, Any] | None:
    """The sums in words; None where there is no call at all."""
    total = sums.totals(found)
    if not total.calls:
        return None
    return {
        "calls": number(total.calls),
        "failed": number(total.failed),
        "refused": number(total.refused) if total.refused else "",
        "input_tokens": number(total.input_tokens),
        "output_tokens": number(total.output_tokens),
        "cost": short(total.cost),
        "latency": _spread(records, column="latency_ms"),
        "first_token": _spread(records, column="first_token_ms"),
    }


def _spread(records: QuerySet[UsageRecord], *, column: str) -> dict[str, str] | None:
    found = sums.spread(records, column=column)
    return {"median": seconds(found.median), "p95": seconds(found.p95)} if found else None


def _plot(
    found: list[Cell], *, everything: list[Cell], asked: Asked, keys: dict[int | None, str], zone: tzinfo
) -> plots.Plot:
    """Ranks come from all calls of the range: a filter changes nobody's colour."""
    group: Callable[[Cell], Any] = (
        (lambda cell: cell.key) if asked.by is By.KEY else (lambda cell: cell.model)
    )

    def name(kind: Any) -> str:
        return _("others") if kind == plots.REST else keys[kind] if asked.by is By.KEY else kind

    return plots.draw(
        found,
        labels=[_label(slot, asked=asked, zone=zone) for slot in asked.range.slots],
        measure=asked.measure,
        ranks=plots.ranked(everything, measure=asked.measure, group=group),
        group=group,
        names=name,
    )


def _label(slot: Slot, *, asked: Asked, zone: tzinfo) -> Label:
    local = slot.start.astimezone(zone)
    return Label(
        long=span_name(slot, grain=asked.range.grain, zone=zone),
        short=f"{local:%H:%M}" if asked.range.grain is Grain.HOUR else f"{local:%m-%d}",
        href=asked.href(at=moment(slot.start), anchor=LOG),
        is_chosen=slot == asked.slot,
    )


def span_name(slot: Slot, *, grain: Grain, zone: tzinfo) -> str:
    """`2026-11-21 14:00`, `2026-11-21`, `2026-11-16 – 2026-11-22`."""
    first = slot.start.astimezone(zone)
    if grain is Grain.HOUR:
        return f"{first:%Y-%m-%d %H:%M}"
    last = (slot.end - timedelta(microseconds=1)).astimezone(zone)
    return f"{first:%Y-%m-%d}" if grain is Grain.DAY else f"{first:%Y-%m-%d} – {last:%Y-%m-%d}"


def _days(asked: Asked, *, zone: tzinfo) -> str:
    first, last = asked.range.slots[0], asked.range.slots[-1]
    grain = Grain.HOUR if asked.range.grain is Grain.HOUR else Grain.DAY
    until = last.end if grain is Grain.HOUR else last.end - timedelta(microseconds=1)
    names = [span_name(Slot(at, at), grain=grain, zone=zone) for at in (first.start, until)]
    return names[0] if names[0] == names[1] else " – ".join(names)


def _others(query: QueryDict, *, but: tuple[str, ...]) -> list[tuple[str, str]]:
    """What a form has to carry along, so that it changes only what it shows."""
    return [(name, value) for name, values in query.lists() if name not in but for value in values]


def _title(asked: Asked) -> str:
    what = {Measure.COST: _("Cost"), Measure.TOKENS: _("Tokens"), Measure.CALLS: _("Calls")}[asked.measure]
    when = {Grain.HOUR: _("by hour"), Grain.DAY: _("by day"), Grain.WEEK: _("by week")}[asked.range.grain]
    return f"{what} {when}"


def _choices(asked: Asked) -> dict[str, list[Choice]]:
    """The switches; the dates are a form of their own."""
    measures = {Measure.COST: _("Cost"), Measure.TOKENS: _("Tokens"), Measure.CALLS: _("Calls")}
    divisions = {By.MODEL: _("by model"), By.KEY: _("by key")}
    return {
        "ranges": [
            Choice(
                str(label), asked.href(range=name, since=None, until=None, at=None), name == asked.range_name
            )
            for name, label in RANGES
            if name != CUSTOM
        ],
        "measures": [
            Choice(label, asked.href(measure=name, anchor="#plot"), name is asked.measure)
            for name, label in measures.items()
        ],
        "divisions": [
            Choice(label, asked.href(by=name, anchor="#plot"), name is asked.by)
            for name, label in divisions.items()
        ],
    }


def _options(everything: list[Cell], *, asked: Asked, keys: dict[int | None, str]) -> dict[str, list[Option]]:
    """The values that occur in the range, and those that are chosen all the same."""
    filters = asked.filters
    models = {cell.model for cell in everything} | filters.models
    statuses = {cell.status for cell in everything} | filters.statuses
    return {
        "model": [Option(model, model, model in filters.models) for model in sorted(models)],
        "key": [
            Option(NO_KEY if key is None else str(key), name, key in filters.keys)
            for key, name in sorted(keys.items(), key=lambda pair: pair[1])
        ],
        "status": [
            Option(status.value, str(status.label), status.value in filters.statuses)
            for status in UsageRecord.Status
            if status.value in statuses
        ],
    }


def _chosen(asked: Asked, *, keys: dict[int | None, str]) -> str:
    """The filters in force, in one line."""
    statuses = [str(UsageRecord.Status(status).label) for status in asked.filters.statuses]
    names = [*asked.filters.models, *(keys.get(key, NOTHING) for key in asked.filters.keys), *statuses]
    return ", ".join(sorted(names))
