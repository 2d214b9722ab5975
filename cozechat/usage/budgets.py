"""Budgets: how much may be spent in a day, a week, a month or ever, and when that begins anew."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cozechat.usage.money import Nano


class Period(models.TextChoices):
    """After which time a budget begins anew, in the site's time zone; weeks begin on Monday."""

    DAY = "day", _("day")
    WEEK = "week", _("week")
    MONTH = "month", _("month")
    EVER = "ever", _("ever")


class Scope(models.TextChoices):
    """Whose spending a budget bounds."""

    KEY = "key", _("API key")
    END_USER = "end_user", _("end user")
    USER = "user", _("user")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """At most so much in each period. `scope_id` names the key, the end user or the user within its scope.

    An end user's name is unique for its owner only: let the caller put the owner into its `scope_id`.
    """

    scope: Scope
    scope_id: str
    limit: Nano
    period: Period = Period.MONTH


_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def period_start(period: Period, *, now: datetime) -> datetime:
    """When the running period began."""
    if period == Period.EVER:
        return _BEGINNING
    today = timezone.localtime(now, timezone.get_default_timezone()).replace(
        hour=0, minute=0, second=0, microsecond=0, fold=0
    )
    if period == Period.WEEK:
        return today - timedelta(days=today.weekday())
    return today.replace(day=1) if period == Period.MONTH else today


def period_end(period: Period, *, now: datetime) -> datetime | None:
    """When the next period begins; None for a budget that never begins anew."""
    start = period_start(period, now=now)
    if period == Period.EVER:
        return None
    if period == Period.MONTH:
        return (start + timedelta(days=32)).replace(day=1)
    # Days of a zone with summer time have 23 or 25 hours: arithmetic on the wall clock gets them right.
    return start + timedelta(days=7 if period == Period.WEEK else 1)
