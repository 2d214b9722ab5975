"""What a call costs: set aside before Coze is asked, settled exactly once, written down."""

import enum
import logging
from datetime import datetime
from typing import Protocol

from django.utils import timezone

from cozechat import database
from cozechat.gateway.admitted import Admitted
from cozechat.gateway.answers import Answer, Counts
from cozechat.gateway.errors import Refusal, insufficient_quota
from cozechat.gateway.inquiry import Inquiry
from cozechat.gateway.rates import Pace
from cozechat.usage import reserving, settling
from cozechat.usage.budgets import Scope
from cozechat.usage.estimating import fewest_tokens_in, tokens_of
from cozechat.usage.models import UsageRecord
from cozechat.usage.models.prices import PriceNotConfigured
from cozechat.usage.money import exact
from cozechat.usage.pricing import Tokens
from cozechat.usage.reserving import BudgetExhausted, CozeIds, InsufficientBalance
from cozechat.usage.settling import Outcome

logger = logging.getLogger(__name__)
# Calls that are turned away for these reasons are written down; a mistyped body is nobody's usage.
_NOTED = (403, 429)
_BUDGETS = {Scope.KEY: "this key", Scope.END_USER: "this end user", Scope.USER: "this account"}


class Ending(enum.Enum):
    """How a call that Coze took has ended."""

    COMPLETED = UsageRecord.Status.COMPLETED
    FAILED = UsageRecord.Status.FAILED
    CANCELED = UsageRecord.Status.CANCELED


class Billed(Protocol):
    """What the books have to know of a call."""

    admitted: Admitted
    answer: Answer
    pace: Pace
    input_estimate: int
    inquiry: Inquiry

    @property
    def request_id(self) -> str:
        """What it is called everywhere."""
        ...

    @property
    def output_estimate(self) -> int:
        """For how many tokens money is set aside."""
        ...


def now() -> datetime:
    """The time for the books."""
    return timezone.now()


def described(call: Billed) -> reserving.Call:
    """The call in the ledger's words."""
    admitted = call.admitted
    route, end_user = admitted.route, admitted.user.session_name
    return reserving.Call(
        request_id=call.request_id,
        owner_id=admitted.key.owner_id,
        model=admitted.asked.model,
        route=route.name[:100],
        assistant_id=route.assistant.pk if route.assistant else None,
        app_id=route.app.pk,
        api_key_id=admitted.key.pk,
        api_key_name=admitted.key.name,
        kind=route.manner.value,
        end_user=end_user,
        stream=admitted.asked.stream,
        metadata=admitted.asked.metadata,
        input_estimate=call.input_estimate,
        output_estimate=call.output_estimate,
        budgets=admitted.key.budgets(end_user=end_user),
    )


async def reserve(call: Billed) -> None:
    """Set the money aside. Raises Refusal."""
    try:
        await database.run(reserving.reserve, described(call), now=now())
    except PriceNotConfigured:
        raise Refusal(
            400,
            "price_not_configured",
            f"No price is configured for the model '{call.admitted.asked.model}': its operator has to set one "
            "(model ratio not configured).",
            param="model",
        ) from None
    except InsufficientBalance:
        message = "Your balance does not cover this call. Top it up, or ask for less with max_tokens."
        raise insufficient_quota(message) from None
    except BudgetExhausted as error:
        whose = _BUDGETS[error.args[0].scope]
        raise insufficient_quota(f"The budget of {whose} is used up.") from None


async def refuse(call: Billed, *, refusal: Refusal) -> None:
    """A call that was turned away costs nothing and is written down."""
    if refusal.status not in _NOTED:
        return
    try:
        await database.run(reserving.refuse, described(call), error_code=refusal.code, now=now())
    except reserving.DuplicateRequest:
        # Money had been set aside for it; with its release all was written down.
        return


async def accepted(call: Billed, *, ids: CozeIds) -> None:
    """Under these ids anybody can ask Coze how the call has ended, should this process die."""
    await database.run(reserving.accepted, call.request_id, ids=ids)


async def settle(call: Billed, *, ending: Ending, code: str = "") -> None:
    """Charge what it has cost, by Coze's count if there is one."""
    asking = call.inquiry.asking
    tokens = tokens_of(asking.usage if asking else None)
    said = 0 if ending is Ending.FAILED else call.inquiry.weight
    estimate = Tokens(fewest_tokens_in(call.inquiry.question.weight), fewest_tokens_in(said))
    outcome = Outcome(
        status=UsageRecord.Status(ending.value),
        tokens=tokens,
        estimate=estimate,
        error_code=code,
        latency_ms=call.inquiry.watch.latency_ms,
        first_token_ms=call.inquiry.watch.first_token_ms,
        ids=asking.ids if asking else CozeIds(),
    )
    shown = tokens or estimate
    call.answer.counts = Counts(shown.input, shown.output, is_estimated=tokens is None)
    record = await database.run(settling.settle, call.request_id, outcome=outcome, now=now())
    if record is None:
        logger.info("call %s had been settled before", call.request_id)
    else:
        _log(record)
    await call.pace.correct(tokens=shown.input + shown.output)


def _log(record: UsageRecord) -> None:
    """One line with everything that the cost follows from; nothing of what was said."""
    logger.info(
        "call %s: model=%s status=%s input=%d output=%d total=%d cost=%s price=%s group_ratio=%s source=%s",
        record.request_id,
        record.model,
        record.status,
        record.input_tokens,
        record.output_tokens,
        record.input_tokens + record.output_tokens,
        exact(record.cost),
        record.price,
        record.group_ratio,
        record.usage_source,
    )


async def release(call: Billed, *, code: str) -> None:
    """Coze never took the call: it costs nothing."""
    status = UsageRecord.Status.CANCELED if code == "client_left" else UsageRecord.Status.FAILED
    outcome = Outcome(status=status, error_code=code, latency_ms=call.inquiry.watch.latency_ms)
    await database.run(settling.release, call.request_id, outcome=outcome, now=now())
    await call.pace.correct(tokens=0)
