"""Codes: issued in batches, shown once, redeemed once."""

import hashlib
import secrets
import uuid
from datetime import datetime

from django.db import transaction

from cozechat.usage.models import Account, LedgerEntry, RedeemCode
from cozechat.usage.money import LARGEST_CREDIT, Nano, UnfitAmount

# Without I, L, O and U: a code is read aloud and typed. 25 of them are 125 bits; guessing is hopeless.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("ILO", "110", "- \t\r\n")
_GROUPS, _GROUP = 5, 5


class CodeRefused(Exception):
    """Unknown, expired or used: all three are answered alike."""


class BatchIssued(Exception):
    """The codes of this batch were issued, and shown, before."""


def digest_of(written: str) -> str:
    """The stored form of a code as a person wrote it: case, blanks and hyphens do not matter."""
    return hashlib.sha256(written.upper().translate(_MISREAD).encode()).hexdigest()


def issue(
    count: int,
    *,
    amount: Nano,
    now: datetime,
    batch: uuid.UUID,
    expires_at: datetime | None = None,
    note: str = "",
) -> list[str]:
    """Make codes, and return them this one time. Raises BatchIssued if the form was sent twice."""
    if not 0 < amount <= LARGEST_CREDIT:
        raise UnfitAmount(amount)
    codes = [_draw() for _ in range(count)]
    with transaction.atomic(durable=True):
        if RedeemCode.objects.filter(batch=batch).exists():
            raise BatchIssued
        RedeemCode.objects.bulk_create(
            RedeemCode(
                digest=digest_of(code), ending=code[-_GROUP:], batch=batch, note=note, amount=amount,
                created_at=now, expires_at=expires_at,
            )
            for code in codes
        )  # fmt: skip
    return codes


def _draw() -> str:
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))


def redeem(written: str, *, user_id: int, now: datetime) -> Nano:
    """Turn a code into credits; returns how many. Raises CodeRefused."""
    digest = digest_of(written)
    account = Account.objects.of(user_id)
    with transaction.atomic(durable=True):
        if not RedeemCode.objects.claim(digest, user_id=user_id, now=now):
            raise CodeRefused
        amount = RedeemCode.objects.values_list("amount", flat=True).get(digest=digest)
        Account.objects.move(account.pk, amount=amount)
        LedgerEntry.objects.post(account.pk, amount=amount, kind=LedgerEntry.Kind.REDEEM, ref=digest, at=now)
    return amount
