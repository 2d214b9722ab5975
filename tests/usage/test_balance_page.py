"""The balance page over HTTP: what is shown, codes, requests for credits, warnings."""

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from cozechat.usage import crediting, redeeming, settling
from cozechat.usage.models import Account, TopUpRequest
from cozechat.usage.pricing import Tokens
from tests.usage.books import fund, ledger, price, reserve, state
from tests.usage.conftest import at_the_site, client_of
from tests.usage.pages import figures, read, tables

pytestmark = pytest.mark.usefixtures("host")
PAGE = "/accounts/balance/"


def code(amount: int = 5 * 10**9, **more) -> str:
    return redeeming.issue(1, amount=amount, now=timezone.now(), batch=uuid.uuid4(), **more)[0]


def send(browser, path: str = "", **fields) -> str:
    """Send a form and follow to the page that answers."""
    answer = browser.post(f"{PAGE}{path}", fields, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_what_there_is_and_what_is_set_aside(alice, busy):
    found = figures(read(client_of(alice), PAGE))
    account = Account.objects.get(owner=alice)
    assert (account.available, account.held) == (977, 10)
    assert (found["Available"], found["Held"]) == ("0.000000977", "0.00000001")
    assert "Debt" not in found


def test_debt_is_said_to_refuse_calls(alice, root):
    price()
    account = fund(alice, 5)
    root_user = type(alice).objects.get(username="root")
    crediting.adjust(account, amount=-12, reason="x", actor=root_user, ref="1", now=timezone.now())
    page = read(client_of(alice), PAGE)
    assert figures(page)["Debt"] == "0.000000007"
    assert "overdrawn" in page


def test_the_budget_says_what_is_left_and_when_it_begins_anew(alice):
    price()
    fund(alice, 10**6)
    Account.objects.filter(owner=alice).update(limit=40, period="day")
    now = timezone.now()
    hold = reserve(alice, now=now)
    settling.settle(hold.request_id, outcome=settling.Outcome(tokens=Tokens(10, 5)), now=now)
    page = " ".join(read(client_of(alice), PAGE).split())
    assert "0.00000002 of 0.00000004 credits used, 0.00000002 left." in page
    tomorrow = (now + timedelta(days=1)).date()
    assert f"It begins anew at {tomorrow} 00:00:00 (UTC)." in page
    assert 'class="meter-used"' in page
    assert re.search(r'<rect class="meter-used"[^>]* width="50%"', page)


def test_the_ledger_tells_each_change_and_leads_to_the_call(alice, busy, root):
    account = Account.objects.get(owner=alice)
    root_user = type(alice).objects.get(username="root")
    crediting.adjust(account, amount=3, reason="a gift", actor=root_user, ref="1", now=timezone.now())
    page = read(client_of(alice), PAGE)
    rows = [row[1:] for row in tables(page)[0][1:]]
    assert ["usage", "done", "−0.000000013"] in rows
    assert ["adjustment", "a gift", "+0.000000003"] in rows
    assert any(row[0] == "top-up" and row[2] == "+0.000001" for row in rows)
    assert 'href="/accounts/usage/calls/done/"' in page
    assert "root" not in page


def test_the_ledger_goes_on_behind_the_last_row_though_more_comes_in(alice):
    for number in range(1, 121):
        crediting.top_up(
            alice.pk, amount=number, ref=f"r{number}", now=datetime(2026, 11, 1, 0, number // 12, tzinfo=UTC)
        )
    browser, found = client_of(alice), []
    page = read(browser, PAGE)
    for more in range(3):
        found += [row[2] for row in tables(page)[0][1:]]
        fund(alice, 7 + more)
        older = re.search(r'rel="next"[^>]*href="([^"#]+)', page)
        page = browser.get(PAGE + older[1]).content.decode() if older else ""
    assert found == [f"r{number}" for number in range(120, 0, -1)]


def test_bob_sees_none_of_alices_money(alice, bob, busy):
    page = read(client_of(bob), PAGE)
    assert figures(page)["Available"] == "0.00"
    assert "Nothing has changed your balance yet." in page


def test_a_code_becomes_credits_however_it_is_typed(alice):
    written = code(12_500_000_000)
    page = send(client_of(alice), "redeem/", code=f" {written.lower().replace('-', ' ')} ")
    assert "12.50 credits were added to your balance." in page
    assert state(alice) == (12_500_000_000, 0, 0)
    assert written not in page
    assert redeeming.digest_of(written) not in page


@pytest.mark.parametrize("state_of_code", ["unknown", "used", "expired"])
def test_a_code_that_is_worth_nothing_is_refused_alike(alice, bob, state_of_code):
    written = {
        "unknown": "ABCDE-" * 5,
        "used": code(),
        "expired": code(expires_at=datetime(2026, 1, 1, tzinfo=UTC)),
    }[state_of_code]
    if state_of_code == "used":
        send(client_of(bob), "redeem/", code=written)
    page = send(client_of(alice), "redeem/", code=written)
    assert "This code is unknown, used or expired." in page
    assert ledger(alice) == []


@pytest.mark.parametrize(
    "written", ["", " ", "\0", "x" * 101, "码"], ids=["empty", "blank", "nul", "long", "chinese"]
)
def test_what_is_no_code_is_refused(alice, written):
    page = send(client_of(alice), "redeem/", code=written)
    assert 'class="field-error"' in page
    assert ledger(alice) == []


@pytest.mark.django_db(transaction=True)
async def test_codes_cannot_be_tried_without_end_and_one_users_tries_are_not_anothers(alice, bob):
    async with at_the_site(alice, bob) as (hers, his):
        answers = [await hers.post(f"{PAGE}redeem/", {"code": f"{number}"}) for number in range(11)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429]
        assert "Too many tries." in answers[-1].content.decode()
        assert (await his.post(f"{PAGE}redeem/", {"code": "1"})).status_code == 200


def test_a_request_is_sent_once_and_shown_with_its_state(alice):
    browser = client_of(alice)
    page = send(browser, "requests/", amount="50", note="for\nthe demo")
    assert "Your request was sent." in page
    assert "for the demo" in page
    assert f'action="{PAGE}requests/"' not in page
    page = send(browser, "requests/", amount="60")
    assert "Your last request is still open." in page
    (wish,) = TopUpRequest.objects.all()
    assert (wish.owner, wish.amount, wish.state) == (alice, 50 * 10**9, "open")
    assert ledger(alice) == []


@pytest.mark.parametrize("amount", ["", "0", "-1", "1e3", "100000001", "0.0000000001", "५", "\0"])
def test_an_amount_that_makes_no_sense_is_not_asked_for(alice, amount):
    page = send(client_of(alice), "requests/", amount=amount)
    assert 'class="field-error"' in page
    assert not TopUpRequest.objects.exists()


def test_a_request_can_be_withdrawn_and_asked_anew(alice):
    browser = client_of(alice)
    send(browser, "requests/", amount="50")
    wish = TopUpRequest.objects.get()
    assert "Your request is withdrawn." in send(browser, f"requests/{wish.pk}/withdraw/")
    assert "This request has been decided." in send(browser, f"requests/{wish.pk}/withdraw/")
    send(browser, "requests/", amount="60")
    assert [(wish.state, wish.amount) for wish in TopUpRequest.objects.all()] == [
        ("open", 60 * 10**9), ("withdrawn", 50 * 10**9),
    ]  # fmt: skip


def test_bob_cannot_touch_alices_request_nor_learn_of_it(alice, bob):
    send(client_of(alice), "requests/", amount="50", note="hers")
    wish = TopUpRequest.objects.get()
    tried = client_of(bob).post(f"{PAGE}requests/{wish.pk}/withdraw/")
    nothing = client_of(bob).post(f"{PAGE}requests/{wish.pk + 1}/withdraw/")
    assert tried.status_code == nothing.status_code == 404
    assert tried.content == nothing.content
    wish.refresh_from_db()
    assert wish.state == "open"
    assert "hers" not in read(client_of(bob), PAGE)


@pytest.mark.parametrize("path", ["redeem/", "requests/", "requests/1/withdraw/", "warning/"])
def test_a_visitor_and_a_stranger_send_nothing(path, db):
    from django.test import Client

    from accounts.models import User

    visitor = User.objects.create_user("visitor-1", is_visitor=True)
    assert client_of(visitor).post(f"{PAGE}{path}").status_code == 403
    assert Client().post(f"{PAGE}{path}")["Location"].startswith("/accounts/login/")
    assert client_of(visitor).get(f"{PAGE}{path}").status_code == 405
    assert not Account.objects.exists()


def test_forms_of_money_are_guarded_against_forgery(alice):
    from django.test import Client

    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    for path in ("redeem/", "requests/", "warning/"):
        assert browser.post(f"{PAGE}{path}", {"code": code(), "amount": "5"}).status_code == 403
    assert ledger(alice) == []


def test_the_warnings_line_is_set_and_taken_away(alice):
    browser = client_of(alice)
    assert "Your balance runs low." in send(browser, "warning/", warn_below="2.5")
    assert Account.objects.get(owner=alice).warn_below == 2_500_000_000
    assert 'value="2.50"' in read(browser, PAGE)
    assert "Your balance runs low." not in send(browser, "warning/", warn_below="")
    assert 'class="field-error"' in send(browser, "warning/", warn_below="-1")
    assert Account.objects.get(owner=alice).warn_below is None
