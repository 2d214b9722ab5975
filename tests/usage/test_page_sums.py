"""The usage page's numbers are those of its rows: every day, model, key and filter."""

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cozechat.usage.models import UsageRecord
from cozechat.usage.money import short
from cozechat.usage.pages import sums
from cozechat.usage.pages.ranges import Grain, between, last_days, last_hours
from tests.usage.conftest import client_of
from tests.usage.pages import figures, listed, plotted, put, read, refused

pytestmark = pytest.mark.usefixtures("host")
BERLIN, KOLKATA, HAVANA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata"), ZoneInfo("America/Havana")
DAYS = {"range": "custom", "since": "2026-11-01", "until": "2026-11-20"}


@pytest.fixture
def months(alice, bob):
    """Three hundred calls of all kinds in twenty days, and some of Bob's."""
    dice = random.Random(1)
    for _ in range(300):
        at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=dice.randrange(20 * 86400))
        key, name = dice.choice([(7, "laptop"), (8, "server"), (9, "laptop")])
        facts = {"model": dice.choice(["flow", "bot:1", "gpt-4"]), "api_key_id": key, "api_key_name": name}
        if dice.random() < 0.1:
            refused(alice, at, **facts)
            continue
        tokens = {"input_tokens": dice.randrange(5000), "output_tokens": dice.randrange(5000)}
        status = dice.choice(["completed"] * 6 + ["failed", "lost", "canceled"])
        took = dice.choice([None, dice.randrange(1, 20_000)])
        put(alice, at, **facts, **tokens, status=status, latency_ms=took, first_token_ms=None)
    for day in range(1, 20):
        put(bob, datetime(2026, 11, day, 12, tzinfo=UTC), model="bobs", input_tokens=999)
    return list(UsageRecord.objects.owned_by(alice))


def shown(rows) -> dict[str, str]:
    return {
        "Cost": short(sum(row.cost for row in rows)),
        "Calls": f"{len(rows):,}",
        "Input tokens": f"{sum(row.input_tokens for row in rows):,}",
        "Output tokens": f"{sum(row.output_tokens for row in rows):,}",
    }


def test_the_totals_are_the_sums_of_ones_own_rows(alice, months):
    page = read(client_of(alice), **DAYS)
    assert figures(page).items() >= shown(months).items()
    failed = sum(row.status in {"failed", "lost"} for row in months)
    assert f"{failed} failed" in page
    assert f"{sum(row.status == 'refused' for row in months)} refused" in page
    assert "bobs" not in page


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ({"model": "flow"}, lambda row: row.model == "flow"),
        ({"key": ["7", "8"]}, lambda row: row.api_key_id in {7, 8}),
        ({"status": "failed"}, lambda row: row.status == "failed"),
        ({"model": ["flow", "bot:1"], "key": "9"}, lambda row: row.model != "gpt-4" and row.api_key_id == 9),
    ],
    ids=["model", "two keys", "status", "models and key"],
)
def test_a_filter_counts_exactly_the_rows_that_pass(alice, months, query, passes):
    page = read(client_of(alice), **DAYS, **query)
    rows = [row for row in months if passes(row)]
    assert 0 < len(rows) < len(months)
    assert figures(page).items() >= shown(rows).items()
    newest = sorted(rows, key=lambda row: (row.created_at, row.pk), reverse=True)
    assert listed(page) == [row.request_id for row in newest][:50]


@pytest.mark.parametrize("by", ["model", "key"])
@pytest.mark.parametrize("measure", ["cost", "tokens", "calls"])
def test_each_bar_is_the_sum_of_its_day_and_its_parts_of_theirs(alice, months, measure, by):
    table = plotted(read(client_of(alice), **DAYS, measure=measure, by=by))
    names = table["Time"][1:]
    keys = {7: "laptop (#7)", 8: "server", 9: "laptop (#9)"}
    assert sorted(names) == sorted(keys.values() if by == "key" else {row.model for row in months})

    def value(rows) -> str:
        if not rows:
            return "–"
        if measure == "cost":
            return short(sum(row.cost for row in rows))
        each = [1 if measure == "calls" else row.input_tokens + row.output_tokens for row in rows]
        return f"{sum(each):,}"

    for number in range(1, 21):
        rows = [row for row in months if row.created_at.day == number]
        of = {name: [] for name in names}
        for row in rows:
            of[row.model if by == "model" else keys[row.api_key_id]].append(row)
        assert table[f"2026-11-{number:02d}"] == [value(rows), *(value(of[name]) for name in names)]


