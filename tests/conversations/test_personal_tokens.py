"""A personal access token is one person's: a second one is refused in a named way, and the staff see why."""

import asyncio
import logging

import pytest
from django.core.management import call_command

from accounts.checks import check_environments_token, check_stored_tokens
from accounts.models import AccessToken, User
from cozechat import database
from cozechat.catalog.environment import default_assistant
from tests.faults.steps import turn_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def personal(coze, settings):
    """As somebody does it who wants to try things out."""
    # Imported later it would refuse to start for the second account that a test may make before.
    import cozechat.asgi  # noqa: F401

    own = coze.credentials
    settings.COZE_EMULATED, settings.COZE_API_BASE = False, coze.base_url
    settings.COZE_ACCESS_TOKEN = coze.personal_token()
    settings.COZE_CLIENT_ID = settings.COZE_PUBLIC_KEY_ID = settings.COZE_PRIVATE_KEY = ""
    settings.COZE_WORKFLOW_ID, settings.COZE_APP_ID = own.workflow_id, own.app_id
    settings.ALLOW_SIGNUP = settings.ALLOW_VISITORS = False
    return settings.COZE_ACCESS_TOKEN


async def test_one_person_alone_talks_with_it(personal, coze, alice, tab, caplog):
    with caplog.at_level(logging.DEBUG):
        async with tab(alice) as page:
            first = await page.say("My name is Sam")
            second = await page.say("What is my name?", conversation=first.conversation)
    assert second.last["type"] == "turn.completed"
    assert "Sam" in second.text
    assert (await asyncio.to_thread(coze.ledger))["exchanges"] == {}
    assert personal not in caplog.text
    assert not (await AccessToken.objects.aget(user=alice)).token


@pytest.mark.parametrize("other", ["member", "visitor", "end user"])
async def test_with_a_second_one_who_could_talk_nobody_gets_it(personal, coze, alice, tab, other):
    async with tab(alice) as page:
        assert (await page.say("hello")).last["type"] == "turn.completed"
    await database.run(_second, other, alice)
    await asyncio.to_thread(coze.reset_ledger)
    await _forget_what_was_trusted()
    users = [alice] if other == "end user" else [alice, await User.objects.aget(username="second")]
    for user in users:
        async with tab(user) as page:
            asked = await page.say("hello")
            assert (asked.last["type"], asked.last["error"]["code"]) == ("turn.failed", "auth")
            assert asked.last["error"]["retryable"] is False
            assert "one person only" in asked.last["error"]["message"]
        row = await database.run(turn_row, asked.turn)
        assert (row.error_code, "accounts could talk here" in row.coze_error) == ("one_person", True)
    assert (await asyncio.to_thread(coze.ledger))["chats"] == {}


def _second(kind: str, alice) -> None:
    more = {
        "member": {}, "visitor": {"is_visitor": True}, "end user": {"end_user_of": alice, "is_active": False},
    }  # fmt: skip
    User.objects.create_user("second", **more[kind])


async def _forget_what_was_trusted() -> None:
    """What half a minute does as well."""
    from accounts import tokens

    await tokens.aclose()


async def test_half_a_minute_is_all_that_a_token_in_hand_is_trusted(personal, alice, bob):
    from accounts.lending import TokenOfOnePerson
    from accounts.tokens import TRUSTED_SECONDS, TokenCache
    from tests.accounts.token_steps import Clock

    clock, app = Clock(), (await database.run(default_assistant)).app
    cache = TokenCache(clock=clock)
    await User.objects.filter(pk=bob.pk).aupdate(is_active=False)
    assert await cache.access_token(alice, app=app) == personal
    await User.objects.filter(pk=bob.pk).aupdate(is_active=True)
    clock.ahead = TRUSTED_SECONDS + 1
    for user in (alice, bob):
        with pytest.raises(TokenOfOnePerson):
            await cache.access_token(user, app=app)
    assert TRUSTED_SECONDS <= 30


async def test_whoever_comes_after_somebody_else_does_not_inherit_it(personal, alice, bob, tab):
    """Coze may remember what was said under this token; a deleted access token in the admin frees it."""
    await User.objects.filter(pk=bob.pk).aupdate(is_active=False)
    async with tab(alice) as page:
        assert (await page.say("hello")).last["type"] == "turn.completed"
    await User.objects.filter(pk=alice.pk).aupdate(is_active=False)
    await User.objects.filter(pk=bob.pk).aupdate(is_active=True)
    async with tab(bob) as page:
        asked = await page.say("hello")
        assert asked.last["error"]["code"] == "auth"
        assert "has served somebody else" in (await database.run(turn_row, asked.turn)).coze_error
        await AccessToken.objects.filter(user=alice).adelete()
        assert (await page.say("hello")).last["type"] == "turn.completed"


async def test_a_token_that_has_ended_fails_the_turn_as_auth(personal, coze, alice, tab, settings):
    settings.COZE_ACCESS_TOKEN = await asyncio.to_thread(coze.personal_token, seconds=0)
    async with tab(alice) as page:
        assert (await page.say("hello")).last["error"]["code"] == "auth"


def found() -> list[tuple[str, bool]]:
    messages = [*check_environments_token(), *check_stored_tokens(databases=["default"])]
    return [(str(message.id), message.is_serious()) for message in messages]


def test_a_second_account_is_a_finding_of_the_checks(personal, alice):
    assert found() == []
    User.objects.create_user("second")
    assert found() == [("cozechat.E011", True)]


def test_a_token_in_the_admin_warns_and_lets_the_site_start(coze, alice, bob):
    from cozechat.catalog.models import CozeApp

    app = CozeApp.objects.create(name="Mine", base_url=coze.base_url, personal_token="pat_" + "x" * 40)
    assert found() == [("cozechat.W011", False)]
    CozeApp.objects.filter(pk=app.pk).update(is_active=False)
    assert found() == []


def command(name: str, *arguments: str, capsys) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        call_command(name, *arguments)
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out + captured.err


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_the_isolation_check_does_not_pretend(personal, alice, capsys, arguments):
    code, said = command("check_isolation", *arguments, capsys=capsys)
    assert code == 2
    assert "personal access token" in said
    assert personal not in said
    assert User.objects.filter(username__startswith="isolation").count() == 0


def test_check_coze_tries_it_as_it_is(personal, alice, capsys):
    code, said = command("check_coze", capsys=capsys)
    assert (code, "one person alone" in said) == (0, True)
    assert personal not in said
    User.objects.create_user("second")
    code, said = command("check_coze", capsys=capsys)
    assert (code, "2 accounts could talk here" in said) == (1, True)


def test_check_coze_names_a_token_that_has_ended(personal, coze, settings, alice, capsys):
    settings.COZE_ACCESS_TOKEN = coze.personal_token(seconds=0)
    code, said = command("check_coze", capsys=capsys)
    assert (code, "The personal access token has ended" in said) == (1, True)
