"""When a call has ended: what is set aside becomes a charge or goes back, exactly once.

Who moves the hold out of `open` with one conditional update is the winner; only he moves money.
"""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from cozechat.usage.models import Account, BudgetWindow, Hold, LedgerEntry, UsageRecord
from cozechat.usage.money import LARGEST_CHARGE, Nano
from cozechat.usage.pricing import Snapshot, Tokens, cost
from cozechat.usage.reserving import Call, CozeIds

Source = UsageRecord.Source
Status = UsageRecord.Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended.

    `tokens` is what Coze counted: None if it said nothing, which is not the same as zero. `estimate` is charged
    in its place; without one it is the input that was estimated at the beginning, and no output.
    """

    status: Status = Status.COMPLETED
    tokens: Tokens | None = None
    estimate: Tokens | None = None
    error_code: str = ""
    latency_ms: int | None = None
    first_token_ms: int | None = None
    ids: CozeIds = field(default=CozeIds())

    def told(self) -> dict[str, Any]:
        """The columns of a usage record that only say what happened."""
        return {
            "status": self.status,
            "error_code": self.error_code[:64],
            "latency_ms": self.latency_ms,
            "first_token_ms": self.first_token_ms,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What an outcome costs, and on what grounds."""

    cost: Nano = 0
    tokens: Tokens = field(default=Tokens(0, 0))
    source: Source = Source.NONE
    odd_counts: dict[str, Any] | None = None

    def columns(self) -> dict[str, Any]:
        """For the usage record."""
        return {
            "cost": self.cost,
            "input_tokens": self.tokens.input,
            "output_tokens": self.tokens.output,
            "usage_source": self.source,
            "odd_counts": self.odd_counts,
        }


NOTHING = Charge()


def charge_for(hold: Hold, *, outcome: Outcome) -> Charge:
    """Coze's counts if they can be true, else nobody's if the price asks for none, else an estimate."""
    snapshot, ratio = Snapshot.from_json(hold.price), hold.group_ratio
    reported = outcome.tokens
    odd = None if reported is None or reported.fit_together else asdict(reported)
    candidates: list[tuple[Source, Tokens | None]] = [(Source.UPSTREAM, reported)]
    if not snapshot.counts_tokens:
        candidates.append((Source.PER_CALL, Tokens(0, 0)))
    candidates.append((Source.ESTIMATED, outcome.estimate))
    for source, tokens in candidates:
        if tokens is None or not tokens.can_be_charged:
            continue
        amount = cost(snapshot, ratio=ratio, tokens=tokens)
        if amount <= LARGEST_CHARGE:
            return Charge(cost=amount, tokens=tokens, source=source, odd_counts=odd)
        odd = asdict(tokens) if source == Source.UPSTREAM else odd
    least = Tokens(hold.input_estimate, 0)
    amount = cost(snapshot, ratio=ratio, tokens=least)
    return Charge(cost=amount, tokens=least, source=Source.ESTIMATED, odd_counts=odd)


def settle(request_id: str, *, outcome: Outcome, now: datetime) -> UsageRecord | None:
    """Charge what the call really cost; what was set aside beyond that goes back, what it lacks becomes debt.

    A hold that counted as lost is corrected by the difference. None if somebody has settled or released it
    already: then nothing has changed.
    """
    hold = Hold.objects.get(request_id=request_id)
    with transaction.atomic(durable=True):
        return settle_within(hold, outcome=outcome, now=now)


def settle_within(hold: Hold, *, outcome: Outcome, now: datetime) -> UsageRecord | None:
    """The same inside a transaction of the caller's."""
    charge = charge_for(hold, outcome=outcome)
    record = _close(hold, to=Hold.State.SETTLED, charge=charge, outcome=outcome, now=now)
    return record or _correct(hold, charge=charge, outcome=outcome, now=now)


def release(request_id: str, *, outcome: Outcome, now: datetime) -> UsageRecord | None:
    """Coze never took the call: all of the money goes back. None if the hold was no longer open."""
    hold = Hold.objects.get(request_id=request_id)
    with transaction.atomic(durable=True):
        return release_within(hold, outcome=outcome, now=now)


