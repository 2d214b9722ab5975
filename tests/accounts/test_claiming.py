"""A visitor becomes a member, or a member keeps a visitor's chats: once, and only who shows the pass."""

import json
import threading
from datetime import timedelta
from functools import partial

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts import passes, visits
from accounts.models import User, Visit
from conversations.finding import index
from conversations.models import Conversation, CozeLeftover, Feedback, Message, Share, Turn
from conversations.turns import inheriting
from cozechat.catalog.environment import default_assistant
from tests.accounts.visit_steps import begin, showing, strict

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a-long-secret-sentence"


@pytest.fixture(autouse=True)
def emulated(coze):
    """There is an assistant to talk to."""


def visitor_of(visit):
    return User.objects.get(browser_key=visit["user"])


def chat_of(user, *, coze_id="", **turn):
    conversation = Conversation.objects.create(
        owner=user, assistant=default_assistant(), title="A chat", coze_conversation_id=coze_id
    )
    made = Turn.objects.create(
        conversation=conversation,
        owner=user,
        client_id=turn.pop("client_id", conversation.pk),
        **({"status": "completed", "ended_at": timezone.now()} | turn),
    )
    Message.objects.create(conversation=conversation, turn=made, role="user", content="I am Sam")
    return conversation


def claim(browser, shown):
    return browser.post("/api/visit/claim", json.dumps({"pass": shown}), content_type="application/json")


