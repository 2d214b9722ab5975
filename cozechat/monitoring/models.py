"""What each process reports of itself, and the sums over all of them by minute, by hour and since ever."""

import uuid
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q

# A process that has said nothing for so long is not counted among those that live: it reports every ten seconds.
SILENT = timedelta(seconds=30)


class ProcessReportQuerySet(models.QuerySet["ProcessReport"]):
    """Questions to the reports."""

    def living(self, now: datetime) -> Self:
        """Of processes that have said something lately, and not that they leave."""
        return self.filter(seen_at__gt=now - SILENT, left_at=None)


class ProcessReport(models.Model):
    """One process, as it last described itself.

    `counters` are cumulative since its start and written by itself alone; `summed` is as much of them as the tallies
    hold, and written only by whoever sums up. So a process may die at any moment, and its counts stay.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, editable=False)
    started_at = models.DateTimeField(editable=False)
    seen_at = models.DateTimeField(editable=False)
    left_at = models.DateTimeField(null=True, editable=False)
    counters = models.JSONField(default=dict, editable=False)
    summed = models.JSONField(default=dict, editable=False)
    gauges = models.JSONField(default=dict, editable=False)

    objects = ProcessReportQuerySet.as_manager()

    class Meta:
        ordering = ("started_at", "id")

    def __str__(self) -> str:
        return self.name

    def is_living(self, now: datetime) -> bool:
        """Whether it has said something lately, and not that it leaves."""
        return self.left_at is None and self.seen_at > now - SILENT


class Tally(models.Model):
    """What was counted in one minute, one hour, or ever: whole numbers by name, which are added and nothing else.

    Durations are counted in buckets (`histograms`), so that a hundred hours have a percentile as one has.
    """

    class Grain(models.TextChoices):
        """How long it is."""

        MINUTE = "minute"
        HOUR = "hour"
        EVER = "ever"

    grain = models.CharField(max_length=6, choices=Grain.choices, editable=False)
    start = models.DateTimeField(editable=False)
    sums = models.JSONField(default=dict, editable=False)

    class Meta:
        verbose_name_plural = "tallies"
        ordering = ("grain", "start")
        constraints = (
            models.UniqueConstraint(fields=["grain", "start"], name="one_tally_a_time"),
            models.CheckConstraint(
                condition=Q(grain__in=["minute", "hour", "ever"]), name="tally_grain_is_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.grain} {self.start:%Y-%m-%d %H:%M}"


class SummingClaim(models.Model):
    """The one row that says which process sums up, and until when; whoever sums holds its lock as well.

    `gauges` are those that all processes share, as they last were.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    process = models.UUIDField(null=True, editable=False)
    until = models.DateTimeField(null=True, editable=False)
    gauges = models.JSONField(default=dict, editable=False)
    seen_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(id=1), name="one_summing_claim"),)

    def __str__(self) -> str:
        return f"{self.process} until {self.until}"

    @classmethod
    def take(cls, process: uuid.UUID, *, now: datetime, lease: timedelta) -> bool:
        """Claim it for a while, or go on with one's own claim: one conditional update, inside a transaction.

        Its lock is held to the transaction's end, so two who both believe in their claim come one after the other.
        """
        cls.objects.get_or_create(pk=1)
        free = cls.objects.filter(Q(process=process) | Q(until=None) | Q(until__lt=now), pk=1)
        return free.update(process=process, until=now + lease) == 1
