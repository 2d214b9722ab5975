"""Keys as the pages show them: in which state they are, and what was spent with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from cozechat.gateway import own_keys
from cozechat.gateway.models import ApiKey
from cozechat.usage.budgets import Budget, Period, Scope, period_end, period_start
from cozechat.usage.models import BudgetWindow, UsageRecord
from cozechat.usage.money import Nano, short
from cozechat.usage.reports import Quota, totals

# Of keys that have ended the newest are listed.
_ENDED_SHOWN = 50


class State(models.TextChoices):
    """What a key is good for now."""

    ACTIVE = "active", _("active")
    PAUSED = "paused", _("switched off")
    REPLACED = "replaced", _("being replaced")
    EXPIRED = "expired", _("expired")
    REVOKED = "revoked", _("revoked")

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left but the memory."""
        return self in (State.EXPIRED, State.REVOKED)


def state_of(key: ApiKey, *, now: datetime) -> State:
    """The key must come from `told_of_successors`."""
    if not key.is_active:
        return State.REVOKED
    if key.has_expired(now=now):
        return State.EXPIRED
    if key.is_paused:
        return State.PAUSED
    return State.REPLACED if key.is_replaced else State.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key of a list. Spent is what the budget counts, or without a budget what this month's calls cost."""

    key: ApiKey
    state: State
    spent: Nano
    quota: Quota | None
    can_change: bool
    can_rotate: bool

    @property
    def spent_in_credits(self) -> str:
        """As people read it."""
        return short(self.spent)

    @property
    def limit_in_credits(self) -> str:
        """As people read it; empty without a budget."""
        return short(self.quota.limit) if self.quota else ""


def entries_of(owner: User, *, now: datetime) -> tuple[list[Entry], list[Entry]]:
    """The owner's keys, newest first: those that stand, and those that have ended."""
    rows = ApiKey.objects.owned_by(owner).told_of_successors()
    standing = rows.standing(now=now)
    ended = rows.exclude(pk__in=standing.values("pk"))[:_ENDED_SHOWN]
    return entries(owner, list(standing), now=now), entries(owner, list(ended), now=now)


def entries(owner: User, keys: Sequence[ApiKey], *, now: datetime) -> list[Entry]:
    """In the same order."""
    used = _used([key.budget for key in keys if key.budget], now=now)
    spent = _spent_this_month(owner, [key.pk for key in keys if not key.budget], now=now)
    return [_entry(key, used=used, spent=spent, now=now) for key in keys]


def _entry(key: ApiKey, *, used: dict[Budget, Nano], spent: dict[int, Nano], now: datetime) -> Entry:
    budget = key.budget
    quota = Quota(used.get(budget, 0), budget.limit, period_end(budget.period, now=now)) if budget else None
    return Entry(
        key=key,
        state=state_of(key, now=now),
        spent=quota.used if quota else spent.get(key.pk, 0),
        quota=quota,
        can_change=own_keys.can_change(key),
        can_rotate=own_keys.can_rotate(key, now=now),
    )


def _used(budgets: list[Budget], *, now: datetime) -> dict[Budget, Nano]:
    """What is used of each budget in its running period, by one query for all."""
    starts = {period: period_start(period, now=now) for period in Period}
    windows = BudgetWindow.objects.filter(
        scope=Scope.KEY,
        scope_id__in={budget.scope_id for budget in budgets},
        period_start__in=starts.values(),
    )
    found = {(row.scope_id, row.period, row.period_start): row.spent + row.held for row in windows}
    return {
        budget: found.get((budget.scope_id, budget.period, starts[budget.period]), 0) for budget in budgets
    }


def _spent_this_month(owner: User, key_ids: list[int], *, now: datetime) -> dict[int, Nano]:
    since = period_start(Period.MONTH, now=now)
    records = UsageRecord.objects.owned_by(owner).filter(api_key_id__in=key_ids, created_at__gte=since)
    return {total.key: total.cost for total in totals(records, by="api_key_id")}
