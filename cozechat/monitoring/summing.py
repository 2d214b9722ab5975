"""Adds up what has happened: rows that have ended and what processes have counted, each exactly once.

One piece of work is one transaction: it takes some rows that no sum holds, adds them to the tallies of their minute and
hour and to the one of ever, and marks them. Whoever dies in between has done nothing. Of many processes one holds the
claim, and its row's lock keeps a second one out that believes it does.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import models, transaction

from conversations.models import Turn
from cozechat import counters
from cozechat.monitoring import samples
from cozechat.monitoring.models import ProcessReport, SummingClaim, Tally
from cozechat.monitoring.samples import Sample, Sums
from cozechat.usage.models import UsageRecord

Grain = Tally.Grain
LEASE = timedelta(seconds=25)
# Rows in one transaction: SQLite lets nobody else write meanwhile.
PIECE = 500
_MARKED_AT_ONCE = 250
EVER = datetime(2000, 1, 1, tzinfo=UTC)
# The page looks back a day for its busiest minute; what is older is in its hour.
MINUTES_KEPT = timedelta(hours=25)
HOURS_KEPT = timedelta(days=400)
REPORTS_KEPT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Source:
    """A table whose rows are summed: which are left, what of them is read, what each one adds."""

    left: Callable[[], "models.QuerySet[Any]"]
    columns: tuple[str, ...]
    samples: Callable[[Iterable[tuple[Any, ...]]], Iterator[Sample]]


SOURCES = (
    Source(Turn.objects.to_sum, samples.TURN_COLUMNS, samples.of_turns),
    Source(UsageRecord.objects.to_sum, samples.RECORD_COLUMNS, samples.of_records),
)


def sum_up(process: uuid.UUID, *, now: datetime, piece: int = PIECE) -> int | None:
    """One piece of each table, and what processes have reported; how many rows that was at most, None without the claim.

    As long as it is `piece`, there is more to do.
    """
    most = 0
    for source in SOURCES:
        with transaction.atomic(durable=True):
            if not SummingClaim.take(process, now=now, lease=LEASE):
                return None
            most = max(most, _sum_rows(source, now=now, piece=piece))
    with transaction.atomic(durable=True):
        if not SummingClaim.take(process, now=now, lease=LEASE):
            return None
        _sum_reports(now=now)
    return most


def _sum_rows(source: Source, *, now: datetime, piece: int) -> int:
    """Rows that somebody deletes or changes just now are left to the next round: so nobody waits for anybody."""
    # A clock that was ahead must not put anything into minutes to come.
    rows = list(
        source.left().select_for_update(skip_locked=True, of=("self",)).values_list(*source.columns)[:piece]
    )
    add((Sample(min(sample.at, now), sample.sums) for sample in source.samples(rows)), now=now)
    for start in range(0, len(rows), _MARKED_AT_ONCE):
        some = [row[0] for row in rows[start : start + _MARKED_AT_ONCE]]
        source.left().order_by().filter(pk__in=some).update(summed=True)
    return len(rows)


def add(found: Iterable[Sample], *, now: datetime) -> None:
    """Into the tally of ever and those of hour and minute, as far as these are still kept."""
    sums: dict[tuple[str, datetime], Sums] = {}
    for sample in found:
        for place in _places(sample.at, now=now):
            sums.setdefault(place, Sums()).update(sample.sums)
    for (grain, start), more in sorted(sums.items()):
        tally, _made = Tally.objects.get_or_create(grain=grain, start=start)
        tally.sums = merged(tally.sums, more)
        tally.save(update_fields=["sums"])


def _places(at: datetime, *, now: datetime) -> Iterator[tuple[str, datetime]]:
    yield Grain.EVER, EVER
    if at > now - HOURS_KEPT:
        yield Grain.HOUR, at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if at > now - MINUTES_KEPT:
        yield Grain.MINUTE, at.astimezone(UTC).replace(second=0, microsecond=0)


def merged(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    """Both added, name by name."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _sum_reports(*, now: datetime) -> None:
    """What processes have counted since the last round; and, as one sample, how much of everything there is now."""
    more, reports = Sums(), list(ProcessReport.objects.select_for_update().order_by("pk"))
    for report in reports:
        grown = {
            name: count - report.summed.get(name, 0)
            for name, count in report.counters.items()
            if count > report.summed.get(name, 0)
        }
        if grown:
            more.update({f"counter:{name}": count for name, count in grown.items()})
            ProcessReport.objects.filter(pk=report.pk).update(summed=merged(report.summed, grown))
    living = list(ProcessReport.objects.living(now))
    shared = {name: round(value) for name, value in counters.gauged(shared=True).items()}
    SummingClaim.objects.update(gauges=shared, seen_at=now)
    more["samples"] = 1
    for gauges in (shared, *(report.gauges for report in living)):
        more.update({f"gauge:{name}": value for name, value in gauges.items()})
    add([Sample(now, +more)], now=now)


def trim(*, now: datetime) -> None:
    """Delete minutes and hours that nobody looks at any more, and the reports of processes long gone."""
    Tally.objects.filter(grain=Grain.MINUTE, start__lt=now - MINUTES_KEPT).delete()
    Tally.objects.filter(grain=Grain.HOUR, start__lt=now - HOURS_KEPT).delete()
    with transaction.atomic(durable=True):
        for report in ProcessReport.objects.select_for_update().filter(seen_at__lt=now - REPORTS_KEPT):
            # What no sum holds yet is kept until one does.
            if report.counters == report.summed:
                report.delete()
