"""After a crash: no hold stays open for ever, and the books are proven to agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet, Sum

from cozechat.usage.models import Account, BudgetWindow, Hold, LedgerEntry
from cozechat.usage.settling import NOTHING, Outcome, Status, charge_for, lose

_UNKNOWN = Q(coze_chat_id="", execute_id="")
_CRASHED = Outcome(status=Status.LOST, error_code="lost")


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How many deserted holds were ended as lost, and how many still wait until Coze has been asked."""

    lost: int
    waiting: int


def reconcile(holds: QuerySet[Hold] | None = None, *, now: datetime, limit: int = 1000) -> Reconciled:
    """End what a dead process left open.

    Coze never took the call, as far as anybody knows: it costs nothing. Coze did: whoever can ask it has until
    the hold expires to settle, then the estimated input is charged. Both count as lost, so a process that was
    merely asleep can still settle. To be called again and again, by as many as like.
    """
    rows = Hold.objects.all() if holds is None else holds
    deserted = rows.filter(state=Hold.State.OPEN, lease_until__lt=now)
    due = deserted.filter(_UNKNOWN | Q(expires_at__lte=now)).order_by("lease_until")[:limit]
    lost = sum(_lose(hold, now=now) for hold in due)
    return Reconciled(lost, deserted.exclude(_UNKNOWN).filter(expires_at__gt=now).count())


def _lose(hold: Hold, *, now: datetime) -> bool:
    silent = Q(lease_until__lt=now)
    if hold.coze_chat_id or hold.execute_id:
        charge, only = charge_for(hold, outcome=_CRASHED), silent
    else:
        charge, only = NOTHING, silent & _UNKNOWN
    return lose(hold, charge=charge, outcome=_CRASHED, now=now, only=only) is not None


def audit() -> list[str]:
    """Every place where the books do not agree; empty when all is well. To be run while nothing moves."""
    return [*_balances(), *_holds(), *_windows()]


def _sums(rows: QuerySet[Any], *, of: str, by: str) -> dict[int, int]:
    """PostgreSQL sums whole numbers to decimals; nothing is lost on the way back."""
    return {row[by]: int(row["sum"]) for row in rows.order_by().values(by).annotate(sum=Sum(of))}


def _balances() -> Iterator[str]:
    entries = _sums(LedgerEntry.objects.all(), of="amount", by="account_id")
    for account in Account.objects.all():
        has = account.available + account.held - account.debt
        if has != entries.get(account.pk, 0):
            yield f"account {account.pk} has {has}, its ledger says {entries.get(account.pk, 0)}"


def _holds() -> Iterator[str]:
    holds = _sums(Hold.objects.open(), of="amount", by="account_id")
    for account in Account.objects.all():
        if account.held != holds.get(account.pk, 0):
            yield f"account {account.pk} holds {account.held}, its open holds {holds.get(account.pk, 0)}"


def _windows() -> Iterator[str]:
    through = Hold.windows.through.objects
    held = _sums(through.filter(hold__state=Hold.State.OPEN), of="hold__amount", by="budgetwindow_id")
    spent = _sums(through.all(), of="hold__charged", by="budgetwindow_id")
    for window in BudgetWindow.objects.all():
        found = (spent.get(window.pk, 0), held.get(window.pk, 0))
        if (window.spent, window.held) != found:
            yield f"window {window.pk} says {(window.spent, window.held)}, its holds {found}"
