"""Sign-up, log-in, log-out and reset, as a browser sees them."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from page_steps import PASSWORD, is_logged_in, link_in, log_in, sign_up

from accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("over_plain_http")]


# --- Sign-up, confirmation, log-in, reset ---------------------------------------------------------------


def test_a_new_member_signs_up_confirms_logs_in_and_resets_the_password():
    client = Client()
    assert sign_up(client).status_code == 302
    assert is_logged_in(client)  # a confirmed address is not needed to talk
    carol = User.objects.get(username="carol")
    assert not carol.is_visitor

    confirmation = link_in(mail.outbox[0], "/accounts/confirm-email/")
    client.get(confirmation)
    assert not EmailAddress.objects.get().verified  # mail scanners follow links
    client.post(confirmation)
    assert EmailAddress.objects.get().verified

    for login in ("carol", "CAROL", "carol@example.com"):
        browser = Client()
        log_in(browser, login)
        assert is_logged_in(browser)

    browser = Client()
    browser.post("/accounts/password/reset/", {"email": "carol@example.com"})
    reset = link_in(mail.outbox[-1], "/accounts/password/reset/key/")
    form = browser.get(reset, follow=True).request["PATH_INFO"]
    browser.post(form, {"password1": "another long one", "password2": "another long one"})
    assert not is_logged_in(browser)
    log_in(browser, "carol", password="another long one")
    assert is_logged_in(browser)
    client.get("/accounts/profile/")
    assert not is_logged_in(client)  # the session that the old password opened is over


def test_mandatory_confirmation_keeps_a_new_member_out_until_it_is_done(settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    client = Client()
    sign_up(client)
    assert not is_logged_in(client)

    client.post(link_in(mail.outbox[0], "/accounts/confirm-email/"))
    log_in(client, "carol")

    assert is_logged_in(client)


def test_a_closed_site_takes_no_new_members(settings):
    settings.ALLOW_SIGNUP = False

    sign_up(Client())

    assert not User.objects.exists()


@pytest.mark.parametrize("username", ["alice@example.com", "admin", "Alice", "alice"])
def test_a_username_that_is_an_address_reserved_or_taken_is_refused(alice, username):
    client = Client()

    assert sign_up(client, username=username).status_code == 200
    assert User.objects.count() == 1


def test_a_weak_password_is_refused():
    assert sign_up(Client(), password1="carol123", password2="carol123").status_code == 200
    assert not User.objects.exists()


def test_the_session_gets_a_new_key_at_log_in(member):
    client = Client()
    session = client.session
    session["before"] = "log-in"
    session.save()
    before = session.session_key

    log_in(client, "alice")

    assert client.session.session_key != before
    assert not Session.objects.filter(session_key=before).exists()


def test_after_log_in_a_foreign_next_page_is_ignored(member):
    client = Client()
    form = {"login": "alice", "password": PASSWORD}

    for foreign in (
        "https://evil.example/",
        "//evil.example/",
        "https:///evil.example",
        "javascript:alert(1)",
    ):
        assert client.post("/accounts/login/", {**form, "next": foreign})["Location"] == "/"
        client.logout()
    assert (
        client.post("/accounts/login/", {**form, "next": "/accounts/profile/"})["Location"]
        == "/accounts/profile/"
    )


# --- Log-out --------------------------------------------------------------------------------------------


def test_only_a_post_with_a_csrf_token_logs_out(member):
    client = Client(enforce_csrf_checks=True)
    client.force_login(member)

    page = client.get("/accounts/logout/")
    assert is_logged_in(client)
    assert client.post("/accounts/logout/").status_code == 403
    assert is_logged_in(client)

    client.post("/accounts/logout/", {"csrfmiddlewaretoken": page.context["csrf_token"]})
    assert not is_logged_in(client)


# --- What an answer tells about who has an account ------------------------------------------------------


def _without_what_was_typed(response, *typed):
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", response.content.decode())
    for each in typed:
        text = text.replace(each, "…")
    return response.status_code, response.get("Location"), text


def test_a_failed_log_in_answers_alike_for_known_and_unknown_names(member):
    answers = [
        _without_what_was_typed(log_in(Client(), login, password="wrong"), login)
        for login in ("alice", "nobody", "alice@example.com", "nobody@example.com")
    ]

    assert answers[0] == answers[1]
    assert answers[2] == answers[3]


def test_a_reset_answers_alike_for_known_and_unknown_addresses(member):
    answers = [
        _without_what_was_typed(
            Client().post("/accounts/password/reset/", {"email": email}, follow=True), email
        )
        for email in ("alice@example.com", "nobody@example.com")
    ]

    assert answers[0] == answers[1]
    assert [message.to for message in mail.outbox] == [["alice@example.com"], ["nobody@example.com"]]
    assert "/password/reset/key/" not in mail.outbox[1].body


@pytest.mark.parametrize("verification", ["optional", "mandatory"])
def test_a_sign_up_answers_alike_for_known_and_unknown_addresses(member, settings, verification):
    settings.ACCOUNT_EMAIL_VERIFICATION = verification

    known = sign_up(Client(), username="carol", email="alice@example.com")
    unknown = sign_up(Client(), username="dave", email="dave@example.com")

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])


def test_bob_cannot_confirm_alices_address_for_himself(member):
    client = Client()
    sign_up(client, username="bob", email="alice@example.com")
    bob = User.objects.get(username="bob")

    client.post("/accounts/email/", {"action_send": "", "email": "alice@example.com"})
    client.post("/accounts/email/", {"action_primary": "", "email": "alice@example.com"})

    assert not EmailAddress.objects.filter(user=bob, verified=True).exists()
    assert Client().login(email="alice@example.com", password=PASSWORD)
    assert EmailAddress.objects.get(user=member).verified


def test_bobs_wrong_guesses_do_not_lock_alice_out(member):
    bobs, alices = Client(REMOTE_ADDR="203.0.113.9"), Client(REMOTE_ADDR="198.51.100.1")
    for _ in range(8):
        log_in(bobs, "alice", password="guess")

    log_in(bobs, "alice")
    log_in(alices, "alice")

    assert not is_logged_in(bobs)
    assert is_logged_in(alices)


def test_a_forged_forwarding_header_does_not_renew_bobs_guesses(member):
    bobs = Client(REMOTE_ADDR="203.0.113.9")
    for number in range(8):
        log_in(bobs, "alice", password="guess", headers={"x-forwarded-for": f"198.51.100.{number}"})

    log_in(bobs, "alice", headers={"x-forwarded-for": "198.51.100.77"})

    assert not is_logged_in(bobs)
