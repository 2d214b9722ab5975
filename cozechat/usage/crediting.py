"""What comes in: top-ups and adjustments, each once for its reference."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from cozechat.usage.models import Account, LedgerEntry
from cozechat.usage.money import LARGEST_CREDIT, Nano, UnfitAmount


class ReferenceTaken(Exception):
    """The reference was used before for another amount or another account: something is wrong."""


class NoReason(ValueError):
    """An adjustment says why."""


def top_up(
    user_id: int,
    *,
    amount: Nano,
    ref: str,
    now: datetime,
    actor: Any = None,
    claim: Callable[[], bool] | None = None,
) -> bool:
    """Add what was paid. False if this payment (`ref`, the other side's id of it) was booked before.

    `claim` is asked in the same transaction; if it says False, somebody was faster, and nothing is booked.
    """
    if amount <= 0:
        raise UnfitAmount(amount)
    account = Account.objects.of(user_id)
    why = {"claim": claim, **_by(actor)}
    return _book(account, amount=amount, kind=LedgerEntry.Kind.TOP_UP, ref=ref, now=now, **why)


def adjust(account: Account, *, amount: Nano, reason: str, actor: Any, ref: str, now: datetime) -> bool:
    """Give or take, with a reason and in somebody's name; taking more than there is leaves debt.

    False if this adjustment was booked before.
    """
    if not reason.strip():
        raise NoReason
    why = {"reason": reason.strip()[:300], **_by(actor)}
    return _book(account, amount=amount, kind=LedgerEntry.Kind.ADJUSTMENT, ref=ref, now=now, **why)


def _by(actor: Any) -> dict[str, Any]:
    return {"actor_id": actor.pk, "actor_name": actor.get_username()} if actor else {}


def _book(
    account: Account,
    *,
    amount: Nano,
    kind: str,
    ref: str,
    now: datetime,
    claim: Callable[[], bool] | None = None,
    **why: Any,
) -> bool:
    if not amount or abs(amount) > LARGEST_CREDIT:
        raise UnfitAmount(amount)
    try:
        with transaction.atomic(durable=True):
            if claim is not None and not claim():
                return False
            Account.objects.move(account.pk, amount=amount)
            LedgerEntry.objects.post(account.pk, amount=amount, kind=kind, ref=ref, at=now, **why)
    except IntegrityError:
        booked = LedgerEntry.objects.filter(kind=kind, ref=ref).first()
        if booked is None:
            raise
        if (booked.account_id, booked.amount) != (account.pk, amount):
            raise ReferenceTaken(ref) from None
        return False
    return True
