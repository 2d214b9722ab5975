"""The profile page."""

import pytest
from django.contrib.messages.storage.cookie import CookieStorage
from django.test import Client, RequestFactory
from page_steps import log_in

from accounts.models import User
from accounts.views import profile

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("over_plain_http")]


def test_a_profile_is_for_who_is_logged_in():
    assert Client().get("/accounts/profile/")["Location"].startswith("/accounts/login/")


def test_a_member_changes_display_name_and_language(alice):
    client = Client()
    client.force_login(alice)
    assert client.get("/accounts/profile/").status_code == 200

    response = client.post("/accounts/profile/", {"display_name": "爱丽丝", "language": "zh-hans"})

    assert response["Location"] == "/accounts/profile/"
    assert client.cookies["django_language"].value == "zh-hans"
    alice.refresh_from_db()
    assert (alice.display_name, alice.language) == ("爱丽丝", "zh-hans")

    client.post("/accounts/profile/", {"display_name": "爱丽丝", "language": ""})
    assert client.cookies["django_language"].value == ""


def test_the_language_follows_the_member_to_another_browser(member):
    User.objects.filter(pk=member.pk).update(language="zh-hans")
    browser = Client()

    log_in(browser, "alice")

    assert browser.cookies["django_language"].value == "zh-hans"


def test_a_profile_form_changes_nothing_else_and_nobody_else(alice, bob):
    client = Client()
    client.force_login(bob)

    client.post(
        "/accounts/profile/",
        {
            "display_name": "Bob",
            "language": "en",
            "id": alice.pk,
            "username": "alice2",
            "is_staff": "on",
            "is_superuser": "on",
            "session_name": alice.session_name,
        },
    )

    before = (bob.username, bob.session_name)
    bob.refresh_from_db()
    alice.refresh_from_db()
    assert (bob.username, bob.session_name) == before
    assert (bob.display_name, bob.is_staff, bob.is_superuser) == ("Bob", False, False)
    assert alice.display_name == ""


def test_a_profile_does_not_set_back_what_changed_meanwhile(member):
    request = RequestFactory().post("/accounts/profile/", {"display_name": "A.", "language": "en"})
    request.user = User.objects.get(pk=member.pk)
    request._messages = CookieStorage(request)
    member.set_password("changed on another device")
    member.save()

    profile(request)

    member.refresh_from_db()
    assert member.display_name == "A."
    assert member.check_password("changed on another device")


@pytest.mark.parametrize("form", [{"language": "tlh"}, {"display_name": "x" * 81}])
def test_a_profile_that_does_not_fit_is_shown_again(alice, form):
    client = Client()
    client.force_login(alice)

    assert client.post("/accounts/profile/", form).status_code == 200
    alice.refresh_from_db()
    assert (alice.language, alice.display_name) == ("", "")
