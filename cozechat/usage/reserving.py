"""Before Coze is asked: the money for a call is set aside, or the call is refused.

Each act is one short transaction; none is ever open while Coze is asked. Only the acts that say so in their name may
stand inside another: a turn of the chat page begins, and ends, together with its hold.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from cozechat.usage.budgets import Budget
from cozechat.usage.models import Account, BudgetWindow, Hold, Origin, Price, UsageRecord
from cozechat.usage.money import LARGEST_CHARGE, Nano
from cozechat.usage.pricing import Tokens, cost

# How long a process may be silent before its holds count as deserted.
LEASE = timedelta(seconds=60)
# Coze keeps the result of an asynchronous run for a day; nobody can learn the truth later.
LIFE = timedelta(hours=24)


class InsufficientBalance(Exception):
    """The owner's balance does not cover the call, or there is debt."""


class BudgetExhausted(Exception):
    """The balance would do, but a budget does not; the argument is that budget."""


class DuplicateRequest(Exception):
    """Something was already set aside or written under this request id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call before Coze is asked: who pays, for what, and how large it may become.

    `end_user` is a digest, never a name. `api_key_id` and `route` belong to apps above this one.
    """

    request_id: str
    owner_id: int
    model: str
    origin: Origin = Origin.GATEWAY
    route: str = ""
    assistant_id: int | None = None
    app_id: int | None = None
    api_key_id: int | None = None
    api_key_name: str = ""
    kind: str = ""
    end_user: str = ""
    stream: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    input_estimate: int = 0
    output_estimate: int = 0
    budgets: Collection[Budget] = field(default=())

    def facts(self) -> dict[str, object]:
        """The columns that a hold and a usage record share."""
        names = (
            "request_id",
            "origin",
            "route",
            "kind",
            "assistant_id",
            "app_id",
            "api_key_id",
            "end_user",
            "stream",
        )
        # These texts come from the caller; PostgreSQL takes no NUL.
        metadata = {_sound(name): _sound(value) for name, value in self.metadata.items()}
        texts = {"model": _sound(self.model)[:200], "api_key_name": self.api_key_name[:100]}
        return {**texts, "metadata": metadata, **{name: getattr(self, name) for name in names}}


def _sound(text: str) -> str:
    return text.replace("\0", "")


@dataclass(frozen=True, slots=True)
class CozeIds:
    """Under which ids a call runs at Coze, as far as they are known."""

    coze_chat_id: str = ""
    coze_conversation_id: str = ""
    execute_id: str = ""
    log_id: str = ""

    def known(self) -> dict[str, str]:
        """Those that are not empty."""
        return {name: value[:64] for name, value in asdict(self).items() if value}


def reserve(call: Call, *, now: datetime, lease: timedelta = LEASE, life: timedelta = LIFE) -> Hold:
    """Set the call's largest expected cost aside.

    Raises PriceNotConfigured, InsufficientBalance, BudgetExhausted or DuplicateRequest; then nothing has changed.
    """
    hold, windows = _drafted(call, now=now, lease=lease, life=life)
    _take(hold, windows=windows)
    return hold


def reserve_within(call: Call, *, now: datetime, lease: timedelta = LEASE, life: timedelta = LIFE) -> Hold:
    """The same inside a transaction of the caller's, which has to be undone when this raises."""
    hold, windows = _drafted(call, now=now, lease=lease, life=life)
    with transaction.atomic():
        _set_aside(hold, windows=windows)
    return hold


def undo_within(request_id: str) -> None:
    """As if nothing had been set aside: for a call that was not begun after all, and may begin again later."""
    hold = Hold.objects.open().select_for_update().filter(request_id=request_id).first()
    if hold is not None:
        windows = list(hold.windows.values_list("pk", flat=True))
        hold.delete()
        Account.objects.move(hold.account_id, amount=hold.amount, held=hold.amount)
        BudgetWindow.objects.spend(windows, amount=0, held=hold.amount)


