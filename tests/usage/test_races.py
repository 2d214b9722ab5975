"""Many at once: whatever the threads do, no more is admitted than is there."""

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from cozechat.usage import crediting, redeeming, reserving, settling
from cozechat.usage.budgets import Budget, Scope
from cozechat.usage.models import Account, BudgetWindow, Hold, UsageRecord
from cozechat.usage.pricing import Tokens
from cozechat.usage.reserving import BudgetExhausted, DuplicateRequest, InsufficientBalance
from cozechat.usage.settling import Outcome
from tests.usage.books import NOW, fund, ledger, price, reserve, state

# Threads see each other's rows only if these are committed.
pytestmark = pytest.mark.usefixtures("transactional_db")

THREADS, TRIES = 16, 20


def at_once(work: Callable[[int], Any], *, threads: int = THREADS) -> list[Any]:
    """Every thread's result; all begin at the same moment, each with a connection of its own."""
    barrier = threading.Barrier(threads)

    def run(number: int) -> Any:
        barrier.wait()
        try:
            return work(number)
        finally:
            connection.close()

    connection.close()
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def admitted(*args: Any, refusal: type[Exception] = InsufficientBalance, **more: Any) -> bool:
    try:
        reserve(*args, **more)
    except refusal:
        return False
    return True


def test_a_balance_for_ten_admits_ten_of_three_hundred_and_twenty(alice):
    price()
    fund(alice, 100)
    results = at_once(lambda _: sum(admitted(alice) for _ in range(TRIES)))
    assert sum(results) == 10
    assert state(alice) == (0, 100, 0)
    assert Hold.objects.open().count() == 10


def test_a_budget_for_ten_admits_ten_also_when_the_user_was_never_seen_before(alice):
    price()
    fund(alice, 10**6)
    budget = Budget(scope=Scope.END_USER, scope_id="1/never-seen", limit=100)
    results = at_once(
        lambda _: sum(admitted(alice, budgets=[budget], refusal=BudgetExhausted) for _ in range(TRIES))
    )
    assert sum(results) == 10
    window = BudgetWindow.objects.get()
    assert (window.spent, window.held) == (0, 100)


def test_calls_of_many_users_under_one_budget_never_wait_for_each_other_for_ever(alice):
    price()
    users = [User.objects.create_user(f"user-{number}") for number in range(8)]
    for user in users:
        fund(user, 1000)
    budgets = [Budget(scope=Scope.KEY, scope_id=name, limit=10**6) for name in "abc"]

    def work(number: int) -> None:
        for turn in range(8):
            name = f"{number}-{turn}"
            own = budgets[::-1] if (number + turn) % 2 else budgets
            reserve(users[(number + turn) % 8], name, budgets=own)
            settling.settle(name, outcome=Outcome(tokens=Tokens(1, 1)), now=NOW)

    at_once(work, threads=8)
    assert set(BudgetWindow.objects.values_list("spent", "held")) == {(8 * 8 * 3, 0)}
    assert sum(state(user)[0] for user in users) == 8 * 1000 - 8 * 8 * 3


def test_one_request_id_is_admitted_once(alice):
    price()
    fund(alice, 1000)
    assert sum(at_once(lambda _: admitted(alice, "the-one", refusal=DuplicateRequest))) == 1
    assert state(alice) == (990, 10, 0)


def test_four_settle_and_four_release_and_one_of_them_counts(alice):
    price()
    fund(alice, 1000)
    for number in range(10):
        reserve(alice, f"r{number}")

    def work(number: int) -> int:
        end = settling.settle if number % 2 else settling.release
        return sum(
            end(f"r{call}", outcome=Outcome(tokens=Tokens(1, 1)), now=NOW) is not None for call in range(10)
        )

    assert sum(at_once(work, threads=8)) == 10
    assert UsageRecord.objects.count() == 10
    spent = -sum(amount for kind, amount in ledger(alice) if kind == "usage")
    assert state(alice) == (1000 - spent, 0, 0)


def test_one_code_for_sixteen_people_is_one_success(alice):
    [code] = redeeming.issue(1, amount=50, now=NOW, batch=uuid.uuid4())
    users = [User.objects.create_user(f"user-{number}") for number in range(THREADS)]

    def work(number: int) -> int:
        done = 0
        for user in (users[number], users[(number + 1) % THREADS]):
            try:
                done += redeeming.redeem(code, user_id=user.pk, now=NOW) == 50
            except redeeming.CodeRefused:
                continue
        return done

    assert sum(at_once(work)) == 1
    assert sum(account.available for account in Account.objects.all()) == 50


def test_a_payment_that_is_told_sixteen_times_is_booked_once(alice):
    told = at_once(lambda _: crediting.top_up(alice.pk, amount=7, ref="payment", now=NOW))
    assert sum(told) == 1
    assert state(alice) == (7, 0, 0)


def test_the_race_shows_a_guard_that_looks_before_it_leaps(alice, cooked_books, monkeypatch):
    """The proof that the tests above can fail: without a conditional update too many are admitted."""

    def careless(hold: Hold, **_: Any) -> None:
        account = Account.objects.get(pk=hold.account_id)
        if account.available < hold.amount:
            raise InsufficientBalance
        time.sleep(0.001)
        left = account.available - hold.amount
        Account.objects.filter(pk=account.pk).update(available=left, held=100 - left)
        hold.save(force_insert=True)

    monkeypatch.setattr(reserving, "_take", careless)
    price()
    fund(alice, 100)
    assert sum(at_once(lambda _: sum(admitted(alice) for _ in range(TRIES)))) > 10
