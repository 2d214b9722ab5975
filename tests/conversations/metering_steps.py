"""What the tests of metering share: a price, credits and a budget, and what stands in the books."""

import uuid
from typing import Any

from django.utils import timezone

from accounts.models import User
from conversations.frames import TurnStart
from conversations.turns.beginning import begin
from cozechat.catalog.environment import default_assistant
from cozechat.usage import crediting
from cozechat.usage.models import Account, Hold, Price, UsageRecord
from cozechat.usage.reconciling import audit

CREDIT = 10**9


def give(name: str, *, credit: int = 100 * CREDIT, limit: int | None = None, period: str = "month") -> None:
    """Credits, and perhaps a budget."""
    user = User.objects.get(username=name)
    if credit:
        crediting.top_up(user.pk, amount=credit, ref=uuid.uuid4().hex, now=timezone.now())
    Account.objects.of(user.pk)
    Account.objects.filter(owner=user).update(limit=limit, period=period)


def set_price(**more: Any) -> Price:
    """A credit for each question, unless said otherwise."""
    price = {"input_price": 0, "output_price": 0, "per_call": CREDIT} | more
    assistant = default_assistant()
    assert assistant is not None
    return Price.objects.create(scope="assistant", assistant=assistant, **price)


def ask(user: Any, content: str = "count to 3", *, conversation: Any = None) -> Any:
    """A question that has become rows, and that nobody runs."""
    frame = TurnStart(client_id=uuid.uuid4(), conversation=conversation, content=content, queue=True)
    return begin(user, frame=frame)


def records(name: str = "alice") -> list[UsageRecord]:
    return list(UsageRecord.objects.filter(owner__username=name).order_by("created_at"))


def all_records() -> int:
    return UsageRecord.objects.count()


def states() -> list[str]:
    """Of all holds, in their order."""
    return list(Hold.objects.order_by("pk").values_list("state", flat=True))


def balance(name: str = "alice") -> tuple[int, int, int]:
    account = Account.objects.get(owner__username=name)
    return account.available, account.held, account.debt


def discord() -> list[str]:
    """Where the books do not agree."""
    return audit()


def texts_in(record: UsageRecord) -> str:
    """All that the row says."""
    return " ".join(str(getattr(record, field.attname)) for field in record._meta.fields)
