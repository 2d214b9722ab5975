"""Money set aside for running calls, and the windows of the budgets that bound them."""

from collections.abc import Iterable
from datetime import datetime

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from cozechat.usage.budgets import Budget, Period, Scope, period_start
from cozechat.usage.fields import MoneyField
from cozechat.usage.models.accounts import Account
from cozechat.usage.models.calls import CallFacts
from cozechat.usage.money import Nano


class WindowQuerySet(models.QuerySet["BudgetWindow"]):
    """The conditional updates of windows; each is one statement."""

    def at(self, budget: Budget, *, now: datetime) -> "BudgetWindow":
        """The budget's running window.

        It is inserted before anybody updates it, so that the very first calls of a new user, though they come
        all at once, count in one row.
        """
        key = {
            "scope": budget.scope,
            "scope_id": budget.scope_id,
            "period": budget.period,
            "period_start": period_start(budget.period, now=now),
        }
        found = self.filter(**key).first()
        if found is None:
            self.bulk_create([BudgetWindow(**key, limit=budget.limit)], ignore_conflicts=True)
            found = self.get(**key)
        return found

    def hold(self, pk: int, *, amount: Nano, limit: Nano) -> bool:
        """Set an amount aside under today's limit; False, and nothing changed, if it does not fit."""
        fitting = self.annotate(used=F("spent") + F("held")).filter(pk=pk, used__lte=limit - amount)
        return fitting.update(held=F("held") + amount, limit=limit) == 1

    def spend(self, pks: Iterable[int], *, amount: Nano, held: Nano = 0) -> None:
        """Give a hold back and count what was really spent, in the order in which holds are taken."""
        for pk in sorted(pks):
            self.filter(pk=pk).update(held=F("held") - held, spent=F("spent") + amount)


class BudgetWindow(models.Model):
    """One period of one budget: what was spent in it, what is set aside, and the limit as last seen."""

    scope = models.CharField(_("scope"), max_length=8, choices=Scope.choices)
    scope_id = models.CharField(_("scope's id"), max_length=100)
    period = models.CharField(_("period"), max_length=5, choices=Period.choices)
    period_start = models.DateTimeField(_("since"))
    limit = MoneyField(_("limit"))
    spent = MoneyField(_("spent"), default=0)
    held = MoneyField(_("held"), default=0)

    objects = WindowQuerySet.as_manager()

    class Meta:
        verbose_name = _("budget window")
        verbose_name_plural = _("budget windows")
        ordering = ("-period_start", "scope", "scope_id")
        constraints = (
            models.UniqueConstraint(
                fields=["scope", "scope_id", "period", "period_start"], name="one_budget_window_a_period"
            ),
            models.CheckConstraint(
                condition=models.Q(limit__gte=0, spent__gte=0, held__gte=0),
                name="budget_window_not_negative",
            ),
        )

    def __str__(self) -> str:
        return f"{self.scope} {self.scope_id}"


class HoldQuerySet(models.QuerySet["Hold"]):
    """Questions to the list of holds."""

    def open(self) -> "HoldQuerySet":
        """Those whose money is still set aside."""
        return self.filter(state=Hold.State.OPEN)

    def deserted(self, *, now: datetime) -> "HoldQuerySet":
        """Open ones whose process has gone silent."""
        return self.open().filter(lease_until__lt=now)

    def known_to_coze(self) -> "HoldQuerySet":
        """Those of which Coze has taken the call: it can be asked how they ended."""
        return self.exclude(coze_chat_id="", execute_id="")


class Hold(CallFacts):
    """Money set aside for one call; it leaves the state `open` exactly once.

    A lost one, whose process died, can still be settled when the truth comes to light.
    """

    class State(models.TextChoices):
        """Where the money is."""

        OPEN = "open", _("open")
        SETTLED = "settled", _("settled")
        RELEASED = "released", _("released")
        LOST = "lost", _("lost")

    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="holds", verbose_name=_("balance")
    )
    amount = MoneyField(_("amount"), editable=False)
    charged = MoneyField(_("charged"), default=0, editable=False)
    state = models.CharField(
        _("state"), max_length=8, choices=State.choices, default=State.OPEN, editable=False
    )
    input_estimate = models.PositiveBigIntegerField(_("estimated input tokens"), default=0, editable=False)
    windows = models.ManyToManyField(
        BudgetWindow, related_name="holds", verbose_name=_("budget windows"), editable=False
    )
    created_at = models.DateTimeField(_("time"), editable=False)
    lease_until = models.DateTimeField(_("leased until"), editable=False)
    expires_at = models.DateTimeField(_("expires"), editable=False)

    objects = HoldQuerySet.as_manager()

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        ordering = ("-pk",)
        permissions = (("reconcile_hold", "Can reconcile holds"),)
        indexes = (
            models.Index(
                fields=["lease_until"], name="open_holds_by_lease", condition=models.Q(state="open")
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(amount__gte=0, charged__gte=0), name="hold_not_negative"
            ),
        )
