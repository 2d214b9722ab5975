"""An account ends when its owner says so, for good, here and at Coze; a receipt says what became of what."""

import asyncio
import re

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.models import User
from conversations import turns
from conversations.models import Conversation, CozeLeftover, DeletionReceipt, Message, ReceiptLine, Turn
from conversations.privacy import closing
from cozechat import database
from cozechat.audit.models import AuditEvent, Verb
from cozechat.catalog.models import CozeApp
from cozechat.gateway.models import StickyConversation
from tests.audit.conftest import PASSWORD, signed_in
from tests.conversations import rows
from tests.conversations.test_farewells import gone_at_coze

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/accounts/privacy/delete/"


def farewell(client, **changes):
    return client.post(PATH, {"password": PASSWORD, "understood": "on"} | changes)


def test_the_page_lists_what_goes(alice, thread):
    page = signed_in(alice).get(PATH)
    counted = {each.label: each.count for each in page.context["holdings"]}
    assert (counted["Messages"], counted["Conversations"], counted["Turns"]) == (2, 1, 1)
    assert User.objects.filter(pk=alice.pk).exists()


def test_all_of_it_goes_and_bobs_stays(alice, bob, thread):
    bobs = rows.conversation(bob, title="bobs")
    rows.turn(bobs, "hello", "hello bob")
    client, elsewhere = signed_in(alice), signed_in(alice)
    answer = farewell(client)
    assert answer["Location"].startswith("/accounts/privacy/receipts/")
    assert not User.objects.filter(pk=alice.pk).exists()
    assert list(Conversation.objects.all()) == [bobs]
    assert (Turn.objects.count(), Message.objects.count()) == (1, 2)
    for browser in (client, elsewhere):
        assert browser.get("/")["Location"].startswith("/accounts/login/")
    assert not Session.objects.filter(session_key=client.session.session_key).exists()


def test_the_sockets_are_told_to_close(alice, thread):
    from accounts.signals import login_ended

    heard, pk = [], alice.pk

    def listen(**told):
        heard.append((told["user_id"], told["session_key"]))

    login_ended.connect(listen)
    farewell(signed_in(alice))
    assert (pk, None) in heard


@pytest.mark.parametrize("changes", [
    {"password": "wrong"}, {"password": ""}, {"understood": ""}, {"name": "alice", "password": ""},
])  # fmt: skip
def test_without_password_or_consent_nothing_goes(alice, thread, changes):
    assert farewell(signed_in(alice), **changes).status_code == 200
    assert User.objects.filter(pk=alice.pk).exists()
    assert not DeletionReceipt.objects.exists()


def test_the_password_cannot_be_guessed_there(alice):
    client = signed_in(alice)
    for number in range(10):
        farewell(client, password=f"guess {number}")
    farewell(client)
    assert User.objects.filter(pk=alice.pk).exists()


