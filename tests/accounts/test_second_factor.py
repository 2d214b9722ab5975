"""The second factor is asked for, and its secret is sealed."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from cryptography.fernet import Fernet
from django.core.cache import cache
from django.test import Client
from page_steps import PASSWORD, is_logged_in, log_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("over_plain_http")]


def _code(secret):
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(secret, counter))


def _activate(client):
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/")
    secret = page.context["form"].secret
    client.post("/accounts/2fa/totp/activate/", {"code": _code(secret)})
    return secret


def test_a_second_factor_is_asked_for_once_it_is_activated(member):
    client = Client()
    client.force_login(member)
    assert client.get("/accounts/2fa/totp/activate/").status_code == 302  # the password is asked for first
    secret = _activate(client)

    browser = Client()
    assert log_in(browser, "alice")["Location"].startswith("/accounts/2fa/authenticate/")
    assert not is_logged_in(browser)
    browser.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert not is_logged_in(browser)
    _forget_used_codes()
    browser.post("/accounts/2fa/authenticate/", {"code": _code(secret)})
    assert is_logged_in(browser)


def _forget_used_codes():
    """A code counts once; the test cannot wait 30 seconds for the next."""
    cache.clear()


def test_the_secret_of_a_second_factor_is_sealed_and_useless_without_its_key(member, settings):
    client = Client()
    client.force_login(member)
    secret = _activate(client)
    stored = Authenticator.objects.get(type="totp").data["secret"]
    assert secret not in stored

    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    browser = Client()
    log_in(browser, "alice")
    _forget_used_codes()
    for guess in (_code(secret), _code("")):
        browser.post("/accounts/2fa/authenticate/", {"code": guess})
        assert not is_logged_in(browser)


def test_the_admin_has_no_log_in_of_its_own_around_the_second_factor():
    assert Client().get("/admin/login/")["Location"].startswith("/accounts/login/")
