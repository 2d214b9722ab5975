"""Budgets, and calls that were refused, deserted, lost or late."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cozechat.usage import reserving, settling
from cozechat.usage.budgets import Budget, Period, Scope
from cozechat.usage.models import BudgetWindow, Hold, UsageRecord
from cozechat.usage.pricing import Tokens
from cozechat.usage.reconciling import reconcile
from cozechat.usage.reserving import BudgetExhausted, CozeIds, DuplicateRequest
from cozechat.usage.settling import Outcome
from tests.usage.books import NOW, call, fund, ledger, price, record, reserve, state

LATER = NOW + timedelta(seconds=61)
NEXT_DAY = NOW + timedelta(hours=25)
KEY = Budget(scope=Scope.KEY, scope_id="7", limit=25, period=Period.DAY)


def ended(read: int, written: int, **more) -> Outcome:
    return Outcome(tokens=Tokens(read, written, read + written), **more)


def settle(request_id: str, outcome: Outcome, *, now=NOW) -> UsageRecord | None:
    return settling.settle(request_id, outcome=outcome, now=now)


def test_a_budget_bounds_what_is_spent_and_set_aside_together(alice):
    price()
    fund(alice, 100)
    reserve(alice, "one", budgets=[KEY])
    reserve(alice, "two", budgets=[KEY])
    with pytest.raises(BudgetExhausted) as refusal:
        reserve(alice, budgets=[KEY])
    assert refusal.value.args == (KEY,)
    assert state(alice) == (80, 20, 0)
    settle("one", ended(1, 1))
    assert reserve(alice, budgets=[KEY]).amount == 10
    window = BudgetWindow.objects.get()
    assert (window.spent, window.held) == (3, 20)


def test_all_budgets_of_a_call_are_taken_or_none_is(alice):
    price()
    fund(alice, 100)
    narrow = Budget(scope=Scope.END_USER, scope_id="7/x", limit=9)
    with pytest.raises(BudgetExhausted):
        reserve(alice, budgets=[KEY, narrow])
    assert set(BudgetWindow.objects.values_list("held", flat=True)) == {0}
    assert state(alice) == (100, 0, 0)


def test_a_new_day_is_a_new_window_and_an_old_call_is_counted_where_it_began(alice):
    price()
    fund(alice, 100)
    reserve(alice, "r", budgets=[KEY])
    reserve(alice, budgets=[KEY], now=NEXT_DAY)
    settle("r", ended(3, 3), now=NEXT_DAY)
    windows = BudgetWindow.objects.order_by("period_start").values_list("spent", "held")
    assert list(windows) == [(9, 0), (0, 10)]


def test_a_limit_that_is_lowered_holds_at_once(alice):
    price()
    fund(alice, 100)
    reserve(alice, budgets=[KEY])
    with pytest.raises(BudgetExhausted):
        reserve(alice, budgets=[replace(KEY, limit=15)])
    reserve(alice, budgets=[replace(KEY, limit=20)])
    assert BudgetWindow.objects.get().limit == 20


def test_the_owners_own_budget_bounds_all_keys_together(alice):
    price()
    account = fund(alice, 100)
    account.limit, account.period = 15, Period.DAY
    account.save(update_fields=["limit", "period"])
    reserve(alice, budgets=[KEY])
    with pytest.raises(BudgetExhausted) as refusal:
        reserve(alice)
    assert refusal.value.args[0].scope == Scope.USER


def test_bobs_budget_of_the_same_name_is_not_alices(alice, bob):
    price()
    for user in (alice, bob):
        account = fund(user, 100)
        account.limit = 10
        account.save(update_fields=["limit"])
        assert reserve(user).amount == 10


def test_a_deserted_call_that_coze_never_took_costs_nothing(alice):
    price()
    fund(alice, 100)
    reserve(alice, "r")
    assert reconcile(now=NOW + timedelta(seconds=59)).lost == 0
    assert reconcile(now=LATER).lost == 1
    assert state(alice) == (100, 0, 0)
    assert (record("r").status, record("r").cost, record("r").usage_source) == ("lost", 0, "none")


def test_a_deserted_call_that_coze_took_waits_for_the_truth_and_then_costs_the_estimated_input(alice):
    price()
    fund(alice, 100)
    reserve(alice, "r", budgets=[KEY])
    reserving.accepted("r", ids=CozeIds(execute_id="e"))
    found = reconcile(now=LATER)
    assert (found.lost, found.waiting) == (0, 1)
    assert reconcile(now=NEXT_DAY).lost == 1
    assert state(alice) == (96, 0, 0)
    assert (record("r").usage_source, record("r").execute_id) == ("estimated", "e")
    assert not Hold.objects.open().exists()


def test_a_renewed_lease_is_left_alone(alice):
    price()
    fund(alice, 100)
    reserve(alice, "r")
    assert reserving.renew(["r", "unknown"], now=LATER) == 1
    assert reconcile(now=LATER + timedelta(seconds=30)).lost == 0


@pytest.mark.parametrize(
    ("took", "tokens", "left"),
    [(True, (3, 5), 87), (True, (0, 1), 98), (True, (4, 0), 96), (False, (3, 5), 87)],
)
def test_a_lost_call_is_corrected_when_the_truth_comes_to_light(alice, took, tokens, left):
    price()
    fund(alice, 100)
    reserve(alice, "r", budgets=[KEY])
    if took:
        reserving.accepted("r", ids=CozeIds(coze_chat_id="c"))
    reconcile(now=NEXT_DAY)
    assert settle("r", ended(*tokens), now=NEXT_DAY) is not None
    assert settle("r", ended(*tokens), now=NEXT_DAY) is None
    assert state(alice) == (left, 0, 0)
    row = record("r")
    assert (row.cost, row.status, row.usage_source, row.settled_late) == (
        100 - left,
        "completed",
        "upstream",
        True,
    )
    assert row.cost == row.recomputed_cost()
    assert BudgetWindow.objects.values_list("spent", "held").get() == (100 - left, 0)
    assert sum(amount for kind, amount in ledger(alice) if kind != "top_up") == left - 100


def test_a_refused_call_is_written_down_and_costs_nothing(alice):
    fund(alice, 5)
    refused = call(alice, "r", model="no\0such" + "x" * 500)
    reserving.refuse(refused, error_code="insufficient_quota", now=NOW)
    row = record("r")
    assert (row.cost, row.status, row.error_code, row.owner) == (0, "refused", "insufficient_quota", alice)
    assert row.model.startswith("nosuchx")


def test_a_request_that_was_refused_is_not_admitted_later_and_a_running_one_is_not_refused(alice):
    price()
    fund(alice, 100)
    reserving.refuse(call(alice, "refused"), error_code="x", now=NOW)
    with pytest.raises(DuplicateRequest):
        reserve(alice, "refused")
    reserve(alice, "running")
    for name in ("running", "refused"):
        with pytest.raises(DuplicateRequest):
            reserving.refuse(call(alice, name), error_code="x", now=NOW)
    assert settle("running", ended(1, 1)).cost == 3
    assert state(alice) == (97, 0, 0)
