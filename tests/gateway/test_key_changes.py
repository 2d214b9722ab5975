"""API keys on their pages: limits, switching off, rotation, and how many there may be."""

import re
import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.signals import pre_save
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cozechat.catalog.environment import default_assistant
from cozechat.gateway import keys, own_keys
from cozechat.gateway.models import ApiKey
from cozechat.usage.budgets import Period
from cozechat.usage.models import BudgetWindow

from .key_steps import (
    HOME,
    LEAST,
    PLACES,
    SECRET,
    browser_of,
    make,
    models,
    place_of,
    secret_in,
    text_of,
    ticket_in,
)


@pytest.fixture
def as_alice(alice):
    return browser_of(alice)


def test_limits_are_changed_and_nothing_else(as_alice):
    default_assistant()
    key, secret = make(as_alice, which="some", names=["demo"], patterns="x", limit="5", last_day="2999-01-01")
    page = text_of(as_alice.get(place_of(key)))
    for shown in ('value="5.00"', 'value="2999-01-01"', ">\nx</textarea>"):
        assert shown in page
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    before = ApiKey.objects.values().get()
    as_alice.post(place_of(key), LEAST | {"name": "new", "limit": "7", "last_day": "2999-01-01"})
    after = ApiKey.objects.values().get()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"name", "limit", "models_allowed"}
    assert models(secret).status_code == 200


def test_saving_does_not_set_back_a_revocation_that_comes_between(as_alice):
    key, secret = make(as_alice)

    def revoke_meanwhile(**_):
        ApiKey.objects.filter(pk=key.pk).update(is_active=False)

    pre_save.connect(revoke_meanwhile, sender=ApiKey)
    try:
        as_alice.post(place_of(key), LEAST | {"name": "new"})
    finally:
        pre_save.disconnect(revoke_meanwhile, sender=ApiKey)
    key.refresh_from_db()
    assert (key.name, key.is_active) == ("new", False)
    assert models(secret).status_code == 401


def test_saving_unchanged_does_not_move_the_moment_at_which_a_key_ends(as_alice, alice):
    end = timezone.now() + timedelta(days=3, hours=1, seconds=7)
    key, _secret = keys.create(alice, name="a", expires_at=end)
    day = re.search(r'name="last_day" value="([0-9-]+)"', text_of(as_alice.get(place_of(key))))[1]
    as_alice.post(place_of(key), LEAST | {"last_day": day})
    key.refresh_from_db()
    assert (key.name, key.expires_at) == ("laptop", end)


def test_a_key_is_switched_off_and_on_again(as_alice):
    key, secret = make(as_alice)
    assert as_alice.post(place_of(key, "off/"))["Location"] == place_of(key)
    assert "switched off" in text_of(as_alice.get(HOME))
    assert models(secret).status_code == 401
    as_alice.post(place_of(key, "on/"))
    assert models(secret).status_code == 200


@pytest.mark.parametrize("rest", PLACES, ids=lambda rest: rest.strip("/") or "one")
def test_what_is_revoked_stays_revoked(rest, as_alice):
    key, secret = make(as_alice)
    ApiKey.objects.filter(pk=key.pk).update(is_active=False)  # as an administrator does
    form = LEAST | {"name": "x", "grace": "24", "is_active": "on"}
    told = as_alice.post(place_of(key, rest), form, follow=True)
    assert "This cannot be done with this key." in text_of(told)
    assert models(secret).status_code == 401
    assert list(ApiKey.objects.values_list("name", "is_active")) == [("laptop", False)]


