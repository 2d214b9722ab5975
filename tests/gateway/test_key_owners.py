"""API keys on their pages: whose they are, and what only staff may grant."""

import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from cozechat.catalog.environment import default_assistant
from cozechat.gateway import keys, own_keys, sessions
from cozechat.gateway.models import ApiKey

from .key_steps import HOME, LEAST, PLACES, browser_of, make, models, place_of, secret_in, text_of


@pytest.fixture
def as_alice(alice):
    return browser_of(alice)


@pytest.mark.parametrize("rest", PLACES, ids=lambda rest: rest.strip("/") or "one")
def test_bob_finds_of_alices_key_what_he_finds_of_no_key(rest, as_alice, bob):
    key, secret = make(as_alice)
    before = ApiKey.objects.values().get(pk=key.pk)
    bobs = browser_of(bob)
    form = LEAST | {"name": "Bob's", "grace": "0", "ticket": str(uuid.uuid4())}
    for method in ("get", "post"):
        answers = [
            getattr(bobs, method)(f"{HOME}{number}/{rest}", form if method == "post" else None)
            for number in (key.pk, key.pk + 999, 10**30)
        ]
        told = [
            (answer.status_code, answer.get("Location"), text_of(answer).replace(str(key.pk), "…"))
            for answer in answers
        ]
        assert told[0][0] == (405 if method == "get" and rest in ("off/", "on/") else 404)
        assert told[0][:2] == told[1][:2] == told[2][:2]
        assert len(told[0][2]) == len(told[1][2])
    assert ApiKey.objects.values().get(pk=key.pk) == before
    assert ApiKey.objects.count() == 1
    assert models(secret).status_code == 200
    assert key.name not in text_of(bobs.get(HOME))


def test_bob_does_not_learn_by_a_known_ticket_either(as_alice, bob):
    key, _secret = make(as_alice)
    ticket = str(uuid.uuid4())
    bobs = browser_of(bob)
    make(bobs, ticket=ticket)
    assert bobs.post(place_of(key, "rotate/"), {"grace": "24", "ticket": ticket}).status_code == 404


@pytest.mark.parametrize("rest", ["", "new/", *(f"1/{rest}" for rest in PLACES)])
def test_only_members_come_in(rest, alice, visitor):
    for method in ("get", "post"):
        if method == "get" and rest.endswith(("off/", "on/")):
            continue
        if method == "post" and not rest:
            continue
        assert getattr(Client(), method)(HOME + rest)["Location"].startswith("/accounts/login/")
        assert getattr(browser_of(visitor), method)(HOME + rest, LEAST).status_code == 403
    assert not ApiKey.objects.exists()


def test_an_end_user_and_an_account_that_has_ended_do_not_come_in(as_alice, alice, bob):
    key, _secret = make(as_alice)
    someone = sessions.end_user_of(key, end_user="someone")
    assert browser_of(someone).get(HOME).status_code == 302
    bobs = browser_of(bob)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert bobs.post(HOME + "new/", LEAST).status_code == 302
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("rest", PLACES, ids=lambda rest: rest.strip("/") or "one")
def test_nothing_happens_without_a_csrf_token(rest, as_alice, alice):
    key, secret = make(as_alice)
    before = ApiKey.objects.values().get()
    strict = browser_of(alice, enforce_csrf_checks=True)
    assert strict.post(place_of(key, rest), LEAST | {"grace": "0"}).status_code == 403
    assert strict.post(HOME + "new/", LEAST).status_code == 403
    assert ApiKey.objects.values().get() == before
    assert models(secret).status_code == 200


@pytest.mark.parametrize("rest", ["", "rotate/", "revoke/", "off/", "on/"])
def test_looking_changes_nothing(rest, as_alice):
    key, _secret = make(as_alice)
    before = ApiKey.objects.values().get()
    as_alice.get(place_of(key, rest))
    assert ApiKey.objects.values().get() == before


@pytest.mark.parametrize("privilege", ["allows_unregistered", "trusts_open_webui", "fallback"])
def test_an_owner_does_not_widen_what_staff_have_granted(privilege, as_alice, alice):
    value = default_assistant() if privilege == "fallback" else True
    end = timezone.now() + timedelta(days=3)
    key, secret = keys.create(
        alice, name="a", models_allowed=["workflow:7"], limit=5, expires_at=end, **{privilege: value}
    )
    assert "An administrator has given this key" in text_of(as_alice.get(place_of(key)))
    before = ApiKey.objects.values().get()
    as_alice.post(place_of(key), LEAST | {"name": "mine", "limit": "9", "last_day": "2999-01-01"})
    after = ApiKey.objects.values().get()
    assert {name for name in before if before[name] != after[name]} == {"name"}
    with pytest.raises(own_keys.NotAllowed):
        own_keys.change(alice, key.pk, now=timezone.now(), name="mine", models_allowed=[])
    fresh = secret_in(as_alice.post(place_of(key, "rotate/"), {"grace": "24"}))
    new = ApiKey.objects.get(digest=keys.digest(fresh))
    assert (new.models_allowed, new.limit, new.expires_at) == (["workflow:7"], 5, end)
    assert as_alice.post(place_of(key, "revoke/")).status_code == 302
    assert models(secret).status_code == 401


def test_where_staff_allow_more_calls_at_once_that_is_the_bound(as_alice, alice):
    key, _secret = keys.create(alice, name="a", concurrency=500)
    for wanted, stored in (("501", 500), ("500", 500), ("200", 200), ("500", 200)):
        as_alice.post(place_of(key), LEAST | {"concurrency": wanted})
        key.refresh_from_db()
        assert key.concurrency == stored
