"""`manage.py create_demo_accounts`."""

import json
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from accounts.models import User
from cozechat.catalog.environment import default_assistant
from cozechat.usage.models import Account, Price
from cozechat.usage.money import CREDIT
from cozechat.usage.reconciling import audit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_installation(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    settings.COZE_EMULATED = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def run(*arguments):
    out = StringIO()
    call_command("create_demo_accounts", *arguments, stdout=out)
    return out.getvalue()


def accounts():
    return {account["username"]: account for account in json.loads(run("--json"))["accounts"]}


def test_the_printed_passwords_open_the_accounts():
    made = accounts()

    assert list(made) == ["alice", "bob", "admin"]
    for name, account in made.items():
        assert account["created"]
        assert authenticate(None, username=name, password=account["password"]).username == name
    rights = User.objects.order_by("pk").values_list("is_staff", "is_superuser")
    assert list(rights) == [(False, False), (False, False), (True, True)]


def test_a_second_run_changes_nothing_and_prints_the_same_passwords():
    first, text = accounts(), run()
    second = accounts()

    assert User.objects.count() == 3
    assert not any(account["created"] for account in second.values())
    for name, account in first.items():
        assert second[name]["password"] == account["password"]
        assert account["password"] in text


def test_beside_the_emulator_each_can_spend_and_the_demo_has_a_price():
    accounts()
    accounts()

    for name in ("alice", "bob", "admin"):
        assert Account.objects.get(owner__username=name).available == 10 * CREDIT
    assert Price.objects.get(app=default_assistant().app).input_price == CREDIT // 1000
    assert audit() == []


def test_a_site_that_has_prices_keeps_them_and_real_coze_gives_nothing_away(settings):
    Price.objects.create(scope="model", name="mine", is_free=True, input_price=0, output_price=0)
    accounts()
    assert list(Price.objects.values_list("name", flat=True)) == ["mine"]
    run("--remove")
    settings.COZE_EMULATED = False
    run("--force")
    assert not Account.objects.filter(owner__username="alice").exists()


def test_two_installations_have_different_passwords(settings, tmp_path):
    first = accounts()["alice"]["password"]
    run("--remove")
    settings.VAR_DIR = tmp_path / "other"

    assert accounts()["alice"]["password"] != first


def test_a_password_that_was_changed_is_neither_printed_nor_set_back():
    accounts()
    alice = User.objects.get(username="alice")
    alice.set_password("of my own")
    alice.save()

    assert accounts()["alice"]["password"] is None
    alice.refresh_from_db()
    assert alice.check_password("of my own")


def test_a_member_who_happens_to_be_called_alice_is_left_alone():
    alice = User.objects.create_user("Alice", "alice@example.com", "of my own")

    assert accounts()["Alice"]["password"] is None
    run("--remove")

    assert list(User.objects.all()) == [alice]


def test_they_can_be_removed():
    run()

    assert json.loads(run("--remove", "--json")) == {"removed": ["admin", "alice", "bob"]}
    assert not User.objects.exists()


def test_with_real_credentials_they_are_refused_unless_forced(settings):
    settings.COZE_EMULATED = False

    with pytest.raises(CommandError, match="--force"):
        run()
    assert not User.objects.exists()

    run("--force")
    assert User.objects.count() == 3
