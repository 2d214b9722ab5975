"""Amounts as people write them, and what calls cost: pure functions."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from cozechat.usage import money
from cozechat.usage.budgets import Period, period_end, period_start
from cozechat.usage.pricing import Snapshot, Tokens, cost


@given(st.integers(-money.LARGEST, money.LARGEST))
def test_an_amount_that_is_written_and_read_again_is_the_same(amount):
    assert money.parse(money.exact(amount)) == amount
    assert money.parse(money.short(amount)) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12.5", 12_500_000_000),
        ("0.000229500", 229_500),
        ("-3", -3_000_000_000),
        (" 1 ", 10**9),
        ("+2.00", 2 * 10**9),
    ],
)
def test_credits_are_read(text, amount):
    assert money.parse(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1e3",
        "NaN",
        "inf",
        "1,5",
        "0.0000000001",
        "1_000",
        "１２",
        "--1",
        "5000000000",
        "1.",
        ".5",
        "9" * 40,
    ],
)
def test_what_is_no_amount_is_refused_and_not_rounded(text):
    with pytest.raises(money.NotMoney):
        money.parse(text)


def test_the_sample_of_the_documents_costs_what_its_log_line_says():
    """45 read, 123 written, 0.001 a thousand, group ratio 1.00, completion ratio 1.50."""
    price = Snapshot(input_price=money.parse("0.001"), completion_ratio=Decimal("1.50"))
    assert money.exact(cost(price, ratio=Decimal("1.00"), tokens=Tokens(45, 123))) == "0.000229500"


@pytest.mark.parametrize(("tokens", "nano"), [(499, 0), (500, 1), (501, 1), (1499, 1), (1500, 2), (2500, 3)])
def test_half_a_nano_credit_is_rounded_up_and_only_once(tokens, nano):
    price = Snapshot(input_price=1, output_price=0)
    assert cost(price, ratio=Decimal(1), tokens=Tokens(tokens, 0)) == nano


def test_input_and_output_are_added_before_they_are_rounded():
    assert cost(Snapshot(input_price=1, output_price=1), ratio=Decimal(1), tokens=Tokens(250, 250)) == 1


PRICES = st.integers(0, money.LARGEST_CHARGE)
RATIOS = st.decimals(0, 1000, places=6)


@given(PRICES, st.one_of(st.none(), PRICES), RATIOS, PRICES, PRICES, RATIOS, *[st.integers(0, 10**9)] * 2)
def test_a_cost_is_the_exact_product_rounded_half_up(
    into, out, completion, per_call, minimum, group, read, written
):
    price = Snapshot(
        input_price=into,
        output_price=out,
        completion_ratio=completion if out is None else None,
        per_call=per_call,
        minimum=minimum,
    )
    output = Fraction(out) if out is not None else into * Fraction(completion)
    whole = max((read * into + written * output) / Fraction(1000) + per_call, Fraction(minimum)) * Fraction(
        group
    )
    tokens = Tokens(read, written)
    assert cost(price, ratio=group, tokens=tokens) == int((2 * whole + 1) // 2)
    assert Snapshot.from_json(price.as_json()) == price


def test_a_price_has_an_output_price_or_a_ratio_and_never_both_nor_neither():
    with pytest.raises(ValueError, match="not both"):
        Snapshot(input_price=1, output_price=1, completion_ratio=Decimal(1))
    with pytest.raises(ValueError, match="not both"):
        Snapshot(input_price=1)


def test_nobody_is_paid_for_a_call():
    with pytest.raises(ValueError, match="negative"):
        cost(Snapshot(input_price=1, output_price=1), ratio=Decimal(1), tokens=Tokens(-5, 1))


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        (Period.DAY, (2026, 3, 29), (2026, 3, 30)),
        (Period.WEEK, (2026, 3, 23), (2026, 3, 30)),
        (Period.MONTH, (2026, 3, 1), (2026, 4, 1)),
    ],
)
def test_a_period_begins_and_ends_at_the_sites_midnight_also_when_the_clocks_change(
    settings, period, start, end
):
    settings.TIME_ZONE = "Europe/Berlin"  # its clocks went forward on this very day
    zone = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 3, 29, 10, 0, tzinfo=UTC)
    assert timezone.get_default_timezone_name() == "Europe/Berlin"
    assert period_start(period, now=now) == datetime(*start, tzinfo=zone)
    assert period_end(period, now=now) == datetime(*end, tzinfo=zone)


def test_a_budget_for_ever_never_begins_anew():
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    assert period_start(Period.EVER, now=early) == period_start(Period.EVER, now=late)
    assert period_end(Period.EVER, now=late) is None
