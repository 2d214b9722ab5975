"""Shortcuts that are bound otherwise: one at a time, no keys twice, and nobody else's."""

import json

import pytest
from django.test import Client

from accounts import shortcuts
from accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("over_plain_http")]


def bind(user, act, keys):
    client = Client()
    client.force_login(user)
    body = json.dumps({"act": act, "keys": keys})
    return client.put("/api/me/shortcuts", body, content_type="application/json")


def test_no_two_acts_have_the_same_keys_and_all_defaults_can_be_bound():
    keys = [each.keys for each in shortcuts.SHORTCUTS]
    assert len(set(keys)) == len(keys)
    assert all(shortcuts.can_be_bound(each) for each in keys)


def test_keys_move_from_one_act_to_another_and_back(alice):
    bound = bind(alice, "copy_code", "Mod+K").json()
    assert (bound["copy_code"], bound["search"]) == ("Mod+K", "")
    bind(alice, "regenerate", "")

    alice.refresh_from_db()
    assert alice.shortcuts == {"copy_code": "Mod+K", "search": "", "regenerate": ""}
    bound = bind(alice, "search", None).json()
    assert (bound["search"], bound["copy_code"]) == ("Mod+K", "")


def test_the_page_carries_what_is_bound(alice, settings):
    bind(alice, "search", "Alt+Shift+F")
    client = Client()
    client.force_login(alice)
    assert 'data-keys="Alt+Shift+F"' in client.get("/").content.decode()


@pytest.mark.parametrize(
    "keys",
    [
        "A", "Shift+A", "Enter", "Mod+", "Mod+Enter", "Mod+T", "Mod+R", "Escape", "Ctrl+A", "Mod+Shift+AA",
        "Mod+K\n", "Mod+K\0", 1, [], {}, True, "x" * 9999,
    ],
)  # fmt: skip
def test_keys_that_are_for_writing_or_for_the_browser_are_refused(alice, keys):
    assert bind(alice, "search", keys).status_code == 400
    alice.refresh_from_db()
    assert alice.shortcuts == {}


@pytest.mark.parametrize("act", ["", "rm", None, 1, [], "__proto__"])
def test_an_act_that_there_is_not_is_refused(alice, act):
    assert bind(alice, act, "Mod+K").status_code == 400


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", "{", "null", '{"act": "search"}', '{"act": "search", "keys": "", "user": 1}']
)
def test_rubbish_is_refused(alice, body):
    client = Client()
    client.force_login(alice)
    assert client.put("/api/me/shortcuts", body, content_type="application/json").status_code == 400


def test_bob_binds_his_own(alice, bob):
    assert bind(bob, "search", "Alt+S").status_code == 200
    alice.refresh_from_db()
    assert alice.shortcuts == {}
    assert Client().put("/api/me/shortcuts", "{}", content_type="application/json").status_code == 401


@pytest.mark.parametrize("stored", [None, [], "x", {"search": 1}, {"gone": "Mod+G"}])
def test_a_row_that_is_older_than_the_table_does_no_harm(alice, stored):
    if stored is not None:
        User.objects.filter(pk=alice.pk).update(shortcuts=stored)
    alice.refresh_from_db()
    assert set(shortcuts.bound(alice)) == {each.act for each in shortcuts.SHORTCUTS}
    assert all(isinstance(keys, str) for keys in shortcuts.bound(alice).values())
