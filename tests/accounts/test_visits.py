"""Visits over HTTP: whose pass is shown decides, rubbish opens nothing, and what is over is gone."""

import json
from datetime import timedelta

import pytest
from django.core.signing import Signer
from django.test import AsyncClient, Client
from django.utils import timezone

from accounts import passes, visits
from accounts.models import User, Visit
from conversations.models import Conversation
from cozechat.catalog.environment import default_assistant
from tests.accounts.visit_steps import JSON, ORIGIN, begin, showing, strict

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def emulated(coze):
    """There is an assistant to talk to."""


def visitor_of(visit):
    return User.objects.get(browser_key=visit["user"])


def conversation_of(user, title="A chat"):
    return Conversation.objects.create(owner=user, assistant=default_assistant(), title=title)


def titles(shown, client=None):
    response = (client or Client()).get("/api/conversations/", headers=showing(shown))
    assert response.status_code == 200, response.content
    return [item["title"] for item in response.json()["items"]]


def rubbish(shown):
    key, _dot, signature = shown.partition(".")
    swapped = "b" if key[0] == "a" else "a"
    return {
        "empty": "",
        "no signature": key,
        "no key": f".{signature}",
        "another key": f"{swapped}{key[1:]}.{signature}",
        "cut": shown[:-1],
        "longer": shown + "a",
        "another salt": Signer(salt="another", sep=".").sign(key),
        "another site": Signer(key="another secret", salt="accounts.visit", sep=".").sign(key),
        "never begun": passes.make()[0],
        "very long": "a" * 5000 + "." + signature,
        "not ascii": "é" + shown[1:],
        "a session key": "a" * 32,
        "a null": f"\\0{shown}",
        "twice": f"{shown}, {shown}",
        "two": f"{shown} {shown}",
    }


def test_a_visitor_has_no_password_no_rights_and_a_name_at_coze_of_its_own():
    first, second = visitor_of(begin()), visitor_of(begin())
    assert first.is_visitor and not first.has_usable_password() and first.email == ""
    assert not (first.is_staff or first.is_superuser)
    assert first.session_name.startswith("u_") and first.session_name != second.session_name
    assert Visit.objects.get(visitor=first).key_digest not in json.dumps(begin())


def test_no_visitor_can_be_given_rights():
    visitor = visitor_of(begin())
    visitor.is_staff = True
    with pytest.raises(Exception, match="visitors_have_no_rights"):
        visitor.save()


def test_two_tabs_of_one_browser_are_two_visitors():
    browser = Client()
    first, second = begin(browser), begin(browser)
    conversation_of(visitor_of(first), "the first's")
    assert titles(first["pass"], browser) == ["the first's"]
    assert titles(second["pass"], browser) == []


def test_a_visit_sets_no_cookie():
    browser = Client()
    shown = begin(browser)["pass"]
    browser.get("/api/visit", headers=showing(shown))
    browser.get("/api/conversations/", headers=showing(shown))
    assert not browser.cookies


def test_a_reload_finds_the_same_visitor():
    visit = begin()
    response = Client().get("/api/visit", headers=showing(visit["pass"]))
    assert response.json() == {"user": visit["user"]}
    assert "no-store" in response["Cache-Control"]


def test_a_visitor_reads_and_changes_its_own_and_nothing_else(alice):
    visit, browser = begin(), strict()
    mine, hers = conversation_of(visitor_of(visit)), conversation_of(alice)
    for method, name in (("get", mine), ("patch", mine), ("delete", mine)):
        response = getattr(browser, method)(
            f"/api/conversations/{name.pk}/",
            data=json.dumps({"title": "x"}) if method == "patch" else None,
            content_type="application/json",
            headers=showing(visit["pass"]),
        )
        assert response.status_code in {200, 204}, (method, response.content)
        foreign = getattr(browser, method)(
            f"/api/conversations/{hers.pk}/",
            data=json.dumps({"title": "x"}) if method == "patch" else None,
            content_type="application/json",
            headers=showing(visit["pass"]),
        )
        assert foreign.status_code == 404
    hers.refresh_from_db()
    assert (hers.title, hers.deleted_at) == ("A chat", None)


def test_bobs_login_neither_reads_a_visitors_chat_nor_helps_a_pass(bob):
    visit, browser = begin(), Client()
    conversation = conversation_of(visitor_of(visit))
    conversation_of(bob, "Bob's")
    browser.force_login(bob)
    assert browser.get(f"/api/conversations/{conversation.pk}/").status_code == 404
    assert browser.get(f"/c/{conversation.pk}/").status_code == 404
    # In the very same browser the pass counts, and his cookie does not.
    assert titles(visit["pass"], browser) == ["A chat"]


def test_rubbish_opens_nothing_even_beside_a_good_cookie(alice):
    visit, browser = begin(), Client()
    browser.force_login(alice)
    for name, shown in rubbish(visit["pass"]).items():
        response = browser.get("/api/conversations/", headers=showing(shown))
        assert response.status_code == 401, name
        assert browser.get("/api/visit", headers=showing(shown)).status_code == 404, name
        assert browser.delete("/api/visit", headers=showing(shown)).status_code == 404, name
        assert browser.post("/api/visit/leave", headers=showing(shown)).status_code == 204, name
    assert titles(visit["pass"]) == []