def test_a_foreign_page_cannot_send_the_form(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert farewell(client).status_code == 403
    assert User.objects.filter(pk=alice.pk).exists()


def test_bob_cannot_end_alices_account(alice, bob):
    farewell(signed_in(bob), user=alice.pk, username="alice", id=alice.pk)
    assert list(User.objects.values_list("username", flat=True)) == ["alice"]


def test_a_visitor_types_the_name_instead_of_a_password(db):
    visitor = User(username="visitor-1", is_visitor=True)
    visitor.set_unusable_password()
    visitor.save()
    client = signed_in(visitor)
    assert client.post(PATH, {"name": "visitor-2", "understood": "on"}).status_code == 200
    assert client.post(PATH, {"name": "visitor-1", "understood": "on"}).status_code == 302
    assert not User.objects.exists()


def test_the_only_administrator_stays(root):
    page = farewell(signed_in(root)).content.decode()
    assert "You are the only administrator" in page
    User.objects.create_superuser("other", "o@example.com", PASSWORD)
    assert farewell(signed_in(root)).status_code == 302


def test_the_receipt_opens_to_whoever_has_the_address_and_to_nobody_else(alice, bob, thread):
    rows.conversation(alice)
    session_name = alice.session_name
    address = farewell(signed_in(alice))["Location"]
    page = Client().get(address)
    text = page.content.decode()
    assert str(thread.pk) in text
    assert "7400000000000000001" in text
    assert page["X-Robots-Tag"].startswith("noindex")
    assert "no-store" in page["Cache-Control"]
    for secret in ("alice", session_name, "zebra"):
        assert secret not in text
    told = Client().get(address.rstrip("/") + ".json").json()
    assert [line["at_coze"] for line in told["conversations"]] == ["pending", "never"]
    for client in (Client(), signed_in(bob)):
        for guess in (
            "x",
            "x" * 43,
            str(DeletionReceipt.objects.get().pk),
            "%00",
            address.split("/")[-2][:-1],
        ):
            assert client.get(f"/accounts/privacy/receipts/{guess}/").status_code == 404
            assert client.get(f"/accounts/privacy/receipts/{guess}.json").status_code == 404
    assert address.split("/")[-2] not in str(list(DeletionReceipt.objects.values()))


def test_a_receipt_ends_after_thirty_days(alice):
    from datetime import timedelta

    from django.utils import timezone

    from conversations.turns import sweeping

    address = farewell(signed_in(alice))["Location"]
    assert (
        timedelta(days=29) < DeletionReceipt.objects.get().expires_at - timezone.now() <= timedelta(days=30)
    )
    DeletionReceipt.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert Client().get(address).status_code == 404
    asyncio.run(sweeping.sweep())
    assert not DeletionReceipt.objects.exists()


def test_the_trail_keeps_numbers(alice, thread):
    pk = alice.pk
    farewell(signed_in(alice))
    events = AuditEvent.objects.filter(subject_id=pk)
    assert list(events.order_by("pk").values_list("verb", flat=True)) == [
        Verb.SIGNED_IN,
        Verb.ACCOUNT_DELETED,
    ]
    assert "alice" not in str(list(events.values()))


def test_nothing_has_happened_if_it_cannot_be_written_down(alice, thread, monkeypatch):
    from django.db import DatabaseError

    def broken(*_args, **_kwargs):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(closing, "record", broken)
    client = signed_in(alice)
    client.raise_request_exception = False
    assert farewell(client).status_code == 500
    assert Message.objects.count() == 2
    assert not (DeletionReceipt.objects.exists() or CozeLeftover.objects.exists())
    assert client.get("/").status_code == 200


def close(user: User) -> str:
    return closing.close_account(User.objects.get(pk=user.pk))


def states() -> list[str]:
    return list(ReceiptLine.objects.values_list("state", flat=True))


async def mirror() -> None:
    turns.engine().mirror.wake()
    await turns.engine().mirror.work()


async def test_coze_confirms_and_the_receipt_says_so(coze, alice, bob, tab):
    async with tab(alice) as alices, tab(bob) as bobs:
        await asyncio.gather(alices.say("hello"), bobs.say("hello"))
    app = await database.run(CozeApp.objects.get)
    ids = await database.run(
        lambda: dict(Conversation.objects.values_list("owner__username", "coze_conversation_id"))
    )
    token = await database.run(close, alice)
    assert await database.run(states) in (["pending"], ["deleted"])
    await mirror()
    assert await database.run(states) == ["deleted"]
    assert await gone_at_coze(app, alice.session_name, ids["alice"])
    assert not await gone_at_coze(app, bob.session_name, ids["bob"])
    page = await database.run(Client().get, f"/accounts/privacy/receipts/{token}/")
    assert "At Coze nothing is left either." in page.content.decode()


async def test_what_coze_refuses_now_is_confirmed_later(coze, alice, tab):
    async with tab(alice) as page:
        await page.say("hello")
    coze.arm("html-502", path="/v1/conversations", times=1)
    await database.run(close, alice)
    await mirror()
    before = await database.run(states)
    await mirror()
    assert (before, await database.run(states)) == (["pending"], ["deleted"])


async def test_an_answer_that_runs_ends_with_the_account_and_its_socket_closes(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.ask("count to 500 slowly")
        await asked.words()
        await database.run(close, alice)
        assert await page.close_code() == 4401
    assert not turns.engine().running or await _ended()
    counts = await database.run(lambda: (User.objects.count(), Turn.objects.count(), Message.objects.count()))
    assert counts == (0, 0, 0)
    await mirror()
    assert await database.run(states) == ["deleted"]


async def _ended() -> bool:
    for _look in range(200):
        if not turns.engine().running:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_conversation_that_coze_makes_while_the_account_goes_is_deleted_there_too(
    coze, alice, tab, monkeypatch
):
    """The account is deleted while Coze is asked for the first conversation: then nobody else would know of it."""
    from conversations.turns import counterparts

    made, keep = [], counterparts._make

    async def make(running, **asked):
        coze_id = await keep(running, **asked)
        made.append(coze_id)
        await database.run(close, alice)
        return coze_id

    monkeypatch.setattr(counterparts, "_make", make)
    async with tab(alice) as page:
        await page.ask("hello")
        await page.close_code()
    assert await _ended()
    await mirror()
    app = await database.run(CozeApp.objects.get)
    assert await gone_at_coze(app, alice.session_name, made[0])
    assert not await database.run(CozeLeftover.objects.exists)
    assert sorted(await database.run(states)) == ["deleted", "never"]


async def test_two_farewells_at_once_make_one(coze, alice, tab):
    async with tab(alice) as page:
        await page.say("hello")
    outcomes = await asyncio.gather(
        *(database.run(close, alice) for _twice in range(2)), return_exceptions=True
    )
    assert sum(isinstance(outcome, str) for outcome in outcomes) >= 1
    assert await database.run(DeletionReceipt.objects.count) == sum(
        isinstance(each, str) for each in outcomes
    )
    assert not await database.run(User.objects.exists)


def test_the_token_of_a_receipt_cannot_be_guessed():
    tokens = {DeletionReceipt.draw(session_name="u_x")[1] for _draw in range(50)}
    assert len(tokens) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_what_the_accounts_programs_talked_about_goes_at_coze_too(alice, bob, thread):
    app = CozeApp.objects.get()
    for owner, coze_id in ((alice, "7400000000000000002"), (bob, "7400000000000000003")):
        customer = User.objects.create(username=f"customer of {owner}", end_user_of=owner, is_active=False)
        StickyConversation.objects.create(user=customer, app=app, coze_conversation_id=coze_id)
    farewell(signed_in(alice))
    mine = ["7400000000000000001", "7400000000000000002"]
    assert sorted(ReceiptLine.objects.values_list("coze_conversation_id", flat=True)) == mine
    assert sorted(CozeLeftover.objects.values_list("coze_conversation_id", flat=True)) == mine
    assert StickyConversation.objects.count() == 1
