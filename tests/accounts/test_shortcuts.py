"""Shortcuts that are bound otherwise: one at a time, no keys twice, and nobody else's."""

import pytest
from django.test import Client

from accounts import shortcuts
from accounts.models import User
from accounts.preferences import NoSuchChoice

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("over_plain_http")]


PAGE = "/accounts/settings/shortcuts/"


def bind(user, act, keys):
    client = Client()
    client.force_login(user)
    sent = {"act": act} | ({"standard": "1"} if keys is None else {"keys": keys})
    response = client.post(PAGE, sent)
    assert response["Location"] == PAGE
    user.refresh_from_db()
    return shortcuts.bound(user), client.get(PAGE).content.decode()


def test_no_two_acts_have_the_same_keys_and_all_defaults_can_be_bound():
    keys = [each.keys for each in shortcuts.SHORTCUTS]
    assert len(set(keys)) == len(keys)
    assert all(shortcuts.can_be_bound(each) for each in keys)


def test_keys_move_from_one_act_to_another_and_back(alice):
    bound, _page = bind(alice, "copy_code", "ctrl + k")
    assert (bound["copy_code"], bound["search"]) == ("Mod+K", "")
    bind(alice, "regenerate", "")
    assert alice.shortcuts == {"copy_code": "Mod+K", "search": "", "regenerate": ""}

    bound, page = bind(alice, "search", None)
    assert (bound["search"], bound["copy_code"]) == ("Mod+K", "")
    assert 'value="Ctrl+K"' in page


def test_the_chat_page_carries_what_is_bound(alice):
    bind(alice, "search", "Shift+Alt+F")
    client = Client()
    client.force_login(alice)
    assert 'data-keys="Alt+Shift+F"' in client.get("/").content.decode()


@pytest.mark.parametrize(
    "keys",
    ["A", "Shift+A", "Enter", "Ctrl+", "Ctrl+Enter",
     "⌘T", "Mod+R", "Esc", "X+A", "Mod+Shift+AA", "Mod+K\0", "+", "x" * 9999],
)  # fmt: skip
def test_keys_that_are_for_writing_or_for_the_browser_are_refused(alice, keys):
    _bound, page = bind(alice, "search", keys)
    assert "These keys cannot be used here." in page
    assert alice.shortcuts == {}


@pytest.mark.parametrize("wish", [None, [], {}, {"act": "search"}, {"act": "search", "keys": 1},
    {"act": "search", "keys": "Mod+K\n"},
    {"act": [], "keys": ""}, {"act": "rm", "keys": ""}, {"act": "search", "keys": "", "user": 1}])  # fmt: skip
def test_rubbish_is_refused(alice, wish):
    with pytest.raises(NoSuchChoice):
        shortcuts.bind(alice, wish=wish)


def test_bob_binds_his_own(alice, bob):
    client = Client()
    client.force_login(bob)
    client.post(PAGE, {"act": "search", "keys": "Alt+S", "user": alice.pk, "id": alice.pk})
    alice.refresh_from_db()
    bob.refresh_from_db()
    assert (alice.shortcuts, bob.shortcuts) == ({}, {"search": "Alt+S"})
    assert Client().get(PAGE)["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("stored", [[], "x", {"search": 1}, {"gone": "Mod+G"}])
def test_a_row_that_is_older_than_the_table_does_no_harm(alice, stored):
    User.objects.filter(pk=alice.pk).update(shortcuts=stored)
    alice.refresh_from_db()
    assert set(shortcuts.bound(alice)) == {each.act for each in shortcuts.SHORTCUTS}
    assert all(isinstance(keys, str) for keys in shortcuts.bound(alice).values())
