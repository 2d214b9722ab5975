"""One call after the other: what is set aside, charged, given back and written down."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from cozechat.usage import reserving, settling
from cozechat.usage.budgets import Budget, Period, Scope
from cozechat.usage.models import Account, BudgetWindow, Hold, PriceGroup, PriceNotConfigured, UsageRecord
from cozechat.usage.pricing import MOST_TOKENS, Tokens
from cozechat.usage.reserving import CozeIds, DuplicateRequest, InsufficientBalance
from cozechat.usage.settling import Outcome, Status
from tests.usage.books import NOW, fund, ledger, price, record, reserve, state

LATER = NOW + timedelta(seconds=61)
NEXT_DAY = NOW + timedelta(hours=25)
KEY = Budget(scope=Scope.KEY, scope_id="7", limit=25, period=Period.DAY)


def ended(read: int, written: int, **more) -> Outcome:
    return Outcome(tokens=Tokens(read, written, read + written), **more)


def settle(request_id: str, outcome: Outcome, *, now=NOW) -> UsageRecord | None:
    return settling.settle(request_id, outcome=outcome, now=now)


def test_what_is_set_aside_beyond_the_cost_goes_back(alice):
    price()
    fund(alice, 100)
    reserve(alice, "r")
    assert state(alice) == (90, 10, 0)
    settle("r", ended(2, 2))
    assert state(alice) == (94, 0, 0)
    assert ledger(alice) == [("top_up", 100), ("usage", -6)]


def test_what_is_lacking_comes_from_the_balance_and_the_rest_is_debt(alice):
    price()
    fund(alice, 15)
    reserve(alice, "r")
    settle("r", ended(4, 10))
    assert state(alice) == (0, 0, 9)


def test_debt_refuses_calls_until_it_is_covered(alice):
    price()
    fund(alice, 10)
    reserve(alice, "r")
    settle("r", ended(4, 10))
    with pytest.raises(InsufficientBalance):
        reserve(alice, input_estimate=0, output_estimate=0)
    fund(alice, 10)
    with pytest.raises(InsufficientBalance):
        reserve(alice)
    fund(alice, 4)
    assert state(alice) == (0, 0, 0)
    fund(alice, 10)
    assert reserve(alice).amount == 10


def test_a_refund_pays_the_debt_that_another_call_left(alice):
    price()
    fund(alice, 20)
    reserve(alice, "one")
    reserve(alice, "two")
    settle("one", ended(0, 9))
    assert state(alice) == (0, 10, 8)
    settle("two", ended(0, 0))
    assert state(alice) == (2, 0, 0)


@pytest.mark.parametrize("again", ["settle", "release"])
@pytest.mark.parametrize("first", ["settle", "release"])
def test_the_first_end_counts_and_every_other_changes_nothing(alice, first, again):
    price()
    fund(alice, 100)
    reserve(alice, "r", budgets=[KEY])
    acts = {
        "settle": lambda: settle("r", ended(1, 1)),
        "release": lambda: settling.release("r", outcome=Outcome(status=Status.FAILED), now=NOW),
    }
    assert acts[first]() is not None
    before = (
        state(alice),
        ledger(alice),
        UsageRecord.objects.values().get(),
        BudgetWindow.objects.values().get(),
    )
    assert acts[again]() is None
    assert before == (
        state(alice), ledger(alice), UsageRecord.objects.values().get(), BudgetWindow.objects.values().get(),
    )  # fmt: skip


def test_a_failure_before_coze_took_the_call_leaves_the_balance_as_it_was(alice):
    price(per_call=3)
    fund(alice, 100)
    before = Account.objects.values().get(owner=alice)
    reserve(alice, "r", budgets=[KEY])
    settling.release("r", outcome=Outcome(status=Status.FAILED, error_code="upstream_unavailable"), now=NOW)
    assert Account.objects.values().get(owner=alice) == before
    assert ledger(alice) == [("top_up", 100)]
    row = record("r")
    assert (row.status, row.cost, row.usage_source, row.error_code) == (
        "failed",
        0,
        "none",
        "upstream_unavailable",
    )
    assert BudgetWindow.objects.values_list("spent", "held").get() == (0, 0)


def test_a_failure_after_coze_took_the_call_costs_what_coze_counted_or_else_the_estimated_input(alice):
    price()
    fund(alice, 100)
    for name, tokens in (("counted", Tokens(2, 1, 3)), ("silent", None)):
        reserve(alice, name)
        reserving.accepted(name, ids=CozeIds(coze_chat_id="c"))
        settle(name, Outcome(status=Status.FAILED, tokens=tokens, error_code="4011"))
    rows = [(row.cost, row.usage_source, row.status) for row in (record("counted"), record("silent"))]
    assert rows == [(4, "upstream", "failed"), (4, "estimated", "failed")]
    assert (record("silent").input_tokens, record("silent").output_tokens) == (4, 0)


@pytest.mark.parametrize(
    ("tokens", "cost", "source", "odd"),
    [
        (Tokens(0, 0, 0), 0, "upstream", False),
        (None, 8, "estimated", False),
        (Tokens(2, 1, 3), 4, "upstream", False),
        (Tokens(2, 1), 4, "upstream", False),
        (Tokens(2, 1, 2), 4, "upstream", True),
        (Tokens(-1, 3, 2), 8, "estimated", True),
        (Tokens(1, MOST_TOKENS + 1), 8, "estimated", True),
    ],
    ids=["zero", "missing", "exact", "no total", "wrong total", "negative", "absurd"],
)
def test_zero_is_not_missing_and_contradictory_counts_are_flagged_and_kept(alice, tokens, cost, source, odd):
    price()
    fund(alice, 100)
    reserve(alice, "r")
    row = settle("r", Outcome(tokens=tokens, estimate=Tokens(2, 3)))
    assert (row.cost, row.usage_source) == (cost, source)
    kept = {"input": tokens.input, "output": tokens.output, "total": tokens.total} if odd else None
    assert record("r").odd_counts == kept


def test_a_call_priced_by_the_call_needs_no_counts(alice):
    price(input_price=0, completion_ratio=None, output_price=0, per_call=7)
    fund(alice, 100)
    reserve(alice, "silent")
    reserve(alice, "absurd")
    assert (settle("silent", Outcome()).cost, record("silent").usage_source) == (7, "per_call")
    assert settle("absurd", Outcome(tokens=Tokens(10**12, 0, 10**12))).cost == 7
    assert (record("absurd").usage_source, record("absurd").odd_counts["input"]) == ("per_call", 10**12)


def test_a_minimum_and_a_group_count_and_a_group_of_zero_pays_nothing(alice, bob):
    price(minimum=50)
    for user, ratio in ((alice, "0.5"), (bob, "0")):
        account = fund(user, 100)
        account.group = PriceGroup.objects.create(name=ratio, ratio=Decimal(ratio))
        account.save(update_fields=["group"])
        reserve(user, ratio)
        settle(ratio, ended(1, 1))
    assert (record("0.5").cost, record("0").cost) == (25, 0)
    assert record("0.5").group_ratio == Decimal("0.5")
    assert ledger(bob) == [("top_up", 100)]


def test_a_record_recomputes_to_its_cost_whatever_prices_and_groups_became(alice):
    own = price(per_call=5, minimum=9)
    account = fund(alice, 1000)
    account.group = group = PriceGroup.objects.create(name="dear", ratio=Decimal("1.333333"))
    account.save(update_fields=["group"])
    for number, tokens in enumerate([Tokens(0, 0), Tokens(3, 7), None]):
        reserve(alice, f"r{number}", input_estimate=11)
        settle(f"r{number}", Outcome(tokens=tokens))
    reserve(alice, "r3")
    settling.release("r3", outcome=Outcome(status=Status.FAILED), now=NOW)
    before = list(UsageRecord.objects.values())
    group.ratio = Decimal(9)
    group.save()
    type(own).objects.filter(pk=own.pk).update(input_price=10**6)
    assert list(UsageRecord.objects.values()) == before
    rows = list(UsageRecord.objects.all())
    assert [row.recomputed_cost() for row in rows] == [row.cost for row in rows]
    assert len({row.cost for row in rows}) == 4


def test_a_request_id_is_used_once(alice, bob):
    price()
    fund(alice, 100)
    fund(bob, 100)
    reserve(alice, "r")
    for user in (alice, bob):
        with pytest.raises(DuplicateRequest):
            reserve(user, "r")
    assert (state(alice), state(bob)) == ((90, 10, 0), (100, 0, 0))


def test_without_a_price_nothing_is_free_and_a_price_of_zero_is(alice):
    fund(alice, 5)
    with pytest.raises(PriceNotConfigured):
        reserve(alice)
    price(input_price=0, completion_ratio=None, output_price=0, is_free=True)
    assert reserve(alice, "r").amount == 0
    settle("r", ended(5, 5))
    assert (state(alice), record("r").cost, record("r").input_tokens) == ((5, 0, 0), 0, 5)


def test_a_balance_that_does_not_cover_the_call_is_refused_and_nothing_changes(alice):
    price()
    fund(alice, 9)
    with pytest.raises(InsufficientBalance):
        reserve(alice, budgets=[KEY])
    assert state(alice) == (9, 0, 0)
    assert not Hold.objects.exists()
    assert BudgetWindow.objects.get().held == 0


def test_an_absurd_estimate_is_refused_like_a_balance_that_is_too_small(alice):
    price(input_price=10**15)
    fund(alice, 100)
    for tokens in (10**9, 10**15):
        with pytest.raises(InsufficientBalance):
            reserve(alice, input_estimate=tokens)
    with pytest.raises(ValueError, match="negative"):
        reserve(alice, input_estimate=-1)
    assert state(alice) == (100, 0, 0)


def test_a_call_settled_after_its_lease_is_marked_late(alice):
    price()
    fund(alice, 100)
    reserve(alice, "r")
    assert settle("r", ended(1, 1), now=LATER).settled_late


def test_the_ids_that_coze_gave_are_in_the_record(alice):
    price()
    fund(alice, 100)
    reserve(alice, "r", api_key_id=7, end_user="d" * 64, stream=True)
    assert reserving.accepted("r", ids=CozeIds(coze_chat_id="c" * 99, log_id="l"))
    settle("r", ended(1, 1, ids=CozeIds(coze_conversation_id="v"), latency_ms=1200, first_token_ms=300))
    row = record("r")
    assert (row.coze_chat_id, row.log_id, row.coze_conversation_id) == ("c" * 64, "l", "v")
    assert (row.api_key_id, row.end_user, row.stream, row.latency_ms, row.first_token_ms) == (
        7, "d" * 64, True, 1200, 300,
    )  # fmt: skip
    assert not reserving.accepted("r", ids=CozeIds(coze_chat_id="other"))


def test_an_account_that_is_deleted_in_the_middle_of_a_call_leaves_whole_books(alice):
    price()
    account = fund(alice, 100)
    reserve(alice, "r")
    alice.delete()
    settle("r", ended(1, 1))
    account.refresh_from_db()
    assert (account.owner_id, account.available, account.held) == (None, 97, 0)
    assert record("r").owner_id is None


def test_bob_does_not_see_alices_records(alice, bob):
    price()
    fund(alice, 100)
    reserve(alice, "r")
    settle("r", ended(1, 1))
    assert UsageRecord.objects.owned_by(alice).count() == 1
    assert UsageRecord.objects.owned_by(bob).count() == 0
    assert ledger(bob) == []


def test_money_never_moves_inside_somebody_elses_transaction(alice):
    price()
    fund(alice, 100)
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        reserve(alice)


def test_money_columns_hold_whole_numbers(alice):
    price()
    fund(alice, 12_345_678_901_123_456)
    reserve(alice, "r")
    settle("r", ended(1, 1))
    with connection.cursor() as cursor:
        cursor.execute("SELECT available, held, debt FROM usage_account")
        assert cursor.fetchone() == (12_345_678_901_123_453, 0, 0)
