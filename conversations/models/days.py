"""How many questions a user has asked on a day: what a limit a day is held against."""

from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations.models.turns import Turn


def day_of(moment: datetime) -> date:
    """Its day in the site's time zone."""
    return timezone.localtime(moment, timezone.get_default_timezone()).date()


class TurnDayQuerySet(models.QuerySet["TurnDay"]):
    """The count of a day moves by conditional updates, so that of many processes none counts past the limit."""

    def count_one(self, owner_id: int, *, limit: int, now: datetime) -> bool:
        """One question more; False where that would be more than the limit."""
        day = day_of(now)
        if not self.filter(owner_id=owner_id, day=day).exists():
            self._begin(owner_id, day=day)
        room = self.filter(owner_id=owner_id, day=day, turns__lt=limit)
        return bool(room.update(turns=F("turns") + 1))

    def _begin(self, owner_id: int, *, day: date) -> None:
        """The limit may be younger than the day: what was asked before it counts as far as it is still there."""
        self.get_or_create(owner_id=owner_id, day=day, defaults={"turns": _asked_on(owner_id, day=day)})
        self.filter(owner_id=owner_id, day__lt=day).delete()

    def give_back(self, turn: Turn) -> None:
        """This turn came to nothing."""
        rows = self.filter(owner_id=turn.owner_id, day=day_of(turn.created_at), turns__gt=0)
        rows.update(turns=F("turns") - 1)

    def used(self, owner_id: int, *, now: datetime) -> int:
        """How many questions count today."""
        day = day_of(now)
        found = self.filter(owner_id=owner_id, day=day).values_list("turns", flat=True).first()
        return _asked_on(owner_id, day=day) if found is None else found


def _asked_on(owner_id: int, *, day: date) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=timezone.get_default_timezone())
    asked: Any = Turn.objects.filter(owner_id=owner_id, created_at__gte=midnight, withdrawn=False)
    return int(asked.count())


class TurnDay(models.Model):
    """One user's questions on one day. A deletion of what was asked does not change it."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("owner")
    )
    day = models.DateField(_("day"))
    turns = models.PositiveIntegerField(_("questions"), default=0)

    objects = TurnDayQuerySet.as_manager()

    class Meta:
        verbose_name = _("questions of a day")
        verbose_name_plural = _("questions by day")
        constraints = (models.UniqueConstraint(fields=["owner", "day"], name="one_count_a_user_and_day"),)

    def __str__(self) -> str:
        return f"{self.day}: {self.turns}"
