"""Keys: made by a command or in the admin, shown once, stored as digests."""

import json
from importlib import import_module

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import AsyncClient, Client
from django.utils import timezone

from cozechat import database
from cozechat.catalog.models import Assistant
from cozechat.gateway import keys, routes, sessions
from cozechat.gateway.errors import Refusal
from cozechat.gateway.models import ApiKey
from cozechat.logs import redact
from cozechat.usage.budgets import Budget, Scope
from cozechat.usage.models import Account, BudgetWindow
from cozechat.usage.reports import quota


def made(capsys, *arguments):
    call_command("create_api_key", *arguments)
    return capsys.readouterr().out.strip()


def test_the_command_prints_a_key_that_opens(alice, capsys):
    secret = made(capsys, "alice", "--name", "laptop", "--models", "gpt-4", "workflow:*")
    key = keys.authenticate(f"Bearer {secret}", address="127.0.0.1", now=timezone.now())
    assert (key.owner, key.name, key.models_allowed) == (alice, "laptop", ["gpt-4", "workflow:*"])
    told = json.loads(made(capsys, "alice", "--name", "script", "--json"))
    assert set(told) == {"id", "name", "key"}


@pytest.mark.parametrize(
    "arguments", [("nobody", "--name", "x"), ("alice", "--name", "x", "--fallback", "y")]
)
def test_the_command_refuses_what_it_does_not_know(arguments, alice, bob):
    with pytest.raises(CommandError):
        call_command("create_api_key", *arguments)
    assert ApiKey.objects.count() == 0


def test_who_gets_a_key_has_a_balance_that_can_be_filled(alice):
    keys.create(alice, name="a")
    assert Account.objects.get(owner_id=alice.pk).available == 0


def test_a_site_that_nobody_has_visited_yet_offers_what_its_environment_names(alice):
    key, _secret = keys.create(alice, name="a")
    assert Assistant.objects.count() == 0
    assert routes.find("demo", key=key).name == "demo"
    Assistant.objects.all().delete()
    assert "demo" in routes.names_for(key)


def test_an_end_user_owns_no_keys(alice):
    key, _secret = keys.create(alice, name="a")
    someone = sessions.end_user_of(key, end_user="someone")
    with pytest.raises(CommandError):
        call_command("create_api_key", someone.username, "--name", "x")


def test_no_column_holds_the_key(alice):
    key, secret = keys.create(alice, name="a")
    row = ApiKey.objects.filter(pk=key.pk).values().get()
    assert secret not in str(row)
    assert secret[12:-4] not in str(row)
    assert key.hint.endswith(secret[-4:])


def test_no_log_shows_a_key(alice):
    _key, secret = keys.create(alice, name="a")
    assert secret[8:] not in redact(f"it was {secret}.")


def test_a_key_ends_with_its_owner(alice):
    _key, secret = keys.create(alice, name="a")
    alice.is_active = False
    alice.save()
    with pytest.raises(Refusal) as refused:
        keys.authenticate(f"Bearer {secret}", address="127.0.0.1", now=timezone.now())
    assert refused.value.code == "invalid_api_key"


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Basic abc", "Bearer \x00", "Bearer sk-cc-x y", "sk-cc-x"]
)
def test_anything_else_opens_nothing(authorization, db):
    with pytest.raises(Refusal) as refused:
        keys.authenticate(authorization, address="127.0.0.1", now=timezone.now())
    assert refused.value.status == 401


@pytest.mark.parametrize(
    "wrong", [{"addresses": ["nowhere"]}, {"models_allowed": "gpt-4"}, {"addresses": [1]}]
)
def test_lists_are_checked(wrong, alice):
    with pytest.raises(ValidationError):
        keys.create(alice, name="a", **wrong)