def sign_up(name, *, shown=None, browser=None):
    fields = {
        "username": name,
        "email": f"{name}@example.com",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    return (browser or Client()).post(
        "/accounts/signup/", fields | ({"visit": shown} if shown is not None else {})
    )


def as_member(user):
    browser = Client()
    browser.force_login(user)
    return browser


# --- Signing up


def test_who_signs_up_keeps_the_row_the_name_at_coze_and_the_chats():
    visit = begin()
    visitor = visitor_of(visit)
    conversation = chat_of(visitor, coze_id="7001")
    browser = Client()
    assert sign_up("sam", shown=visit["pass"], browser=browser).status_code == 302

    member = User.objects.get(username="sam")
    assert (member.pk, member.session_name) == (visitor.pk, visitor.session_name)
    assert not member.is_visitor and member.check_password(PASSWORD) and member.email == "sam@example.com"
    conversation.refresh_from_db()
    assert (conversation.owner_id, conversation.coze_conversation_id) == (member.pk, "7001")
    assert browser.get(f"/c/{conversation.pk}/").status_code == 200
    assert not Visit.objects.exists()


def test_after_signing_up_the_pass_opens_nothing_and_makes_no_second_member():
    visit = begin()
    chat_of(visitor_of(visit))
    sign_up("sam", shown=visit["pass"])
    assert Client().get("/api/visit", headers=showing(visit["pass"])).status_code == 404
    sign_up("bob", shown=visit["pass"])
    bob = User.objects.get(username="bob")
    assert bob.session_name != User.objects.get(username="sam").session_name
    assert not Conversation.objects.owned_by(bob).exists()


@pytest.mark.parametrize("shown", ["", "rubbish", "a" * 5000, "\0", "visit:"])
def test_rubbish_does_not_keep_anybody_from_signing_up(shown):
    other = begin()
    chat_of(visitor_of(other))
    assert sign_up("sam", shown=shown).status_code == 302
    assert not Conversation.objects.owned_by(User.objects.get(username="sam")).exists()


def test_a_sign_up_that_is_refused_takes_nothing(alice):
    visit = begin()
    assert sign_up("alice", shown=visit["pass"]).status_code == 200
    assert visitor_of(visit).is_visitor
    assert Client().get("/api/visit", headers=showing(visit["pass"])).status_code == 200


# --- A member keeps the chats


def test_a_member_gets_the_chats_and_coze_s_side_stays_with_the_visitor_to_be_deleted(alice):
    visit = begin()
    visitor = visitor_of(visit)
    conversation = chat_of(visitor, coze_id="7002")
    browser = as_member(alice)
    assert claim(browser, visit["pass"]).json() == {"kept": True}

    conversation.refresh_from_db()
    assert (conversation.owner_id, conversation.coze_conversation_id) == (alice.pk, "")
    assert set(Turn.objects.values_list("owner_id", flat=True)) == {alice.pk}
    assert browser.get(f"/c/{conversation.pk}/").status_code == 200
    left = CozeLeftover.objects.get()
    assert (left.session_name, left.coze_conversation_id) == (visitor.session_name, "7002")
    assert not User.objects.filter(pk=visitor.pk).exists()


def test_a_member_finds_what_was_said_in_the_chats(alice):
    visit = begin()
    conversation = chat_of(visitor_of(visit))
    index.take_in(index.pending(), most=10)
    browser = as_member(alice)
    claim(browser, visit["pass"])
    (found,) = browser.get("/api/search", {"q": "I am Sam"}).json()["items"]
    assert (found["id"], found["excerpt"]) == (str(conversation.pk), "I am Sam")


def test_what_hangs_on_a_conversation_moves_along(alice):
    visit = begin()
    visitor = visitor_of(visit)
    conversation = chat_of(visitor)
    Share.objects.create(conversation=conversation, owner=visitor, digest="0" * 64)
    Feedback.objects.create(
        turn=conversation.turns.first(), owner=visitor, rating="like", changed_at=timezone.now()
    )
    assert claim(as_member(alice), visit["pass"]).status_code == 200
    assert Share.objects.get().owner_id == alice.pk
    assert Feedback.objects.get().owner_id == alice.pk
    owned = [
        (model, field.name)
        for model in apps.get_app_config("conversations").get_models()
        for field in model._meta.get_fields()
        if field.many_to_one and field.related_model is User
    ]
    # Whoever adds another must say in `inheriting` what becomes of it. Days are a person's, folders a visitor's.
    assert {(model.__name__, name) for model, name in owned} == {
        ("Conversation", "owner"),
        ("Turn", "owner"),
        ("Share", "owner"),
        ("Attachment", "owner"),
        ("Feedback", "owner"),
        ("Folder", "owner"),
        ("TurnDay", "owner"),
    }


def test_a_visit_is_claimed_once(alice, bob):
    visit = begin()
    conversation = chat_of(visitor_of(visit))
    assert claim(as_member(alice), visit["pass"]).status_code == 200
    for again in (alice, bob):
        assert claim(as_member(again), visit["pass"]).status_code == 404
    conversation.refresh_from_db()
    assert conversation.owner_id == alice.pk


def test_bob_cannot_claim_what_he_has_no_pass_for(bob):
    visit = begin()
    visitor = visitor_of(visit)
    conversation = chat_of(visitor)
    browser = as_member(bob)
    row = Visit.objects.get()
    guesses = [
        str(visitor.pk), visitor.username, visitor.session_name, visit["user"], row.key_digest,
        f"{row.key_digest}.{visit['pass'].partition('.')[2]}", visit["pass"].partition(".")[0],
        passes.make()[0], "", "rubbish", "\0", "a" * 10_000,
    ]  # fmt: skip
    answers = {
        (response.status_code, response.content) for response in (claim(browser, guess) for guess in guesses)
    }
    assert len(answers) == 1
    assert next(iter(answers))[0] == 404
    conversation.refresh_from_db()
    assert conversation.owner_id == visitor.pk


@pytest.mark.parametrize("body", ["[]", "{", "{}", '{"pass": null}', '{"pass": 1}', '{"pass": ["x"]}'])
def test_a_claim_that_is_no_claim(alice, body):
    response = as_member(alice).post("/api/visit/claim", body, content_type="application/json")
    assert response.status_code == 400


def test_only_members_claim_and_only_from_the_sites_own_pages(alice):
    visit, other = begin(), begin()
    assert claim(Client(), visit["pass"]).status_code == 401
    visitor = Client(headers=showing(other["pass"]))
    assert claim(visitor, visit["pass"]).status_code == 401
    browser = strict()
    browser.force_login(alice)
    assert claim(browser, visit["pass"]).status_code == 403
    # A request that shows a pass is the visitor's, not Alice's, so it goes around no check.
    response = browser.post(
        "/api/visit/claim",
        json.dumps({"pass": visit["pass"]}),
        content_type="application/json",
        headers=showing(visit["pass"]),
    )
    assert response.status_code == 401
    assert Visit.objects.filter(claimed_at=None).count() == 2


def test_what_is_over_cannot_be_claimed(alice):
    visit = begin()
    Visit.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    assert claim(as_member(alice), visit["pass"]).status_code == 404


def test_a_claimed_visit_opens_nothing_while_its_chats_still_wait(alice):
    visit = begin()
    visitor = visitor_of(visit)
    running = chat_of(visitor, status="in_progress", ended_at=None)
    quiet = chat_of(visitor)
    assert claim(as_member(alice), visit["pass"]).status_code == 200
    assert set(Conversation.objects.owned_by(alice)) == {quiet}
    assert Client().get("/api/visit", headers=showing(visit["pass"])).status_code == 404
    assert Client().get("/api/conversations/", headers=showing(visit["pass"])).status_code == 401

    Turn.objects.filter(conversation=running).update(status="completed", ended_at=timezone.now())
    visits.clear()
    inheriting.settle()
    assert set(Conversation.objects.owned_by(alice)) == {quiet, running}
    assert not User.objects.filter(pk=visitor.pk).exists()


def test_client_ids_that_were_used_by_both_do_not_stop_the_move(alice):
    visit = begin()
    hers = chat_of(alice)
    conversation = chat_of(visitor_of(visit), client_id=hers.pk)
    assert claim(as_member(alice), visit["pass"]).status_code == 200
    assert conversation in Conversation.objects.owned_by(alice)


def test_a_member_who_goes_meanwhile_does_not_open_the_visit_again(alice, bob):
    visit = begin()
    visitor = visitor_of(visit)
    chat_of(visitor, status="in_progress", ended_at=None)
    claim(as_member(alice), visit["pass"])
    alice.delete()
    assert claim(as_member(bob), visit["pass"]).status_code == 404
    visits.clear()
    assert not User.objects.filter(pk=visitor.pk).exists()


def race(*acts):
    """Run these at the same moment; returns what each came to."""
    gate, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(number, act):
        try:
            gate.wait()
            results[number] = act()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_many_claims_at_once_one_wins(alice, bob):
    for _round in range(5):
        visit = begin()
        conversation = chat_of(visitor_of(visit))
        members = [alice, bob, alice, bob]
        won = race(*(partial(visits.claim, visit["pass"], member=member) for member in members))
        assert sum(won) == 1
        conversation.refresh_from_db()
        assert conversation.owner_id == members[won.index(True)].pk


def test_a_claim_a_sign_up_and_the_end_at_once_leave_the_chat_with_one_owner_or_none(alice):
    for number in range(5):
        visit = begin()
        conversation = chat_of(visitor_of(visit))
        name = f"sam{number}"
        race(
            partial(visits.claim, visit["pass"], member=alice),
            partial(sign_up, name, shown=visit["pass"]),
            partial(visits.end, visit["pass"]),
        )
        sam = User.objects.get(username=name)
        owner = Conversation.objects.filter(pk=conversation.pk).values_list("owner_id", flat=True).first()
        assert owner in {alice.pk, sam.pk, None}
        assert not User.objects.filter(is_visitor=True).exists()
