"""What the tests of money share: a moment, a price of plain numbers, calls and credits."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from cozechat.usage import crediting, reserving
from cozechat.usage.models import Account, Hold, LedgerEntry, Price, UsageRecord

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MODEL = "flow"
_numbers = count(1)


def price(**more: Any) -> Price:
    """One nano-credit for each token that is read, two for each that is written, unless said otherwise."""
    wanted = {
        "scope": "model", "name": MODEL, "valid_from": NOW - timedelta(days=365), "input_price": 1000,
        "completion_ratio": 2,
    } | more  # fmt: skip
    return Price.objects.create(**wanted)


def fund(user: Any, amount: int) -> Account:
    crediting.top_up(user.pk, amount=amount, ref=f"payment-{next(_numbers)}", now=NOW)
    return Account.objects.of(user.pk)


def call(user: Any, request_id: str = "", **more: Any) -> reserving.Call:
    wanted = {"model": MODEL, "input_estimate": 4, "output_estimate": 3} | more
    return reserving.Call(request_id=request_id or f"request-{next(_numbers)}", owner_id=user.pk, **wanted)


def reserve(user: Any, request_id: str = "", *, now: datetime = NOW, **more: Any) -> Hold:
    """Sets 10 nano-credits aside, unless other estimates are given."""
    return reserving.reserve(call(user, request_id, **more), now=now)


def state(user: Any) -> tuple[int, int, int]:
    account = Account.objects.get(owner=user)
    return account.available, account.held, account.debt


def ledger(user: Any) -> list[tuple[str, int]]:
    return [(entry.kind, entry.amount) for entry in LedgerEntry.objects.owned_by(user).order_by("pk")]


def record(request_id: str) -> UsageRecord:
    return UsageRecord.objects.get(request_id=request_id)


def priced(**more) -> dict:
    """The admin's form of a price that begins now."""
    now = datetime.now(UTC)
    return {
        "scope": "model", "name": MODEL, "assistant": "", "app": "", "valid_from_0": f"{now:%Y-%m-%d}",
        "valid_from_1": f"{now:%H:%M:%S}", "input_price": "0.000009", "output_price": "", "completion_ratio": "1",
        "per_call": "0", "minimum": "0",
    } | more  # fmt: skip