def test_a_pass_counts_for_json_alone():
    visit, browser = begin(), Client()
    for path in ("/", "/accounts/profile/", "/accounts/keys/", "/admin/", "/monitoring/"):
        assert browser.get(path, headers=showing(visit["pass"])).status_code in {302, 403, 404}, path


def test_a_members_cookie_still_needs_its_csrf_token(alice):
    browser = strict()
    browser.force_login(alice)
    conversation = conversation_of(alice)
    assert browser.delete(f"/api/conversations/{conversation.pk}/").status_code == 403
    # A pass takes the check away, and the cookie with it.
    shown = begin()["pass"]
    response = browser.delete(f"/api/conversations/{conversation.pk}/", headers=showing(shown))
    assert response.status_code == 404
    assert Conversation.objects.owned_by(alice).exists()


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "http://testserver:81", "http://testserver.evil.example"]
)
def test_no_foreign_page_begins_visits(origin):
    response = strict().post("/api/visit", {}, **JSON, headers={"origin": origin} if origin else {})
    assert response.status_code == 403
    assert not User.objects.filter(is_visitor=True).exists()


@pytest.mark.parametrize("body", ["[]", "{", "1", '"x"', "[" * 5000])
def test_a_visit_does_not_begin_with_rubbish(body):
    response = Client().post("/api/visit", body, content_type="application/json", headers={"origin": ORIGIN})
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("wished", "kept"), [("zh-hans", "zh-hans"), ("en", "en"), ("xx", ""), (1, ""), (None, ""), (["en"], "")]
)
def test_a_visitor_may_say_its_language(wished, kept):
    visit = begin(language=wished)
    assert visitor_of(visit).language == kept


def test_where_visitors_are_not_allowed_there_are_none(settings):
    visit = begin()
    settings.ALLOW_VISITORS = False
    assert Client().post("/api/visit", {}, **JSON, headers={"origin": ORIGIN}).status_code == 404
    assert Client().get("/api/conversations/", headers=showing(visit["pass"])).status_code == 401


def test_a_visitor_that_was_deactivated_is_nobody():
    visit = begin()
    User.objects.filter(browser_key=visit["user"]).update(is_active=False)
    assert Client().get("/api/visit", headers=showing(visit["pass"])).status_code == 404


# --- Ends


def test_a_visit_that_is_over_opens_nothing_and_is_removed_with_its_chats():
    visit = begin()
    conversation = conversation_of(visitor_of(visit))
    Visit.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    assert Client().get("/api/visit", headers=showing(visit["pass"])).status_code == 404
    visits.clear()
    assert not User.objects.filter(browser_key=visit["user"]).exists()
    assert not Conversation.objects.filter(pk=conversation.pk).exists()


def test_clearing_leaves_the_living_the_members_and_visitors_without_a_visit_alone(alice, visitor):
    visit = begin()
    visits.clear()
    assert {alice.pk, visitor.pk, visitor_of(visit).pk} <= set(User.objects.values_list("pk", flat=True))


def test_a_tab_that_says_it_closes_has_a_little_time_to_come_back(settings):
    visit = begin()
    Client().post("/api/visit/leave", headers=showing(visit["pass"]))
    left = Visit.objects.get().ends_at - timezone.now()
    assert timedelta(0) < left <= timedelta(seconds=settings.VISIT_GRACE_SECONDS)
    Client().get("/api/visit", headers=showing(visit["pass"]))
    back = Visit.objects.get().ends_at - timezone.now()
    assert back > timedelta(seconds=settings.VISIT_IDLE_SECONDS - 60)


def test_a_visitor_can_end_the_visit_at_once():
    visit = begin()
    conversation_of(visitor_of(visit))
    assert Client().delete("/api/visit", headers=showing(visit["pass"])).status_code == 204
    assert not User.objects.filter(is_visitor=True).exists()
    assert Client().delete("/api/visit", headers=showing(visit["pass"])).status_code == 404


# --- How many


async def test_an_address_has_so_many_visitors_an_hour_and_an_ipv6_household_is_one(settings):
    settings.VISITORS_PER_HOUR, settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2, 1
    client = AsyncClient()

    async def status(address):
        headers = {"origin": ORIGIN, "x-forwarded-for": address}
        response = await client.post("/api/visit", {}, **JSON, headers=headers)
        if response.status_code == 429:
            assert 1 <= int(response["Retry-After"]) <= 3600
        return response.status_code

    assert [await status("192.0.2.1") for _ in range(3)] == [201, 201, 429]
    assert await status("192.0.2.2") == 201
    household = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2::3"]
    assert [await status(address) for address in household] == [201, 201, 429]
    assert await status("2001:db8:1:3::1") == 201
    assert await status("::ffff:192.0.2.1") == 429


async def test_a_header_does_not_make_another_address_unless_a_proxy_is_trusted(settings):
    settings.VISITORS_PER_HOUR = 1
    client = AsyncClient()

    async def status(forwarded):
        headers = {"origin": ORIGIN, "x-forwarded-for": forwarded}
        return (await client.post("/api/visit", {}, **JSON, headers=headers)).status_code

    assert [await status("198.51.100.1"), await status("198.51.100.2")] == [201, 429]
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert [await status("6.6.6.6, 198.51.100.1"), await status("7.7.7.7, 198.51.100.1")] == [201, 429]


async def test_what_cannot_be_counted_is_not_let_in(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    response = await AsyncClient().post("/api/visit", {}, **JSON, headers={"origin": ORIGIN})
    assert response.status_code == 429