def test_a_rotated_key_works_on_for_as_long_as_was_said(as_alice):
    key, secret = make(as_alice, limit="5", which="some", patterns="demo")
    ticket = ticket_in(as_alice.get(place_of(key, "rotate/")))
    form = {"grace": "168", "ticket": ticket}
    shown = as_alice.post(place_of(key, "rotate/"), form)
    fresh = secret_in(shown)
    assert "no-store" in shown["Cache-Control"]
    assert [models(each).status_code for each in (secret, fresh)] == [200, 200]
    key.refresh_from_db()
    assert timedelta(days=6) < key.expires_at - timezone.now() <= timedelta(days=7)
    new = ApiKey.objects.get(digest=keys.digest(fresh))
    assert (new.limit, new.models_allowed, new.expires_at) == (key.limit, ["demo"], None)
    assert "being replaced" in text_of(as_alice.get(HOME))
    for again in (form, {"grace": "168", "ticket": str(uuid.uuid4())}):
        told = as_alice.post(place_of(key, "rotate/"), again, follow=True)
        assert told.redirect_chain == [(HOME, 302)]
        assert not SECRET.search(text_of(told))
    assert ApiKey.objects.count() == 2
    as_alice.post(place_of(key), LEAST | {"name": "longer", "last_day": ""})
    assert ApiKey.objects.get(pk=key.pk).expires_at == key.expires_at
    as_alice.post(place_of(key, "revoke/"))
    assert [models(each).status_code for each in (secret, fresh)] == [401, 200]


def test_a_key_that_somebody_else_may_know_ends_at_once(as_alice):
    key, secret = make(as_alice)
    fresh = secret_in(as_alice.post(place_of(key, "rotate/"), {"grace": "0"}))
    assert [models(each).status_code for each in (secret, fresh)] == [401, 200]


def test_rotation_does_not_begin_a_budget_anew(as_alice):
    key, _secret = make(as_alice, limit="5")
    budget = key.budgets(end_user="1")[0]
    window = BudgetWindow.objects.at(budget, now=timezone.now())
    BudgetWindow.objects.spend([window.pk], amount=4_500_000_000)
    fresh = secret_in(as_alice.post(place_of(key, "rotate/"), {"grace": "0"}))
    new = ApiKey.objects.get(digest=keys.digest(fresh))
    assert BudgetWindow.objects.at(new.budgets(end_user="1")[0], now=timezone.now()) == window
    assert "4.50 of 5.00 credits" in text_of(as_alice.get(HOME))


def fill(owner, *, but=0):
    for number in range(own_keys.MOST - but):
        keys.create(owner, name=f"key {number}")


def test_more_keys_than_the_bound_are_refused_until_one_is_revoked(as_alice, alice):
    fill(alice)
    first = ApiKey.objects.last()
    for place in ("new/", f"{first.pk}/rotate/"):
        told = text_of(as_alice.post(HOME + place, LEAST | {"grace": "24"}))
        assert "You have 50 keys" in told
        assert not SECRET.search(told)
    as_alice.post(place_of(first, "revoke/"))
    make(as_alice)
    gone = ApiKey.objects.get(name="key 1")
    ApiKey.objects.filter(pk=gone.pk).update(expires_at=timezone.now() - timedelta(days=9))
    make(as_alice)
    assert "You have 50 keys" in text_of(as_alice.post(place_of(gone), LEAST | {"last_day": ""}))
    assert as_alice.get(HOME).status_code == 200


def test_of_many_forms_that_arrive_at_once_only_the_bound_is_made(alice):
    fill(alice, but=2)
    start, made = threading.Barrier(8), []

    def send():
        try:
            browser = browser_of(alice)
            start.wait()
            made.append(browser.post(HOME + "new/", LEAST))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in made] == [200] * 8
    assert sum(bool(SECRET.search(text_of(answer))) for answer in made) == 2
    assert ApiKey.objects.count() == own_keys.MOST


def test_one_form_that_is_sent_many_times_at_once_makes_one_key(alice):
    start, made, form = threading.Barrier(8), [], LEAST | {"ticket": str(uuid.uuid4())}

    def send():
        try:
            browser = browser_of(alice)
            start.wait()
            made.append(browser.post(HOME + "new/", form))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(bool(SECRET.search(text_of(answer))) for answer in made) == 1
    assert ApiKey.objects.count() == 1


def test_the_list_asks_the_database_as_often_for_fifty_keys_as_for_eight(as_alice, alice):
    asked = []
    for upto in (8, own_keys.MOST):
        for number in range(ApiKey.objects.count(), upto):
            limit = 10**9 if number % 2 else None
            keys.create(alice, name=f"key {number}", limit=limit, period=Period.values[number // 2 % 4])
        as_alice.get(HOME)
        with CaptureQueriesContext(connection) as queries:
            assert as_alice.get(HOME).status_code == 200
        asked.append(len(queries))
    assert asked[0] == asked[1] <= 12