def release_within(hold: Hold, *, outcome: Outcome, now: datetime) -> UsageRecord | None:
    """The same inside a transaction of the caller's."""
    return _close(hold, to=Hold.State.RELEASED, charge=NOTHING, outcome=outcome, now=now)


def lose(hold: Hold, *, charge: Charge, outcome: Outcome, now: datetime, only: Q) -> UsageRecord | None:
    """End a deserted hold, if it still is open and `only` still holds."""
    with transaction.atomic(durable=True):
        return _close(hold, to=Hold.State.LOST, charge=charge, outcome=outcome, now=now, only=only)


def note(call: Call, *, outcome: Outcome, began_at: datetime, is_ownerless: bool = False) -> None:
    """Write down a call that nobody pays for, perhaps of an owner who is gone by now.

    One statement, and only the first for a request id changes anything.
    """
    reported, estimate = outcome.tokens, outcome.estimate or Tokens(call.input_estimate, 0)
    counted = reported is not None and reported.can_be_charged
    charge = Charge(
        tokens=reported if reported and counted else estimate,
        source=Source.UPSTREAM if counted else Source.ESTIMATED,
        odd_counts=None if reported is None or reported.fit_together else asdict(reported),
    )
    columns = {**call.facts(), **charge.columns(), **outcome.told(), **outcome.ids.known()}
    owner_id = None if is_ownerless else call.owner_id
    record = UsageRecord(owner_id=owner_id, created_at=began_at, **columns)
    UsageRecord.objects.bulk_create([record], ignore_conflicts=True)


def _close(
    hold: Hold, *, to: Hold.State, charge: Charge, outcome: Outcome, now: datetime, only: Q | None = None
) -> UsageRecord | None:
    """Take the hold out of `open`, if it still is and `only` still holds; the winner moves the money."""
    mine = Hold.objects.open().filter(only or Q(), pk=hold.pk)
    if not mine.update(state=to, charged=charge.cost, **outcome.ids.known()):
        return None
    _move(hold, amount=hold.amount - charge.cost, spent=charge.cost, held=hold.amount)
    LedgerEntry.objects.post(
        hold.account_id, amount=-charge.cost, kind=LedgerEntry.Kind.USAGE, ref=hold.request_id, at=now
    )
    # Read after the account's row was locked: its owner may be on the way out.
    last = Hold.objects.select_related("account").get(pk=hold.pk)
    return UsageRecord.objects.create(
        **last.facts(),
        **charge.columns(),
        **outcome.told(),
        request_id=last.request_id,
        owner_id=last.account.owner_id,
        created_at=last.created_at,
        settled_late=now > last.lease_until,
    )


def _move(hold: Hold, *, amount: Nano, spent: Nano, held: Nano) -> None:
    """Account first, then windows: the order of everybody."""
    Account.objects.move(hold.account_id, amount=amount, held=held)
    windows = hold.windows.values_list("pk", flat=True)
    BudgetWindow.objects.spend(windows, amount=spent, held=held)


def _correct(hold: Hold, *, charge: Charge, outcome: Outcome, now: datetime) -> UsageRecord | None:
    """The truth about a lost call: the difference is a correction, and the record tells the truth."""
    lost = Hold.objects.filter(pk=hold.pk, state=Hold.State.LOST)
    if not lost.update(state=Hold.State.SETTLED, **outcome.ids.known()):
        return None
    # What was charged when it was lost is final by now, whatever `hold` was when it was read.
    last = Hold.objects.get(pk=hold.pk)
    more = charge.cost - last.charged
    _move(last, amount=-more, spent=more, held=0)
    Hold.objects.filter(pk=hold.pk).update(charged=charge.cost)
    LedgerEntry.objects.post(
        last.account_id, amount=-more, kind=LedgerEntry.Kind.CORRECTION, ref=last.request_id, at=now
    )
    record = UsageRecord.objects.get(request_id=last.request_id)
    changes = {**charge.columns(), **outcome.told(), **outcome.ids.known(), "settled_late": True}
    for name, value in changes.items():
        setattr(record, name, value)
    record.save(update_fields=changes)
    return record
