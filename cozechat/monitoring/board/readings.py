"""What the page shows, read in a few statements: tallies of a time, the processes, what runs and waits now."""

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from django.db import models
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from conversations.models import Turn
from cozechat.monitoring.models import ProcessReport, SummingClaim, Tally
from cozechat.usage.pages.ranges import Slot, last_days, last_hours

Sums = Mapping[str, int]
Grain = Tally.Grain
_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)


class Span(enum.StrEnum):
    """How far the page looks back."""

    HOUR = "1h"
    DAY = "24h"
    MONTH = "30d"


@dataclass(frozen=True, slots=True)
class Slice:
    """One minute, hour or day of the span; `sums` is None where nobody has summed anything."""

    slot: Slot
    sums: Sums | None


@dataclass(frozen=True, slots=True)
class Now:
    """How it is at this moment, in all processes. `summed_at`: until when the tallies are complete."""

    at: datetime
    processes: tuple[ProcessReport, ...]
    running: int
    queued: int
    webhooks_pending: int
    summed_at: datetime | None

    @property
    def living(self) -> tuple[ProcessReport, ...]:
        """Those that have reported lately."""
        return tuple(process for process in self.processes if process.is_living(self.at))

    def gauge(self, name: str) -> int:
        """Of all living processes together."""
        return sum(int(process.gauges.get(name, 0)) for process in self.living)


@dataclass(frozen=True, slots=True)
class Readings:
    """All that the page is made of. `day` are the sums of 24 hours, `busiest` their minute with most requests."""

    span: Span
    slices: tuple[Slice, ...]
    sums: Sums
    day: Sums
    busiest: int | None
    now: Now


def read(span: Span, *, now: datetime, zone: tzinfo) -> Readings:
    """The tallies of the span and of 24 hours, and how it is now."""
    slots = _slots(span, now=now, zone=zone)
    day = last_hours(24, now=now, zone=UTC)
    hours = _tallies(Grain.HOUR, since=min(slots[0].start, day.start))
    finest = _tallies(Grain.MINUTE, since=slots[0].start) if span is Span.HOUR else hours
    slices = _sliced(slots, finest)
    return Readings(
        span=span,
        slices=slices,
        sums=added(piece.sums for piece in slices if piece.sums is not None),
        day=added(sums for start, sums in hours if start >= day.start),
        busiest=_busiest(since=day.start),
        now=now_at(now),
    )


def _slots(span: Span, *, now: datetime, zone: tzinfo) -> tuple[Slot, ...]:
    if span is Span.MONTH:
        return last_days(30, now=now, zone=zone).slots
    if span is Span.DAY:
        return last_hours(24, now=now, zone=zone).slots
    first = now.astimezone(UTC).replace(second=0, microsecond=0) - 59 * _MINUTE
    return tuple(Slot(first + number * _MINUTE, first + (number + 1) * _MINUTE) for number in range(60))


def _tallies(grain: str, *, since: datetime) -> list[tuple[datetime, Sums]]:
    rows = Tally.objects.filter(grain=grain, start__gte=since).order_by("start")
    return list(rows.values_list("start", "sums"))


def _busiest(*, since: datetime) -> int | None:
    """The most requests in a minute; the database looks, for these are many rows of which one number counts."""
    requests = Cast(KeyTextTransform("counter:requests", "sums"), models.BigIntegerField())
    minutes = Tally.objects.filter(grain=Grain.MINUTE, start__gte=since)
    found: int | None = minutes.aggregate(busiest=models.Max(requests))["busiest"]
    return found


def _sliced(slots: tuple[Slot, ...], tallies: list[tuple[datetime, Sums]]) -> tuple[Slice, ...]:
    """A tally belongs to the slot in which it begins."""
    found: list[list[Sums]] = [[] for _slot in slots]
    number = 0
    for start, sums in tallies:
        while number < len(slots) and start >= slots[number].end:
            number += 1
        if number < len(slots) and start >= slots[number].start:
            found[number].append(sums)
    return tuple(Slice(slot, added(heap) if heap else None) for slot, heap in zip(slots, found, strict=True))


def added(many: Iterable[Sums]) -> Sums:
    """All of them together, name by name."""
    total: Counter[str] = Counter()
    for sums in many:
        total.update(sums)
    return total


def now_at(at: datetime) -> Now:
    """How it is, without a look at what was."""
    claim = SummingClaim.objects.filter(pk=1).first() or SummingClaim()
    running = Turn.objects.running().filter(ended_at=None, lease_until__isnull=False)
    return Now(
        at=at,
        processes=tuple(ProcessReport.objects.all()),
        running=running.count(),
        queued=Turn.objects.queued().count(),
        webhooks_pending=int(claim.gauges.get("webhooks_pending", 0)),
        summed_at=claim.seen_at,
    )
