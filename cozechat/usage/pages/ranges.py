"""Ranges of time and the hours, days or weeks they consist of, in a time zone; pure.

A range is cut into slots in Python, and the database adds up between their borders: no database has to know the
time zone, and days of 23 or 25 hours are as long as they are.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

LONGEST_DAYS = 366
_DAYS_AS_HOURS, _DAYS_AS_DAYS = 2, 62
_HOUR = timedelta(hours=1)


class Grain(enum.StrEnum):
    """How long a slot is."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Slot:
    """From `start` until before `end`, both in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Range:
    """Slots that follow each other without a gap."""

    grain: Grain
    slots: tuple[Slot, ...]

    @property
    def start(self) -> datetime:
        """When its first slot begins."""
        return self.slots[0].start

    @property
    def end(self) -> datetime:
        """When its last slot is over."""
        return self.slots[-1].end


def last_hours(count: int, *, now: datetime, zone: tzinfo) -> Range:
    """The running hour of the wall clock and those before it."""
    local = now.astimezone(zone)
    into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    first = now.astimezone(UTC) - into - (count - 1) * _HOUR
    return _cut(Grain.HOUR, [first + number * _HOUR for number in range(count + 1)])


def last_days(count: int, *, now: datetime, zone: tzinfo) -> Range:
    """Today and the days before it."""
    today = now.astimezone(zone).date()
    return between(today - timedelta(days=count - 1), today, zone=zone)


def between(first: date, last: date, *, zone: tzinfo) -> Range:
    """Whole days, both ends included: in hours up to two of them, in weeks (from Monday) beyond 62."""
    days = (last - first).days + 1
    beyond = last + timedelta(days=1)
    if days <= _DAYS_AS_HOURS:
        return _cut(Grain.HOUR, list(_hours(_midnight(first, zone=zone), _midnight(beyond, zone=zone))))
    dates = [first + timedelta(days=number) for number in range(days)]
    if days <= _DAYS_AS_DAYS:
        return _cut(Grain.DAY, [_midnight(day, zone=zone) for day in (*dates, beyond)])
    mondays = [day for day in dates[1:] if day.weekday() == 0]
    return _cut(Grain.WEEK, [_midnight(day, zone=zone) for day in (first, *mondays, beyond)])


def _midnight(day: date, *, zone: tzinfo) -> datetime:
    """When the day begins; where the clock jumps over midnight, at the jump."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def _hours(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += _HOUR
    yield end


def _cut(grain: Grain, borders: list[datetime]) -> Range:
    return Range(grain, tuple(Slot(*pair) for pair in pairwise(borders)))
