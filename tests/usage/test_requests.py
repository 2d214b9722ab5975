"""Requests for credits, where staff decide: once, and the books know."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from cozechat.usage import requesting
from cozechat.usage.models import LedgerEntry, TopUpRequest
from tests.usage.books import ledger, state
from tests.usage.conftest import client_of
from tests.usage.pages import read

pytestmark = pytest.mark.usefixtures("host")
AMOUNT = 50 * 10**9


@pytest.fixture
def wish(alice) -> TopUpRequest:
    return requesting.ask(alice.pk, amount=AMOUNT, note="the demo", now=timezone.now())


def decide(browser, wish, button: str, **fields) -> str:
    answer = browser.post(
        f"/admin/usage/topuprequest/{wish.pk}/decide/", {button: "x", **fields}, follow=True
    )
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_staff_see_who_wishes_for_what(root, wish, language):
    headers = {"accept-language": language}
    for path in ("", f"{wish.pk}/change/", f"{wish.pk}/decide/"):
        page = root.get(f"/admin/usage/topuprequest/{path}", headers=headers).content.decode()
        assert "alice" in page
        assert "50.00" in page


def test_what_is_granted_is_booked_once_in_the_clerks_name(root, alice, wish):
    assert "Granted: 50.00 credits." in decide(root, wish, "_grant", answer="With pleasure")
    assert "This request has been decided" in decide(root, wish, "_grant")
    assert "This request has been decided" in decide(root, wish, "_refuse")
    assert ledger(alice) == [("top_up", AMOUNT)]
    assert state(alice) == (AMOUNT, 0, 0)
    entry = LedgerEntry.objects.get()
    assert (entry.ref, entry.actor_name) == (f"request-{wish.pk}", "root")
    page = read(client_of(alice), "/accounts/balance/")
    assert "With pleasure" in page
    assert "granted" in page


def test_what_is_refused_books_nothing(root, alice, wish):
    decide(root, wish, "_refuse", answer="Please ask for less.")
    assert "This request has been decided" in decide(root, wish, "_grant")
    assert ledger(alice) == []
    assert "Please ask for less." in read(client_of(alice), "/accounts/balance/")


def test_a_request_whose_owner_is_gone_is_not_granted(root, alice, wish):
    alice.delete()
    assert "its owner is gone" in decide(root, wish, "_grant")
    wish.refresh_from_db()
    assert wish.state == "open"


def test_who_may_only_look_decides_nothing(clerk, alice, wish):
    assert clerk.get("/admin/usage/topuprequest/").status_code == 200
    for method in (clerk.get, clerk.post):
        assert method(f"/admin/usage/topuprequest/{wish.pk}/decide/").status_code == 403
    assert clerk.post(f"/admin/usage/topuprequest/{wish.pk}/delete/").status_code == 403
    assert client_of(alice).get(f"/admin/usage/topuprequest/{wish.pk}/decide/").status_code == 302


def test_the_database_knows_of_one_open_request_a_user(alice, bob, wish):
    with pytest.raises(requesting.AlreadyOpen):
        requesting.ask(alice.pk, amount=1, note="", now=timezone.now())
    with pytest.raises(IntegrityError), transaction.atomic():
        TopUpRequest.objects.create(owner=alice, amount=1, created_at=timezone.now())
    requesting.ask(bob.pk, amount=1, note="", now=timezone.now())


@pytest.mark.django_db(transaction=True)
def test_of_many_who_decide_at_once_one_wins_and_the_books_follow(alice, transactional_db, django_user_model):
    wish = requesting.ask(alice.pk, amount=AMOUNT, note="", now=timezone.now())
    boss = django_user_model.objects.create_user("boss")
    gate = threading.Barrier(8)
    won: list[str] = []

    def try_it(act, name) -> None:
        gate.wait()
        try:
            if act(wish, now=timezone.now(), **({} if name == "withdraw" else {"answer": "", "actor": boss})):
                won.append(name)
        finally:
            connection.close()

    acts = [(requesting.grant, "grant")] * 4 + [(requesting.refuse, "refuse")] * 2
    acts += [(requesting.withdraw, "withdraw")] * 2
    threads = [threading.Thread(target=try_it, args=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    wish.refresh_from_db()
    states = {"grant": "granted", "refuse": "refused", "withdraw": "withdrawn"}
    assert wish.state == states[won[0]]
    assert ledger(alice) == ([("top_up", AMOUNT)] if won == ["grant"] else [])
