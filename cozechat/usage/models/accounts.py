"""A user's balance, and the ledger that explains it."""

from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn, Self

from django.conf import settings
from django.db import models
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _

from cozechat.usage.budgets import Budget, Period, Scope
from cozechat.usage.fields import MoneyField
from cozechat.usage.money import LARGEST, Nano, short


class PriceGroup(models.Model):
    """Users who pay prices times one ratio; without a group the ratio is 1."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    # Written and read whole, never computed with in the database: ten digits come back from SQLite as they went.
    ratio = models.DecimalField(_("group ratio"), max_digits=10, decimal_places=6, default=Decimal(1))

    class Meta:
        verbose_name = _("price group")
        verbose_name_plural = _("price groups")
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(ratio__gte=0, ratio__lte=1000), name="group_ratio_from_0_to_1000"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} × {self.ratio.normalize():f}"


class AccountQuerySet(models.QuerySet["Account"]):
    """The conditional updates that move money; each is one statement."""

    def of(self, user_id: int) -> "Account":
        """The user's account, made on first sight: one a user, however many ask at once."""
        account, _made = self.select_related("group").get_or_create(owner_id=user_id)
        return account

    def hold(self, pk: int, *, amount: Nano) -> bool:
        """Set an amount aside; False, and nothing changed, if there is not that much or if there is debt."""
        free = self.filter(pk=pk, available__gte=amount, debt=0)
        return free.update(available=F("available") - amount, held=F("held") + amount) == 1

    def move(self, pk: int, *, amount: Nano, held: Nano = 0) -> None:
        """Add an amount, which may be negative, and give a hold back.

        What the balance cannot pay becomes debt; what comes in pays debt first. So never both at once.
        """
        position = F("available") - F("debt") + amount
        self.filter(pk=pk).update(
            available=Greatest(position, 0), debt=Greatest(0 - position, 0), held=F("held") - held
        )


class Account(models.Model):
    """What one user can spend, what is set aside for running calls, and what was overspent.

    It outlives its owner: a ledger has no holes.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="account",
        verbose_name=_("owner"),
    )
    group = models.ForeignKey(
        PriceGroup, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("price group")
    )
    limit = MoneyField(  # type: ignore[misc]  # None is meant
        _("budget"), null=True, blank=True, help_text=_("Credits a period; empty: no limit.")
    )
    period = models.CharField(_("period"), max_length=5, choices=Period.choices, default=Period.MONTH)
    warn_below = MoneyField(  # type: ignore[misc]  # None is meant
        _("warn below"), null=True, blank=True, help_text=_("Credits; empty: no warning.")
    )
    available = MoneyField(_("available"), default=0, editable=False)
    held = MoneyField(_("held"), default=0, editable=False)
    debt = MoneyField(_("debt"), default=0, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = _("balance")
        verbose_name_plural = _("balances")
        ordering = ("pk",)
        permissions = (("adjust_account", "Can top up and adjust balances"),)
        constraints = (
            *(
                models.CheckConstraint(
                    condition=models.Q(**{f"{name}__gte": 0, f"{name}__lte": LARGEST}),
                    name=f"account_{name}_in_range",
                )
                for name in ("available", "held", "debt")
            ),
            models.CheckConstraint(
                condition=models.Q(available=0) | models.Q(debt=0), name="account_pays_its_debt_first"
            ),
            models.CheckConstraint(
                condition=models.Q(limit=None) | models.Q(limit__gte=0), name="account_budget_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(warn_below=None) | models.Q(warn_below__gte=0),
                name="account_warning_not_negative",
            ),
        )

    def __str__(self) -> str:
        return str(self.owner) if self.owner else f"#{self.pk}"

    @property
    def ratio(self) -> Decimal:
        """By what this account's prices are multiplied."""
        return self.group.ratio if self.group else Decimal(1)

    @property
    def runs_low(self) -> bool:
        """Whether there is less than its owner wants to be told of; debt is never enough."""
        return self.debt > 0 or (self.warn_below is not None and self.available < self.warn_below)

    @property
    def budget(self) -> Budget | None:
        """What the owner may spend in a period, if that is bounded."""
        if self.limit is None or self.owner_id is None:
            return None
        return Budget(
            scope=Scope.USER, scope_id=str(self.owner_id), limit=self.limit, period=Period(self.period)
        )


class AppendOnly(Exception):
    """Somebody tried to change or delete a row of the ledger; a correction is a new row."""


class LedgerQuerySet(models.QuerySet["LedgerEntry"]):
    """Rows go in and stay as they are."""

    def owned_by(self, user: Any) -> Self:
        """What changed this user's balance."""
        return self.filter(account__owner_id=user.pk)

    def post(self, account_id: int, *, amount: Nano, kind: str, ref: str, at: datetime, **why: Any) -> None:
        """Write an entry, unless it would move nothing. Raises IntegrityError for a reference that is known."""
        if amount:
            self.create(account_id=account_id, amount=amount, kind=kind, ref=ref, created_at=at, **why)

    def update(self, **_: Any) -> NoReturn:
        """Refused."""
        raise AppendOnly

    def delete(self) -> NoReturn:
        """Refused."""
        raise AppendOnly


class LedgerEntry(models.Model):
    """One change of one balance; the sum of an account's entries is what it has: available + held − debt."""

    class Kind(models.TextChoices):
        """Why the balance changed; what `ref` refers to."""

        TOP_UP = "top_up", _("top-up")
        USAGE = "usage", _("usage")
        CORRECTION = "correction", _("correction of usage")
        REDEEM = "redeem", _("redeem code")
        ADJUSTMENT = "adjustment", _("adjustment")

    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="entries", verbose_name=_("balance")
    )
    amount = MoneyField(_("amount"))
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    ref = models.CharField(_("reference"), max_length=128)
    # Plain values: the row must stay as it is also when a colleague's account is deleted.
    actor_id = models.BigIntegerField(_("actor's id"), null=True)
    actor_name = models.CharField(_("actor"), max_length=150, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("time"))

    objects = LedgerQuerySet.as_manager()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger")
        ordering = ("-pk",)
        indexes = (models.Index(fields=["account", "-created_at"], name="ledger_of_account"),)
        constraints = (
            models.UniqueConstraint(fields=["kind", "ref"], name="one_ledger_entry_a_reference"),
            models.CheckConstraint(condition=~models.Q(amount=0), name="ledger_entry_moves_something"),
            models.CheckConstraint(
                condition=~models.Q(kind="adjustment") | (~models.Q(reason="") & ~models.Q(actor_name="")),
                name="adjustment_has_actor_and_reason",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {short(self.amount)}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; a stored row is refused."""
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refused."""
        raise AppendOnly
