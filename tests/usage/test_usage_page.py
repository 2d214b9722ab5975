"""The usage page over HTTP: whose it is, its log, its links, what it does with nonsense."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from cozechat.usage.models import Account, UsageRecord
from tests.usage.books import fund, price, reserve
from tests.usage.conftest import client_of
from tests.usage.pages import listed, put, read, refused

pytestmark = pytest.mark.usefixtures("host")
AT = datetime(2026, 11, 5, 12, tzinfo=UTC)
DAYS = {"range": "custom", "since": "2026-11-01", "until": "2026-11-20"}
PAGES = [
    "/accounts/usage/",
    "/accounts/usage/export.csv",
    "/accounts/usage/calls/req_x/",
    "/accounts/balance/",
]


@pytest.mark.parametrize("path", PAGES)
def test_whoever_is_nobody_is_asked_to_log_in(path, db):
    assert Client().get(path)["Location"] == f"/accounts/login/?next={path}"


@pytest.mark.parametrize("path", PAGES)
def test_a_visitor_has_no_such_pages(path, db):
    visitor = User.objects.create_user("visitor-1", is_visitor=True)
    assert client_of(visitor).get(path).status_code == 403


@pytest.mark.parametrize("path", PAGES)
def test_an_end_user_cannot_be_logged_in_here(path, alice):
    end_user = User.objects.create_user("gw-1", is_active=False, end_user_of=alice)
    assert client_of(end_user).get(path)["Location"] == f"/accounts/login/?next={path}"


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_money_are_not_kept_by_a_browser(path, alice):
    put(alice, AT, request_id="req_x")
    browser = client_of(alice)
    if not path.endswith(".csv"):
        assert "no-store" in browser.get(path)["Cache-Control"]
    assert browser.post(path).status_code == 405


def test_bob_at_alices_record_finds_what_he_finds_where_nothing_is(alice, bob):
    put(alice, AT, request_id="req_hers")
    hers = client_of(bob).get("/accounts/usage/calls/req_hers/")
    nobodys = client_of(bob).get("/accounts/usage/calls/req_nobody/")
    assert hers.status_code == nobodys.status_code == 404
    assert hers.content == nobodys.content
    assert client_of(alice).get("/accounts/usage/calls/req_hers/").status_code == 200


def test_bob_who_asks_for_alices_key_and_model_sees_an_empty_page(alice, bob):
    put(alice, AT, api_key_id=7, model="hers", api_key_name="hers too")
    query = {**DAYS, "key": "7", "model": "hers"}
    assert listed(read(client_of(alice), **query))
    page = read(client_of(bob), **query)
    assert "No data" in page
    assert "hers too" not in page
    unknown = read(client_of(bob), **{**query, "key": "9", "model": "none"})
    for hers, nobodys in (("hers", "none"), ('value="7"', 'value="9"'), ("key=7", "key=9"), ("#7", "#9")):
        page = page.replace(hers, nobodys)
    token = re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"')
    assert token.sub("", page) == token.sub("", unknown)


def test_a_record_says_what_it_cost_and_why(alice):
    put(
        alice, AT, request_id="req_x", coze_chat_id="chat-1", coze_conversation_id="conv-1", log_id="log-1",
        error_code="4013", status="failed", stream=True, input_tokens=45, output_tokens=123,
    )  # fmt: skip
    page = " ".join(read(client_of(alice), "/accounts/usage/calls/req_x/").split())
    for text in (
        "0.000291000 credits",
        "45 in, 123 out",
        "chat-1",
        "conv-1",
        "log-1",
        "4013",
        "laptop",
        "1.00 s",
    ):
        assert text in page
    for text in ("Input, for 1000 tokens", "0.001", "0.002", "× 1", "streamed", "counted by Coze"):
        assert text in page


def test_a_name_that_no_database_takes_is_nobodys_record(alice):
    put(alice, AT, request_id="req_x")
    browser = client_of(alice)
    odd = browser.get("/accounts/usage/calls/req_x%00/")
    assert odd.status_code == 404
    assert odd.content == browser.get("/accounts/usage/calls/req_nobody/").content


def test_an_estimate_says_that_it_is_one(alice):
    put(alice, AT, usage_source="estimated", request_id="req_x")
    assert "<small>estimated</small>" in read(client_of(alice), **DAYS)
    assert "estimated" in read(client_of(alice), "/accounts/usage/calls/req_x/")


def test_a_call_that_was_refused_has_no_price(alice):
    refused(alice, AT, request_id="req_x")
    page = read(client_of(alice), "/accounts/usage/calls/req_x/")
    assert "none: the call was refused before it was priced" in page
    assert "insufficient_quota" in page


def test_the_gateways_calls_bring_their_keys_name_and_kind(alice):
    price()
    fund(alice, 1000)
    hold = reserve(
        alice, "req_x", now=timezone.now(), api_key_id=7, api_key_name="laptop", kind="workflow_run"
    )
    from cozechat.usage import settling

    settling.settle(hold.request_id, outcome=settling.Outcome(), now=timezone.now())
    page = read(client_of(alice))
    assert "laptop · workflow run" in page


def test_the_log_goes_on_behind_the_last_row_though_calls_come_in(alice):
    """Twelve of each moment, so that a moment's rows are on two pages."""
    rows = [put(alice, AT + timedelta(seconds=number // 12)) for number in range(120)]
    wanted = [row.request_id for row in sorted(rows, key=lambda row: (row.created_at, row.pk), reverse=True)]
    browser = client_of(alice)
    page, found = read(browser, **DAYS), []
    for _ in range(3):
        found += listed(page)
        put(alice, AT + timedelta(hours=1))
        older = re.search(r'rel="next"[^>]*href="([^"#]+)', page)
        page = (
            browser.get("/accounts/usage/" + older[1].replace("&amp;", "&")).content.decode() if older else ""
        )
    assert older is None
    assert found == wanted


@pytest.mark.parametrize(
    "query",
    [
        "after=x", "after=-1-2", "after=9999999999999999999-1", "after=99999999999999999-1", "at=20261105",
        "range=forever", "measure=x&by=y", "key=x&key=9999999999999999999&key=999999999999999999", "model=%00",
        "status=x", "model=%ff%fe", "key=none", "range=custom", "range=custom&since=2026-11-02&until=2026-11-01",
        "range=custom&since=0001-01-01&until=9999-12-31", "range=custom&since=2024-01-01&until=2026-01-01",
        "range=custom&since=%00&until=x", "&".join(f"model={number}" for number in range(500)),
    ],
)  # fmt: skip
def test_an_address_that_makes_no_sense_is_no_fault(query, alice):
    put(alice, timezone.now())
    browser = client_of(alice)
    assert browser.get(f"/accounts/usage/?{query}").status_code == 200
    assert browser.get(f"/accounts/balance/?{query}").status_code == 200


def test_dates_that_make_no_sense_are_said_to(alice):
    page = read(client_of(alice), range="custom", since="2026-11-02", until="2026-11-01")
    assert "The first day is after the last one." in page
    page = read(client_of(alice), range="custom", since="2024-01-01", until="2026-11-01")
    assert "Choose a year at most." in page


def test_a_switch_keeps_the_rest_of_the_address(alice):
    put(alice, AT)
    page = read(client_of(alice), **DAYS, model="flow", by="key", measure="tokens")
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="(\?[^"]+)"', page)]
    calls = next(link for link in links if "measure=calls" in link)
    for part in ("range=custom", "since=2026-11-01", "model=flow", "by=key"):
        assert part in calls
    week = next(link for link in links if "range=7d" in link)
    assert "since" not in week
    assert "model=flow" in week
    assert '<input type="hidden" name="by" value="key">' in page


def test_names_from_outside_are_shown_as_text(alice):
    put(alice, AT, model='<script>alert(1)</script>"', api_key_name="<img src=x>", error_code="<b>")
    page = read(client_of(alice), **DAYS)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<b>" not in page.replace("<b>&lt;script&gt;alert(1)&lt;/script&gt;&quot;</b>", "")


def test_the_drawing_has_no_style_of_its_own(alice):
    put(alice, AT)
    answer = client_of(alice).get("/accounts/usage/", DAYS)
    page = answer.content.decode()
    assert "style-src 'self'" in answer["Content-Security-Policy"]
    assert "style=" not in page
    assert "<style" not in page


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_numbers_of_a_drawing_are_numbers_in_every_language(language, alice):
    for day in range(3):
        put(alice, AT + timedelta(days=day), output_tokens=1000 * day)
    answer = client_of(alice).get("/accounts/usage/", DAYS, headers={"accept-language": language})
    numbers = re.findall(r' (?:x|y|width|height)="([^"]+)"', answer.content.decode())
    assert len(numbers) > 60
    assert all(re.fullmatch(r"-?\d+(\.\d+)?%?", number) for number in numbers)


def test_the_scale_of_what_was_free_is_in_credits(alice):
    put(alice, AT, cost=0)
    scale = re.search(r'class="plot-scale".*?</div>', read(client_of(alice), **DAYS), re.DOTALL)[0]
    assert re.findall(r"<span>([^<]+)</span>", scale) == ["1.00", "0.50", "0"]


@pytest.mark.parametrize("low", [True, False])
def test_who_wants_to_know_is_told_that_little_is_left(low, alice):
    fund(alice, 10**9)
    Account.objects.filter(owner=alice).update(warn_below=2 * 10**9 if low else 10**9)
    for path in ("/accounts/usage/", "/accounts/balance/"):
        assert ("Your balance runs low." in read(client_of(alice), path)) is low


def test_a_script_of_ones_own_reads_balance_budget_and_today(alice, bob):
    fund(alice, 12_500_000_000)
    Account.objects.filter(owner=alice).update(limit=5 * 10**9, period="ever")
    now = timezone.now()
    put(alice, now, input_tokens=1000, output_tokens=500)
    put(alice, now, status="failed", input_tokens=10, output_tokens=0)
    put(alice, now - timedelta(days=1))
    put(bob, now)
    answer = client_of(alice).get("/api/me/usage")
    found = json.loads(answer.content)
    assert found["balance"] == {"available": "12.50", "held": "0.00", "debt": "0.00"}
    assert found["quota"] == {"used": "0.00", "limit": "5.00", "left": "5.00", "resets_at": None}
    found["today"].pop("since")
    assert found["today"] == {
        "calls": 2, "failed": 1, "input_tokens": 1010, "output_tokens": 500, "cost": "0.00201",
    }  # fmt: skip
    assert "no-store" in answer["Cache-Control"]


def test_a_script_without_a_log_in_or_of_a_visitor_is_told_so(bob):
    assert Client().get("/api/me/usage").json()["error"]["code"] == "signed_out"
    assert Client().get("/api/me/usage").status_code == 401
    visitor = User.objects.create_user("visitor-1", is_visitor=True)
    assert client_of(visitor).get("/api/me/usage").status_code == 403
    found = client_of(bob).get("/api/me/usage").json()
    assert found["quota"] is None
    assert found["today"]["calls"] == 0
    assert client_of(bob).post("/api/me/usage").status_code == 405


def test_looking_writes_nothing(alice):
    for path in ("/accounts/usage/", "/accounts/balance/", "/api/me/usage"):
        assert client_of(alice).get(path).status_code == 200
    assert not Account.objects.exists()
    assert not UsageRecord.objects.exists()