def _drafted(
    call: Call, *, now: datetime, lease: timedelta, life: timedelta
) -> tuple[Hold, list[tuple[BudgetWindow, Budget]]]:
    """The hold as it would be, and the windows that it has to fit into."""
    account = Account.objects.of(call.owner_id)
    price = Price.objects.for_call(
        route=call.route, model=call.model, assistant_id=call.assistant_id, app_id=call.app_id, now=now
    ).snapshot()
    estimate = Tokens(call.input_estimate, call.output_estimate)
    hold = Hold(
        **call.facts(),
        account=account,
        amount=cost(price, ratio=account.ratio, tokens=estimate),
        price=price.as_json(),
        group_ratio=account.ratio,
        input_estimate=call.input_estimate,
        created_at=now,
        lease_until=now + lease,
        expires_at=now + life,
    )
    if not estimate.can_be_charged or hold.amount > LARGEST_CHARGE:
        raise InsufficientBalance
    _refuse_known(UsageRecord.objects.filter(request_id=call.request_id))
    return hold, _windows(call, account=account, now=now)


def _refuse_known(rows: QuerySet[Any]) -> None:
    """Each request has one hold and one record; two would make it impossible to settle."""
    if rows.exists():
        raise DuplicateRequest


def _windows(call: Call, *, account: Account, now: datetime) -> list[tuple[BudgetWindow, Budget]]:
    """In the order in which everybody updates them, or two calls could wait for each other for ever."""
    budgets = {*call.budgets, *([account.budget] if account.budget else ())}
    found = [(BudgetWindow.objects.at(budget, now=now), budget) for budget in budgets]
    return sorted(found, key=lambda pair: pair[0].pk)


def _take(hold: Hold, *, windows: list[tuple[BudgetWindow, Budget]]) -> None:
    """All of it or nothing."""
    try:
        with transaction.atomic(durable=True):
            _set_aside(hold, windows=windows)
    except IntegrityError as error:
        if Hold.objects.filter(request_id=hold.request_id).exists():
            raise DuplicateRequest from error
        raise


def _set_aside(hold: Hold, *, windows: list[tuple[BudgetWindow, Budget]]) -> None:
    """Account first, then windows, then the hold."""
    if not Account.objects.hold(hold.account_id, amount=hold.amount):
        raise InsufficientBalance
    for window, budget in windows:
        _take_from(window, budget=budget, amount=hold.amount)
    hold.save(force_insert=True)
    hold.windows.add(*(window for window, _budget in windows))


def _take_from(window: BudgetWindow, *, budget: Budget, amount: Nano) -> None:
    if not BudgetWindow.objects.hold(window.pk, amount=amount, limit=budget.limit):
        raise BudgetExhausted(budget)


def accepted(request_id: str, *, ids: CozeIds) -> bool:
    """Coze has taken the call: remember under which ids, so that it can be asked later. False if it is over."""
    known = ids.known()
    return bool(known) and Hold.objects.open().filter(request_id=request_id).update(**known) == 1


def renew(request_ids: Collection[str], *, now: datetime, lease: timedelta = LEASE) -> int:
    """This process still works on these calls; one statement for all of them. Returns how many are open."""
    return Hold.objects.open().filter(request_id__in=request_ids).update(lease_until=now + lease)


def refuse(call: Call, *, error_code: str, now: datetime) -> UsageRecord:
    """A call that was turned away costs nothing and is written down all the same. Raises DuplicateRequest."""
    _refuse_known(Hold.objects.filter(request_id=call.request_id))
    _refuse_known(UsageRecord.objects.filter(request_id=call.request_id))
    return UsageRecord.objects.create(
        **call.facts(),
        owner_id=call.owner_id,
        created_at=now,
        usage_source=UsageRecord.Source.NONE,
        status=UsageRecord.Status.REFUSED,
        error_code=error_code[:64],
    )
