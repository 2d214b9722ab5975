"""What a turn costs: its hold, in the transaction that begins it, and its record, in the one that ends it.

Who ends a turn is decided by its lease; so there is one record and one settlement, whichever process that is. A turn's
hold needs no lease of its own: it is open exactly as long as the turn has no end.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from conversations.models import Message, Turn, TurnDay
from cozechat.catalog.models import Assistant
from cozechat.usage import reserving, settling
from cozechat.usage.budgets import Budget
from cozechat.usage.estimating import fewest_tokens_in, tokens_in, weight
from cozechat.usage.models import Hold, Origin, Price, UsageRecord
from cozechat.usage.models.prices import PriceNotConfigured
from cozechat.usage.pricing import Tokens
from cozechat.usage.reserving import LIFE, BudgetExhausted, CozeIds, InsufficientBalance
from cozechat.usage.settling import Outcome

# For how much of an answer money is set aside: nobody says beforehand how long it will be.
USUAL_OUTPUT = 1024

_STATUS = {
    Turn.Status.COMPLETED: UsageRecord.Status.COMPLETED,
    Turn.Status.REQUIRES_ACTION: UsageRecord.Status.COMPLETED,
    Turn.Status.CANCELED: UsageRecord.Status.CANCELED,
    Turn.Status.FAILED: UsageRecord.Status.FAILED,
    Turn.Status.INTERRUPTED: UsageRecord.Status.LOST,
}
# Where Coze did not count, these pay for what was asked alone, as calls of the gateway do.
_UNFINISHED = (Turn.Status.FAILED, Turn.Status.INTERRUPTED)


class NotCovered(Exception):
    """Balance (`budget` None) or budget do not cover a question."""

    def __init__(self, budget: Budget | None = None) -> None:
        super().__init__()
        self.budget = budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a turn came to. `taken`: Coze had begun with it. `turn` and `assistant` as they were at its beginning."""

    turn: Turn
    assistant: Assistant
    taken: bool
    status: Turn.Status
    question: str
    answer: str
    tokens: Tokens | None
    ids: CozeIds
    error_code: str = ""
    began_at: datetime
    latency_ms: int | None = None
    first_token_ms: int | None = None

    def outcome(self) -> Outcome:
        """In the ledger's words."""
        said = "" if self.status in _UNFINISHED else self.answer
        is_counted = self.tokens is not None and self.tokens.can_be_charged
        return Outcome(
            status=_STATUS[self.status],
            tokens=self.tokens,
            estimate=None if is_counted else _fewest_tokens(self.question, said),
            error_code="lost" if self.status == Turn.Status.INTERRUPTED else self.error_code,
            latency_ms=self.latency_ms,
            first_token_ms=self.first_token_ms,
            ids=self.ids,
        )


def _fewest_tokens(question: str, answer: str) -> Tokens:
    return Tokens(fewest_tokens_in(weight(question)), fewest_tokens_in(weight(answer)))


def request_id(turn_id: uuid.UUID) -> str:
    """What the turn is called in the ledger: the same for whoever ends it."""
    return f"turn_{turn_id.hex}"


def has_price(assistant: Assistant, *, now: datetime) -> bool:
    """Whether questions to this assistant have a price to pay."""
    name, app_id = _name(assistant), assistant.app_id
    try:
        Price.objects.for_call(route="", model=name, assistant_id=assistant.pk, app_id=app_id, now=now)
    except PriceNotConfigured:
        return False
    return True


def reserve(turn: Turn, *, assistant: Assistant, question: str, now: datetime) -> bool:
    """Set aside what the answer may cost, in the transaction that begins the turn. False: nothing is charged.

    Raises NotCovered; then nothing was set aside.
    """
    if not settings.CHARGE_CHAT:
        return False
    call = _call_to(
        assistant,
        request_id=request_id(turn.pk),
        owner_id=turn.owner_id,
        input_estimate=tokens_in(weight(question)),
        output_estimate=USUAL_OUTPUT,
    )
    try:
        # The turn's own lease says whether anybody works on it; a day later, should it have vanished from the
        # database by hand, the hold is ended like any other.
        reserving.reserve_within(call, now=now, lease=LIFE)
    except PriceNotConfigured:
        return False
    except BudgetExhausted as error:
        raise NotCovered(error.args[0]) from None
    except InsufficientBalance:
        raise NotCovered from None
    return True


