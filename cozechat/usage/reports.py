"""What was spent, by whom and on what; how much of a budget is left; what another price would have come to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncDate

from cozechat.usage.budgets import Budget, period_end, period_start
from cozechat.usage.models import Account, BudgetWindow, Price, UsageRecord
from cozechat.usage.models.prices import PriceNotConfigured
from cozechat.usage.money import Nano
from cozechat.usage.pricing import Tokens, cost

By = Literal["day", "model", "api_key_id", "owner_id", "assistant_id", "app_id"]


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of the calls that have one thing in common."""

    key: Any
    calls: int
    input_tokens: int
    output_tokens: int
    cost: Nano


def totals(records: QuerySet[UsageRecord], *, by: By) -> list[Total]:
    """One total for each day (in the site's time zone), model or key, in that order."""
    rows = records.annotate(day=TruncDate("created_at")) if by == "day" else records
    sums = rows.order_by(by).values(by).annotate(
        calls=Count("pk"), ins=Sum("input_tokens"), outs=Sum("output_tokens"), spent=Sum("cost")
    )  # fmt: skip
    # PostgreSQL sums whole numbers to decimals.
    return [
        Total(row[by], row["calls"], int(row["ins"]), int(row["outs"]), int(row["spent"])) for row in sums
    ]


@dataclass(frozen=True, slots=True)
class Quota:
    """A budget as a meter shows it. What running calls have set aside counts as used."""

    used: Nano
    limit: Nano
    resets_at: datetime | None

    @property
    def left(self) -> Nano:
        """Never less than nothing, though a call may have cost more than was expected of it."""
        return max(0, self.limit - self.used)


def quota(budget: Budget, *, now: datetime) -> Quota:
    """How much of this budget is used in the running period."""
    window = BudgetWindow.objects.filter(
        scope=budget.scope,
        scope_id=budget.scope_id,
        period=budget.period,
        period_start=period_start(budget.period, now=now),
    ).first()
    used = window.spent + window.held if window else 0
    return Quota(used, budget.limit, period_end(budget.period, now=now))


def quota_of(user: Any, *, now: datetime) -> Quota | None:
    """The user's own budget; None for somebody whose spending has no limit but the balance."""
    account = Account.objects.filter(owner_id=user.pk).first()
    return quota(account.budget, now=now) if account and account.budget else None


@dataclass(slots=True)
class Difference:
    """One model's calls: what they cost, and what they would have."""

    model: str
    calls: int = 0
    charged: Nano = 0
    would: Nano = 0


def dry_run(draft: Price, *, now: datetime, hours: int = 24) -> list[Difference]:
    """What the charged calls of the last day would have cost, had the draft been in force.

    Calls that a narrower price decides are left out, as they would not pay the draft.
    """
    found: dict[str, Difference] = {}
    pays: dict[tuple[Any, ...], bool] = {}
    snapshot = draft.snapshot()
    rows = UsageRecord.objects.charged().filter(created_at__gt=now - timedelta(hours=hours))
    names = ("route", "model", "assistant_id", "app_id")
    for row in rows.only(*names, "cost", "group_ratio", "input_tokens", "output_tokens").iterator():
        names_of_row = {name: getattr(row, name) for name in names}
        key = tuple(names_of_row.values())
        if key not in pays:
            pays[key] = _would_pay(draft, now=now, **names_of_row)
        if pays[key]:
            entry = found.setdefault(row.model, Difference(row.model))
            entry.calls += 1
            entry.charged += row.cost
            entry.would += cost(
                snapshot, ratio=row.group_ratio, tokens=Tokens(row.input_tokens, row.output_tokens)
            )
    return sorted(found.values(), key=lambda entry: entry.model)


def _would_pay(draft: Price, *, now: datetime, **names: Any) -> bool:
    """Whether a call under these names would find the draft first."""
    own = {
        Price.Scope.ROUTE: names["route"],
        Price.Scope.MODEL: names["model"],
        Price.Scope.ASSISTANT: names["assistant_id"],
        Price.Scope.APP: names["app_id"],
    }[Price.Scope(draft.scope)]
    if not own or own not in {draft.name, draft.assistant_id, draft.app_id}:
        return False
    try:
        return Price.objects.for_call(**names, now=now).rank >= draft.rank
    except PriceNotConfigured:
        return True
