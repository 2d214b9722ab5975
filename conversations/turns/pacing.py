"""How much one user may ask: a burst at once, so many a minute after that, so many a day.

Each question counts once, by its `client_id`, before anything of it is stored: one that is said again is let through. The
pace lives in a bucket ([buckets]), the day in a row. Staff are held to them as everybody is, unless their own row says
otherwise: a limit protects the service, and a script of an administrator's can run wild, too.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from conversations.frames import Refused, TurnStart
from conversations.models import Turn, TurnDay
from cozechat import buckets, counters
from cozechat.buckets import Bucket
from cozechat.usage.budgets import Period, period_end


@dataclass(frozen=True, slots=True)
class Pace:
    """What one user may ask, in a minute and in a day; 0 is no limit."""

    per_minute: int
    per_day: int

    @classmethod
    def of(cls, *, per_minute: int | None, per_day: int | None) -> "Pace":
        """The site's, but for what was set for this user."""
        return cls(
            settings.TURNS_PER_MINUTE if per_minute is None else per_minute,
            settings.TURNS_PER_DAY if per_day is None else per_day,
        )

    @property
    def bucket(self) -> Bucket:
        """Who may ask little may not ask it ten times in a burst."""
        return Bucket(size=min(settings.TURNS_BURST, self.per_minute), per_minute=self.per_minute)


def _rows(owner_id: int) -> Any:
    return User.objects.filter(pk=owner_id)


def pace_of(owner_id: int) -> Pace:
    """What this user may ask, as it is set at this moment."""
    found = _rows(owner_id).values_list("turns_per_minute", "turns_per_day").first()
    per_minute, per_day = found or (None, None)
    return Pace.of(per_minute=per_minute, per_day=per_day)


def admit(user: User, *, frame: TurnStart) -> Pace:
    """Let a question in, and say what else its author is held to. Raises Refused (rate_limited)."""
    known = Turn.objects.filter(owner=OuterRef("pk"), client_id=frame.client_id)
    row = _rows(user.pk).annotate(is_known=Exists(known))
    found = row.values_list("turns_per_minute", "turns_per_day", "is_known").first()
    per_minute, per_day, is_known = found or (None, None, False)
    pace = Pace.of(per_minute=per_minute, per_day=per_day)
    if pace.per_minute and not is_known:
        _take(user.pk, frame=frame, pace=pace)
    return pace


def _take(owner_id: int, *, frame: TurnStart, pace: Pace) -> None:
    name = f"turns-{owner_id}"
    wait = buckets.take(name, bucket=pace.bucket, once=f"{name}-{frame.client_id}")
    if wait:
        counters.add("limits_refused", label="minute")
        advice = {"retry_after": buckets.whole_seconds(wait), "limit": "minute"}
        text = _("You are sending too fast.")
        raise Refused("rate_limited", text, client_id=str(frame.client_id), advice=advice)


def count_today(owner_id: int, *, frame: TurnStart, limit: int) -> None:
    """Count a question of today, in the transaction that stores it. Raises Refused (quota); then it does not count."""
    now = timezone.now()
    if not limit or TurnDay.objects.count_one(owner_id, limit=limit, now=now):
        return
    counters.add("limits_refused", label="day")
    text = _("Today's questions are used up.")
    raise Refused("quota", text, client_id=str(frame.client_id), advice=_until_tomorrow(now))


def _until_tomorrow(now: datetime) -> dict[str, Any]:
    end = period_end(Period.DAY, now=now)
    assert end is not None  # noqa: S101 - days end
    seconds = buckets.whole_seconds((end - now).total_seconds())
    return {"retry_after": seconds, "resets_at": end.isoformat(), "limit": "day"}


def turns_today(owner_id: int) -> dict[str, Any] | None:
    """What the page's meter shows: `{used, limit, left, resets_at}`; None where days have no limit."""
    limit = pace_of(owner_id).per_day
    if not limit:
        return None
    now = timezone.now()
    used = TurnDay.objects.used(owner_id, now=now)
    resets_at = _until_tomorrow(now)["resets_at"]
    return {"used": used, "limit": limit, "left": max(limit - used, 0), "resets_at": resets_at}
