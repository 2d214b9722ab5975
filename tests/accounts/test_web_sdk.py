"""`/api/token`: the caller's own session at Coze, for a short while, whatever the body says."""

import json

import pytest
from django.test import AsyncClient, Client

from accounts.models import AccessToken, User
from tests.accounts.visit_steps import JSON, ORIGIN, begin, showing, strict

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def emulated(coze):
    """Coze exchanges assertions for tokens."""


def ask(client, body=None, **options):
    return client.post("/api/token", "" if body is None else json.dumps(body), **JSON, **options)


def as_member(user):
    browser = Client()
    browser.force_login(user)
    return browser


def test_a_member_gets_a_short_token_of_the_own_session_and_not_the_sites(alice, coze, settings):
    response = ask(as_member(alice))
    assert response.status_code == 200, response.content
    given = response.json()
    assert set(given) == {"access_token", "expires_in"}
    assert settings.WEB_SDK_TOKEN_SECONDS - 5 <= given["expires_in"] <= settings.WEB_SDK_TOKEN_SECONDS
    assert "no-store" in response["Cache-Control"]
    assert coze.ledger()["exchanges"] == {alice.session_name: 1}
    assert not AccessToken.objects.exists()


def test_each_call_is_answered_with_a_token_of_its_own(alice, bob):
    tokens = [ask(as_member(user)).json()["access_token"] for user in (alice, alice, bob)]
    assert len(set(tokens)) == 3


def test_a_visitor_gets_one_of_its_own_session(coze):
    visit = begin()
    response = ask(strict(), headers=showing(visit["pass"]))
    assert response.status_code == 200
    assert coze.ledger()["exchanges"] == {User.objects.get(browser_key=visit["user"]).session_name: 1}


@pytest.mark.parametrize(
    "field", ["session_name", "user", "user_id", "username", "session", "visitor", "owner", "sub"]
)
def test_bob_gets_his_own_whatever_he_names(alice, bob, coze, field):
    for value in (alice.session_name, alice.pk, alice.username, alice.browser_key, [alice.session_name]):
        assert ask(as_member(bob), {field: value}).status_code == 200
    response = as_member(bob).post(f"/api/token?{field}={alice.session_name}", "{}", **JSON)
    assert response.status_code == 200
    assert set(coze.ledger()["exchanges"]) == {bob.session_name}


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (60, 60), (900, 900), (901, 900), (10**12, 900)])
def test_a_token_never_lives_longer_than_was_asked_nor_than_the_site_allows(alice, asked, given):
    left = ask(as_member(alice), {"duration_seconds": asked}).json()["expires_in"]
    assert given - 2 <= left <= given


@pytest.mark.parametrize("asked", [0, -1, "60", None, 1.5, True, [60], {}])
def test_a_duration_that_is_none_is_refused(alice, coze, asked):
    assert ask(as_member(alice), {"duration_seconds": asked}).status_code == 400
    assert coze.ledger()["exchanges"] == {}


@pytest.mark.parametrize("assistant", ["x", "-1", "9" * 17, "0", "½", [1], {}])
def test_rubbish_for_an_assistant_is_no_assistant(alice, coze, assistant):
    assert ask(as_member(alice), {"assistant": assistant}).status_code == 404
    assert coze.ledger()["exchanges"] == {}


@pytest.mark.parametrize("body", ["[]", "{", "1", "[" * 5000])
def test_rubbish_is_refused(alice, body):
    assert as_member(alice).post("/api/token", body, **JSON).status_code == 400


def test_nobody_gets_none(alice):
    assert ask(Client()).status_code == 401
    assert ask(as_member(alice), headers=showing("rubbish")).status_code == 401
    assert as_member(alice).get("/api/token").status_code == 405


def test_a_foreign_page_cannot_fetch_one(alice):
    browser = strict()
    browser.force_login(alice)
    assert ask(browser, headers={"origin": "https://evil.example"}).status_code == 403
    assert ask(browser).status_code == 403


def test_where_tokens_are_switched_off_or_questions_are_paid_for_there_are_none(alice, coze, settings):
    settings.CHARGE_CHAT = True
    assert ask(as_member(alice)).status_code == 404
    settings.CHARGE_CHAT, settings.WEB_SDK_TOKEN_SECONDS = False, 0
    assert ask(as_member(alice)).status_code == 404
    assert coze.ledger()["exchanges"] == {}


def test_a_personal_token_is_given_to_nobody_and_allows_no_visitor(alice, coze, settings):
    visit = begin()
    own = coze.credentials
    settings.COZE_EMULATED, settings.COZE_ACCESS_TOKEN = False, "pat_canary_of_the_account"
    settings.COZE_WORKFLOW_ID, settings.COZE_APP_ID = own.workflow_id, own.app_id
    response = ask(as_member(alice))
    assert response.status_code == 404
    assert b"pat_canary" not in response.content
    assert ask(strict(), headers=showing(visit["pass"])).status_code == 404
    assert Client().post("/api/visit", {}, **JSON, headers={"origin": ORIGIN}).status_code == 404


async def test_a_user_gets_so_many_a_minute_and_others_are_not_held_up(alice, bob, settings):
    settings.WEB_SDK_TOKENS_PER_MINUTE = 2
    alices, bobs = AsyncClient(), AsyncClient()
    await alices.aforce_login(alice)
    await bobs.aforce_login(bob)
    answers = [await ask(alices) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert (await ask(bobs)).status_code == 200


async def test_tokens_that_cannot_be_counted_are_not_given_out(alice, settings):
    client = AsyncClient()
    await client.aforce_login(alice)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert (await ask(client)).status_code == 429


def test_when_coze_gives_none_the_page_is_told_when_to_come_back(alice, coze):
    coze.arm("html-502", path="/api/permission/oauth2/token")
    response = ask(as_member(alice))
    assert response.status_code == 503
    assert int(response["Retry-After"]) >= 1
