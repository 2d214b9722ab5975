"""The machine finds nothing in the real acts, and it finds every fault that is planted in them."""

import inspect
import textwrap
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from cozechat.usage import reconciling, settling
from cozechat.usage.models.accounts import AccountQuerySet
from cozechat.usage.models.codes import CodeQuerySet
from cozechat.usage.models.holds import HoldQuerySet, WindowQuerySet
from tests.usage.machine import Money

THOROUGH = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
# Finding is enough: nobody reads a planted fault's shortest example.
QUICK = settings(
    max_examples=200,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)

MUTANTS = {
    "a hold can be ended twice": (HoldQuerySet, "open", "self.filter(state=Hold.State.OPEN)", "self.all()"),
    "the balance is not asked": (AccountQuerySet, "hold", "available__gte=amount, ", ""),
    "what comes in does not pay debt": (AccountQuerySet, "move", ' - F("debt") + amount', " + amount"),
    "a hold is never given back": (AccountQuerySet, "move", 'held=F("held") - held', 'held=F("held")'),
    "a budget forgets running calls": (WindowQuerySet, "hold", 'F("spent") + F("held")', 'F("spent") + 0'),
    "a budget counts one too many": (WindowQuerySet, "hold", "used__lte=limit - amount", "used__lt=limit - amount"),
    "a budget keeps ended calls": (WindowQuerySet, "spend", 'held=F("held") - held, ', ""),
    "a budget forgets what was spent": (WindowQuerySet, "spend", ', spent=F("spent") + amount', ""),
    "a lost call is charged again": (settling, "_correct", "charge.cost - last.charged", "charge.cost"),
    "a released call is charged": (settling, "release_within", "NOTHING", "charge_for(hold, outcome=outcome)"),
    "nothing goes back": (settling, "_close", "amount=hold.amount - charge.cost", "amount=0"),
    "no ledger entry": (settling, "_close", "amount=-charge.cost", "amount=0"),
    "zero is missing": (settling, "charge_for", "tokens is None", "tokens in (None, Tokens(0, 0))"),
    "a call that Coze took is free": (reconciling, "_lose", "hold.coze_chat_id or", "False and"),
    "a code works twice": (CodeQuerySet, "claim", ", claimed_at=None", ""),
}  # fmt: skip


def plant(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, good: str, bad: str) -> None:
    """The act as it is written, but for one fault."""
    function = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    assert good in source
    scope: dict[str, Any] = {}
    exec(source.replace(good, bad, 1), function.__globals__, scope)
    monkeypatch.setattr(owner, name, scope[name])


def test_money_keeps_to_its_model_whatever_happens_in_whatever_order(db):
    run_state_machine_as_test(Money, settings=THOROUGH)


@pytest.mark.slow
@pytest.mark.parametrize("fault", MUTANTS)
def test_the_machine_finds(fault, db, cooked_books, monkeypatch):
    plant(monkeypatch, *MUTANTS[fault])
    with pytest.raises(BaseException) as found:
        run_state_machine_as_test(Money, settings=QUICK)
    assert not isinstance(found.value, KeyboardInterrupt | NameError | SyntaxError)