def test_a_bar_leads_to_its_rows_and_to_no_others(alice, months):
    browser = client_of(alice)
    href = "/accounts/usage/?range=custom&since=2026-11-01&until=2026-11-20&at=20261105T0000Z"
    assert href.removeprefix("/accounts/usage/").replace("&", "&amp;") + "#log" in read(browser, **DAYS)
    found = listed(browser.get(href).content.decode())
    assert sorted(found) == sorted(row.request_id for row in months if row.created_at.day == 5)


def test_median_and_p95_are_those_of_the_calls_that_were_timed(alice):
    at = datetime(2026, 11, 5, tzinfo=UTC)
    for took in (10, 20, 30, 40, *range(100, 1700, 100)):
        put(alice, at, latency_ms=took, first_token_ms=None)
    put(alice, at, latency_ms=None, first_token_ms=None)
    page = read(client_of(alice), **DAYS)
    assert figures(page)["Latency"] == "600 ms"
    assert "95 % within 1.50 s" in page
    assert figures(page)["First token"] == "No data"


@pytest.mark.parametrize("calls", range(1, 45))
def test_a_spread_is_a_time_that_so_many_calls_kept(calls, alice):
    dice = random.Random(calls)
    times = sorted(dice.randrange(30) for _ in range(calls))
    now = timezone.now()
    UsageRecord.objects.bulk_create(
        UsageRecord(
            request_id=f"r{number}", owner=alice, created_at=now, latency_ms=took, usage_source="upstream"
        )
        for number, took in enumerate(times)
    )
    found = sums.spread(UsageRecord.objects.owned_by(alice), column="latency_ms")
    assert found == sums.Spread(times[(calls + 1) // 2 - 1], times[-(-calls * 19 // 20) - 1])


def test_nothing_is_shown_as_no_data_and_a_free_call_as_zero(alice):
    put(alice, datetime(2026, 11, 5, 12, tzinfo=UTC), cost=0)
    browser = client_of(alice)
    table = plotted(read(browser, **DAYS))
    assert (table["2026-11-05"][0], table["2026-11-06"][0]) == ("0.00", "no data")
    empty = read(browser, **{**DAYS, "until": "2026-11-02"})
    assert "No data" in empty
    assert not figures(empty)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, date(2026, 3, 29), 23),
        (BERLIN, date(2026, 10, 25), 25),
        (KOLKATA, date(2026, 10, 25), 24),
        (HAVANA, date(2026, 3, 8), 23),  # where the clock jumps at midnight itself
        (HAVANA, date(2026, 11, 1), 25),
    ],
    ids=["spring in Berlin", "autumn in Berlin", "Kolkata", "spring in Havana", "autumn in Havana"],
)
def test_a_days_border_is_midnight_of_the_sites_zone(alice, settings, zone, day, hours):
    settings.TIME_ZONE = zone.key
    whole = between(day, day, zone=zone)
    assert (whole.grain, len(whole.slots)) == (Grain.HOUR, hours)
    inside = [put(alice, whole.start), put(alice, whole.end - timedelta(microseconds=1))]
    put(alice, whole.start - timedelta(microseconds=1), model="yesterday")
    put(alice, whole.end, model="tomorrow")
    assert {row.created_at.astimezone(zone).date() for row in inside} == {day}

    table = plotted(
        read(
            client_of(alice), range="custom", measure="calls",
            since=str(day - timedelta(days=3)), until=str(day + timedelta(days=3)),
        )
    )  # fmt: skip
    around = [table[str(day + timedelta(days=offset))][0] for offset in (-2, -1, 0, 1, 2)]
    assert around == ["no data", "1", "2", "1", "no data"]
    only = read(client_of(alice), range="custom", since=str(day), until=str(day))
    assert sorted(listed(only)) == sorted(row.request_id for row in inside)


