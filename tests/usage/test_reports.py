"""Sums, meters, and prices that were not."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cozechat.usage import reserving, settling
from cozechat.usage.budgets import Budget, Period, Scope
from cozechat.usage.models import Price, UsageRecord
from cozechat.usage.pricing import Tokens
from cozechat.usage.reports import dry_run, quota, quota_of, totals
from cozechat.usage.settling import Outcome
from tests.usage.books import MODEL, NOW, call, fund, price, reserve

KEY = Budget(scope=Scope.KEY, scope_id="7", limit=50, period=Period.DAY)


def spend(user, read: int, written: int, *, now=NOW, **more) -> UsageRecord:
    hold = reserve(user, now=now, **more)
    return settling.settle(hold.request_id, outcome=Outcome(tokens=Tokens(read, written)), now=now)


@pytest.fixture
def busy(alice, bob):
    """Some calls on two days, with two keys, of two models and two users."""
    price()
    price(name="other", input_price=5000)
    for user in (alice, bob):
        fund(user, 10**6)
    for number in range(12):
        spend(
            alice if number % 3 else bob,
            number,
            number % 4,
            now=NOW + timedelta(hours=number % 2 * 24),
            api_key_id=number % 5 or None,
            model="other" if number % 4 == 1 else MODEL,
        )
    reserving.refuse(call(alice), error_code="x", now=NOW)


@pytest.mark.parametrize("by", ["day", "model", "api_key_id", "owner_id", "app_id"])
def test_totals_are_the_sum_of_their_rows(busy, by):
    rows = list(UsageRecord.objects.all())
    found = totals(UsageRecord.objects.all(), by=by)
    assert sum(total.calls for total in found) == len(rows) == 13
    assert sum(total.cost for total in found) == sum(row.cost for row in rows) > 0
    for total in found:
        own = [
            row for row in rows if (row.created_at.date() if by == "day" else getattr(row, by)) == total.key
        ]
        assert (total.calls, total.cost) == (len(own), sum(row.cost for row in own))
        assert total.input_tokens == sum(row.input_tokens for row in own)
        assert total.output_tokens == sum(row.output_tokens for row in own)
        assert {type(total.cost), type(total.input_tokens)} == {int}


def test_a_day_is_the_sites_day(alice, settings):
    from django.utils import timezone

    settings.TIME_ZONE = "Asia/Shanghai"
    price()
    fund(alice, 100)
    spend(alice, 1, 1, now=datetime(2026, 11, 20, 17, 0, tzinfo=UTC))
    with timezone.override(timezone.get_default_timezone()):
        assert [str(total.key) for total in totals(UsageRecord.objects.all(), by="day")] == ["2026-11-21"]


def test_totals_of_alice_hold_nothing_of_bob(busy, alice, bob):
    mine = totals(UsageRecord.objects.owned_by(alice), by="model")
    theirs = totals(UsageRecord.objects.owned_by(bob), by="model")
    everyone = totals(UsageRecord.objects.all(), by="model")
    assert sum(total.cost for total in (*mine, *theirs)) == sum(total.cost for total in everyone)
    assert [total.key for total in totals(UsageRecord.objects.owned_by(bob), by="owner_id")] == [bob.pk]


def test_a_total_is_one_query(busy):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        totals(UsageRecord.objects.all(), by="model")
    assert len(queries) == 1


def test_a_meter_shows_what_is_used_and_when_it_begins_anew(alice):
    price()
    fund(alice, 100)
    assert (quota(KEY, now=NOW).used, quota(KEY, now=NOW).left) == (0, 50)
    spend(alice, 3, 3, budgets=[KEY])
    reserve(alice, budgets=[KEY])
    meter = quota(KEY, now=NOW)
    assert (meter.used, meter.limit, meter.left) == (19, 50, 31)
    assert meter.resets_at == datetime(2026, 11, 22, tzinfo=UTC)
    assert quota(KEY, now=meter.resets_at).used == 0


def test_a_meter_never_shows_less_than_nothing_left(alice):
    price()
    fund(alice, 100)
    spend(alice, 40, 40, budgets=[KEY])
    assert (quota(KEY, now=NOW).used, quota(KEY, now=NOW).left) == (120, 0)


def test_a_user_without_a_limit_has_no_meter_and_bobs_is_not_alices(alice, bob):
    price()
    assert quota_of(alice, now=NOW) is None
    account = fund(alice, 100)
    account.limit, account.period = 50, Period.EVER
    account.save(update_fields=["limit", "period"])
    reserve(alice)
    assert (quota_of(alice, now=NOW).used, quota_of(alice, now=NOW).resets_at) == (10, None)
    fund(bob, 100)
    assert quota_of(bob, now=NOW) is None


def draft(**more) -> Price:
    return Price(**{"scope": "model", "name": MODEL, "input_price": 3000, "output_price": 0} | more)


def test_a_dry_run_says_what_the_last_day_would_have_cost_and_saves_nothing(alice):
    price()
    price(name="other")
    fund(alice, 1000)
    spend(alice, 4, 4)
    spend(alice, 1, 0)
    spend(alice, 9, 9, model="other")
    spend(alice, 100, 0, now=NOW - timedelta(hours=25))
    before = list(UsageRecord.objects.values())
    [entry] = dry_run(draft(), now=NOW + timedelta(minutes=1))
    assert (entry.model, entry.calls, entry.charged, entry.would) == (MODEL, 2, 13, 15)
    assert list(UsageRecord.objects.values()) == before
    assert Price.objects.count() == 2


def test_a_dry_run_of_todays_price_finds_no_difference(busy):
    for own in Price.objects.all():
        [entry] = dry_run(own, now=NOW + timedelta(hours=1))
        assert entry.charged == entry.would > 0


def test_calls_with_a_narrower_price_are_left_out_of_a_dry_run(alice):
    from cozechat.catalog.models import CozeApp

    app = CozeApp.objects.create(name="coze")
    price(scope="app", app=app, name="")
    price()
    fund(alice, 1000)
    spend(alice, 4, 4, app_id=app.pk)
    spend(alice, 2, 2, app_id=app.pk, model="unpriced")
    wide = draft(scope="app", app=app, name="")
    assert [entry.model for entry in dry_run(wide, now=NOW)] == ["unpriced"]
    narrow = draft(scope="route", name="special")
    assert dry_run(narrow, now=NOW) == []