def is_holding(owner_id: int) -> bool:
    """Whether money is set aside for calls of this owner's."""
    return settings.CHARGE_CHAT and Hold.objects.open().filter(account__owner_id=owner_id).exists()


def _call_to(assistant: Assistant, **more: Any) -> reserving.Call:
    return reserving.Call(
        origin=Origin.CHAT,
        model=_name(assistant),
        kind=assistant.kind,
        assistant_id=assistant.pk,
        app_id=assistant.app_id,
        stream=True,
        **more,
    )


def _name(assistant: Assistant) -> str:
    """What a price calls it: the name under which it is a model of the gateway, else its own."""
    return assistant.gateway_name or assistant.name


def has_hold(turn_id: uuid.UUID) -> bool:
    """Whether money is set aside for this turn."""
    return Hold.objects.filter(request_id=request_id(turn_id)).exists()


def undo(turn: Turn) -> None:
    """The turn waits again: its hold never was."""
    reserving.undo_within(request_id(turn.pk))


def accepted(turn: Turn, *, ids: CozeIds) -> None:
    """Coze has begun: remember under which ids."""
    reserving.accepted(request_id(turn.pk), ids=ids)


def meter(spent: Spent, *, is_held: bool | None = None) -> None:
    """Write down what an ended turn came to, in the transaction of its end; `is_held` None: look.

    One record for each turn that Coze took, whoever comes second; one that had a hold has a record anyway.
    """
    assert transaction.get_connection().in_atomic_block  # noqa: S101 - the end and its record are one
    if not spent.taken and spent.status != Turn.Status.COMPLETED:
        # Coze never heard of it: it does not count as one of its day's questions.
        TurnDay.objects.give_back(spent.turn)
    now, name = timezone.now(), request_id(spent.turn.pk)
    hold = None if is_held is False else Hold.objects.filter(request_id=name).first()
    if hold is None:
        if spent.taken:
            call = _call_to(spent.assistant, request_id=name, owner_id=spent.turn.owner_id)
            settling.note(call, outcome=spent.outcome(), began_at=spent.began_at)
    elif spent.taken:
        settling.settle_within(hold, outcome=spent.outcome(), now=now)
    else:
        settling.release_within(hold, outcome=spent.outcome(), now=now)


def meter_stored(turn_id: uuid.UUID, *, status: Turn.Status, tokens: Tokens | None = None) -> None:
    """The same for a turn of which only the rows are known: how long it took, nobody knows who was not there."""
    turn = Turn.objects.select_related("conversation__assistant", "branch").get(pk=turn_id)
    texts = dict(Message.objects.filter(turn_id=turn_id).values_list("role", "content"))
    conversation = turn.conversation
    ids = CozeIds(turn.coze_chat_id, turn.line.coze_conversation_id, turn.execute_id)
    spent = Spent(
        turn=turn,
        assistant=conversation.assistant,
        taken=bool(turn.coze_chat_id or turn.run_began_at or turn.seq),
        status=status,
        question=texts.get(Message.Role.USER, ""),
        answer=texts.get(Message.Role.ASSISTANT, ""),
        tokens=tokens,
        ids=ids,
        began_at=turn.created_at,
    )
    meter(spent)


def meter_running(**whose: Any) -> None:
    """The turns that run and are about to be deleted, with their conversation or their owner."""
    rows = Turn.objects.running().filter(**whose).select_for_update().order_by("pk")
    for turn_id in list(rows.values_list("pk", flat=True)):
        meter_stored(turn_id, status=Turn.Status.CANCELED)


def note_lost_race(spent: Spent, *, is_held: bool) -> None:
    """Write down a turn that somebody else has ended or deleted, if he has not. Idempotent.

    (A hold was closed together with the turn, and left a record.)
    """
    if is_held or not spent.taken:
        return
    owner_id = spent.turn.owner_id
    call = _call_to(spent.assistant, request_id=request_id(spent.turn.pk), owner_id=owner_id)
    gone = not User.objects.filter(pk=owner_id).exists()
    settling.note(call, outcome=spent.outcome(), began_at=spent.began_at, is_ownerless=gone)
