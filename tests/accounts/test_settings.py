"""The settings: saved one by one, shown on every page, and nobody else's business."""

import json

import pytest
from django.contrib.auth import get_user
from django.test import Client
from page_steps import log_in

from accounts import visits
from accounts.models import User
from accounts.preferences import CHOICES, COOKIE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("over_plain_http")]

PAGE, API = "/accounts/settings/", "/api/me/settings"


def browser_of(user):
    client = Client()
    client.force_login(user)
    return client


def patch(client, **changed):
    return client.patch(API, json.dumps(changed), content_type="application/json")


def form_of(page):
    """What a browser without scripts would send if nothing were touched."""
    form = page.context["form"]
    sent = {}
    for bound in form:
        value = bound.value()
        if value is True:
            sent[bound.html_name] = sent[bound.html_initial_name] = "on"
        elif value is not False:
            sent[bound.html_name] = sent[bound.html_initial_name] = value
    return sent


def test_settings_are_for_who_is_logged_in():
    assert Client().get(PAGE)["Location"].startswith("/accounts/login/")
    assert Client().get(API).status_code == 401
    assert patch(Client(), theme="dark").status_code == 401


def test_a_choice_is_saved_by_itself_and_stands_on_every_page(alice):
    client = browser_of(alice)
    assert patch(client, theme="dark").json()["theme"] == "dark"
    assert patch(client, sound=True).status_code == 200

    alice.refresh_from_db()
    assert (alice.theme, alice.sound, alice.text_size) == ("dark", True, "normal")
    for address in (PAGE, "/", "/accounts/profile/", "/no-such-page"):
        html = client.get(address).content.decode()
        assert '<html lang="en" data-theme="dark" data-sound="on">' in html, address
        assert 'content="dark"' in html, address


def test_a_tab_that_is_behind_sets_nothing_back(alice):
    behind = browser_of(alice)
    stale = form_of(behind.get(PAGE))
    patch(browser_of(alice), theme="dark", show_usage=True)

    response = behind.post(PAGE, stale | {"text_size": "large", "sound": "on"})

    assert response["Location"] == PAGE
    alice.refresh_from_db()
    assert (alice.theme, alice.show_usage, alice.text_size, alice.sound) == ("dark", True, "large", True)


def test_the_form_without_scripts_turns_things_off(alice):
    client = browser_of(alice)
    sent = form_of(client.get(PAGE))
    assert sent.pop("use_shortcuts") == "on"

    client.post(PAGE, sent)

    alice.refresh_from_db()
    assert alice.use_shortcuts is False


@pytest.mark.parametrize(
    "rubbish",
    [
        {}, {"theme": "pink"}, {"theme": None}, {"theme": ["dark"]}, {"theme": "dark\0"}, {"sound": "loud"},
        {"sound": None},
        {"sound": {}}, {"motion": 1}, {"is_staff": True}, {"session_name": "u_x"}, {"language": "tlh"}, {"pk": 1},
        {"theme": "dark", "username": "bob"}, {"shortcuts": {"x": "y"}},
    ],
)  # fmt: skip
def test_rubbish_is_refused_and_changes_nothing(alice, rubbish):
    client = browser_of(alice)
    before = User.objects.filter(pk=alice.pk).values().get()
    response = patch(client, **rubbish)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "bad_request"
    assert User.objects.filter(pk=alice.pk).values().get() == before


@pytest.mark.parametrize("body", ["", "[]", "{", "null", "1"])
def test_a_body_that_is_no_object_is_refused(alice, body):
    response = browser_of(alice).patch(API, body, content_type="application/json")
    assert response.status_code == 400


def test_a_form_with_rubbish_is_shown_again(alice):
    client = browser_of(alice)
    response = client.post(PAGE, form_of(client.get(PAGE)) | {"theme": "pink"})
    assert response.status_code == 200
    alice.refresh_from_db()
    assert alice.theme == "system"


def test_bob_changes_his_own_and_nobody_elses(alice, bob):
    client = browser_of(bob)
    for sent in ({"theme": "dark", "user": alice.pk}, {"theme": "dark", "id": alice.pk}):
        assert patch(client, **sent).status_code == 400
    client.post(
        PAGE,
        form_of(client.get(PAGE)) | {"theme": "dark", "id": alice.pk, "username": "alice", "is_staff": "on"},
    )

    alice.refresh_from_db()
    bob.refresh_from_db()
    assert (alice.theme, bob.theme, bob.is_staff, bob.username) == ("system", "dark", False, "bob")
    assert client.get(API).json()["theme"] == "dark"
    assert set(client.get(API).json()) == set(CHOICES)


def test_a_foreign_page_cannot_choose(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert patch(client, theme="dark").status_code == 403
    assert client.post(PAGE, {"theme": "dark"}).status_code == 403


def test_a_visitor_has_no_settings(settings):
    begun = visits.begin(language="")
    header = {"HTTP_AUTHORIZATION": f"Visit {begun.shown}"}
    assert Client().patch(API, "{}", content_type="application/json", **header).status_code == 401


def test_the_page_before_the_log_in_looks_as_those_after_it(member):
    User.objects.filter(pk=member.pk).update(theme="dark", text_size="large", sound=True)
    browser = Client()
    log_in(browser, "alice")
    assert get_user(browser).is_authenticated
    browser.post("/accounts/logout/")

    html = browser.get("/accounts/login/").content.decode()

    assert '<html lang="en" data-theme="dark" data-text-size="large">' in html


@pytest.mark.parametrize(
    "cookie", ["", "pink.huge.none", '"><script>', "dark", "....", "dark.large.less.more"]
)
def test_a_cookie_can_say_nothing_but_choices(cookie):
    browser = Client()
    browser.cookies[COOKIE] = cookie
    page = browser.get("/accounts/login/")
    assert page.status_code == 200
    assert "<script>" not in page.content.decode()


def test_a_choice_of_language_comes_along_and_the_switch_on_the_pages_keeps_it(alice):
    client = browser_of(alice)
    patch(client, language="zh-hans")
    assert client.cookies["django_language"].value == "zh-hans"
    assert "设置" in client.get(PAGE).content.decode()

    patch(client, theme="dark")
    assert client.cookies["django_language"].value == "zh-hans"

    client.post("/i18n/setlang/", {"language": "en", "next": "/"})
    alice.refresh_from_db()
    assert alice.language == "en"
    client.post("/i18n/setlang/", {"language": "tlh", "next": "/"})
    alice.refresh_from_db()
    assert alice.language == "en"