@pytest.mark.parametrize("zone", [BERLIN, KOLKATA, HAVANA, ZoneInfo("UTC")], ids=lambda zone: zone.key)
@pytest.mark.parametrize("month", range(1, 13))
def test_slots_follow_each_other_without_a_gap(zone, month):
    now = datetime(2026, month, 28, 13, 37, 11, 5, tzinfo=UTC)
    days = now.astimezone(zone).date()
    for found in (
        last_hours(24, now=now, zone=zone),
        last_days(7, now=now, zone=zone),
        last_days(30, now=now, zone=zone),
        between(days - timedelta(days=365), days, zone=zone),
    ):
        assert all(one.end == two.start for one, two in zip(found.slots, found.slots[1:], strict=False))
        assert all(slot.start < slot.end for slot in found.slots)
        assert found.start <= now < found.end
        assert len(found.slots) <= 62
        assert found.start.astimezone(zone).minute == 0


def test_a_long_range_is_drawn_by_week(alice):
    put(alice, datetime(2026, 3, 4, 12, tzinfo=UTC))
    put(alice, datetime(2026, 3, 8, 23, 59, tzinfo=UTC))
    put(alice, datetime(2026, 3, 9, tzinfo=UTC))
    table = plotted(
        read(client_of(alice), range="custom", since="2026-01-01", until="2026-06-30", measure="calls")
    )
    assert table["2026-03-02 – 2026-03-08"][0] == "2"
    assert table["2026-03-09 – 2026-03-15"][0] == "1"
    assert table["2026-01-01 – 2026-01-04"][0] == "no data"


def test_more_than_seven_models_share_the_last_place(alice):
    for number in range(9):
        put(alice, datetime(2026, 11, 5, tzinfo=UTC), model=f"model-{number}", input_tokens=1000 - number)
    table = plotted(read(client_of(alice), **DAYS, measure="calls"))
    assert table["Time"][1:] == [*(f"model-{number}" for number in range(6)), "others"]
    assert table["2026-11-05"] == ["9", "1", "1", "1", "1", "1", "1", "3"]


def test_the_page_asks_the_database_as_often_for_ten_rows_as_for_a_hundred(alice):
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            read(browser, **DAYS)
        return len(seen)

    browser = client_of(alice)
    for number in range(10):
        put(alice, datetime(2026, 11, 1 + number, tzinfo=UTC))
    few = queries()
    for number in range(90):
        put(alice, datetime(2026, 11, 1 + number % 20, tzinfo=UTC))
    assert queries() == few


def test_the_page_asks_the_database_as_often_for_keys_that_never_called(alice, bob):
    """And says of them what it says of another owner's: their numbers."""

    def queries(**query) -> int:
        with CaptureQueriesContext(connection) as seen:
            read(browser, **DAYS, **query)
        return len(seen)

    browser = client_of(alice)
    put(bob, datetime(2026, 11, 5, tzinfo=UTC), api_key_id=30, api_key_name="his")
    put(alice, datetime(2026, 10, 5, tzinfo=UTC), api_key_id=8, api_key_name="before")
    put(alice, datetime(2026, 11, 5, tzinfo=UTC), api_key_id=7, api_key_name="of old")
    put(alice, datetime(2026, 11, 6, tzinfo=UTC), api_key_id=7, api_key_name="renamed")
    one = queries(key="7")
    for key in range(10, 20):
        put(alice, datetime(2026, 11, 5, tzinfo=UTC), api_key_id=key, api_key_name=f"k{key}")
    assert queries(key=["7", "8", *map(str, range(30, 60))]) == one
    page = read(browser, **DAYS, by="key", key=["7", "8", "10", "30"])
    for text in ("renamed", "k10", "#8", "#30"):
        assert text in page
    for text in ("his<", "before<"):
        assert text not in page


def test_the_sums_are_read_from_an_index_alone(alice):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL decides by the size of the table")
    with CaptureQueriesContext(connection) as seen:
        whole = last_days(2, now=timezone.now(), zone=ZoneInfo("UTC"))
        records = UsageRecord.objects.owned_by(alice)
        sums.cells(records, over=whole)
        sums.spread(records.filter(created_at__gte=whole.start), column="latency_ms")
    for query in seen.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plan = " ".join(str(row) for row in cursor.fetchall())
        assert "COVERING INDEX usage_of_owner" in plan
        assert "SCAN usage" not in plan