@pytest.mark.parametrize(
    ("address", "admitted"),
    [("192.0.2.7", True), ("::ffff:192.0.2.7", True), ("198.51.100.1", False), ("x", False)],
)
def test_a_key_knows_where_it_may_be_used(address, admitted):
    assert ApiKey(addresses=["192.0.2.0/24"]).admits(address) is admitted


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        (None, 200),
        ("", 200),
        (" , ", 200),
        ("192.0.2.7", 403),
        ("127.0.0.1, 192.0.2.7", 403),
        ("x, 127.0.0.1", 200),
    ],
    ids=["none", "empty", "nothing in it", "elsewhere", "made up", "here"],
)
async def test_the_nearest_proxy_says_where_a_request_comes_from_if_it_says_anything(
    forwarded, status, alice, settings
):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    secret = (await database.run(keys.create, alice, name="a", addresses=["127.0.0.1"]))[1]
    headers = {"authorization": f"Bearer {secret}"}
    if forwarded is not None:
        headers["x-forwarded-for"] = forwarded
    assert (await AsyncClient().get("/v1/models", headers=headers)).status_code == status


def test_a_successor_keeps_settings_and_sessions_and_the_old_key_works_a_day_more(alice):
    key, secret = keys.create(alice, name="a", models_allowed=["flow"])
    now = timezone.now()
    successor, fresh = keys.rotate(key, now=now)
    assert fresh != secret
    assert successor.models_allowed == ["flow"]
    assert sessions.session_names(successor, end_user="1") == sessions.session_names(key, end_user="1")
    assert keys.authenticate(f"Bearer {secret}", address="", now=now).pk == key.pk
    with pytest.raises(Refusal):
        keys.authenticate(f"Bearer {secret}", address="", now=now + keys.GRACE)


def test_end_users_keep_their_session_when_the_sites_secret_is_replaced(alice, settings):
    key, _secret = keys.create(alice, name="a")
    before = sessions.end_user_of(key, end_user="1")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert sessions.end_user_of(key, end_user="1") == before
    assert sessions.end_user_of(key, end_user="2").session_name != before.session_name


def test_the_admin_shows_a_new_key_once_and_no_end_users_among_people(alice):
    alice.is_staff = alice.is_superuser = True
    alice.save()
    client = Client()
    client.force_login(alice)
    form = {
        "owner": alice.pk, "name": "page", "is_active": "on", "models_allowed": "[]", "addresses": "[]",
        "period": "month", "end_user_period": "month",
    }  # fmt: skip
    page = client.post("/admin/gateway/apikey/add/", form, follow=True)
    key = ApiKey.objects.get(name="page")
    text = page.content.decode()
    secret = text.split("<code>")[1].split("</code>")[0]
    assert keys.digest(secret) == key.digest
    assert secret not in client.get(f"/admin/gateway/apikey/{key.pk}/change/").content.decode()
    client.post("/admin/gateway/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
    assert not ApiKey.objects.get(pk=key.pk).is_active
    someone = sessions.end_user_of(key, end_user="someone")
    assert someone.username not in client.get("/admin/accounts/user/").content.decode()


def test_an_end_user_cannot_be_made_able_to_log_in(alice):
    from django.db import IntegrityError

    key, _secret = keys.create(alice, name="a")
    someone = sessions.end_user_of(key, end_user="someone")
    someone.is_active = True
    with pytest.raises(IntegrityError):
        someone.save()


def test_what_keys_had_spent_by_number_is_counted_by_scope_after_the_update(alice):
    now = timezone.now()
    old, _secret = keys.create(alice, name="a", limit=9)
    lone, _secret = keys.create(alice, name="b", limit=9)
    new, _secret = keys.rotate(old, now=now)
    for spent, key in enumerate((old, lone, new), start=1):
        budget = Budget(scope=Scope.KEY, scope_id=str(key.pk), limit=9)
        BudgetWindow.objects.spend([BudgetWindow.objects.at(budget, now=now).pk], amount=spent)
    update = import_module("cozechat.gateway.migrations.0003_budgets_by_scope")
    update.count_under_the_scope(apps, None)
    assert [quota(key.budget, now=now).used for key in (old, lone, new)] == [3, 2, 3]
    update.count_under_the_number(apps, None)
    assert BudgetWindow.objects.filter(scope_id=str(new.pk), spent=3).exists()
    assert BudgetWindow.objects.filter(scope_id=str(lone.pk), spent=2).exists()
