"""A socket opens for our own page only, and for whoever its cookie logs in."""

import asyncio
import logging
from datetime import timedelta
from importlib import import_module

import pytest
from django.conf import settings as configured
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.sockets import SocketLogin, login_is_valid

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def served_hosts(settings):
    settings.ALLOWED_HOSTS = ["chat.example.com", "localhost"]
    settings.CSRF_TRUSTED_ORIGINS = []
    settings.SECURE_PROXY_SSL_HEADER = None


def handshake(*headers: tuple[str, str], scheme: str = "ws"):
    """Shake hands; returns what the application saw (None if it was not reached) and what was sent."""
    seen, sent = [], []

    async def application(scope, receive, send):
        seen.append(scope)
        await send({"type": "websocket.accept"})

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": "websocket", "path": "/ws/chat/", "headers": raw, "scheme": scheme}
    asyncio.run(SocketLogin(application)(scope, receive, send))
    return (seen[0] if seen else None), sent


def socket_of(client: Client):
    """The scope that the application gets for this browser."""
    cookie = (
        f"theme=dark; {configured.SESSION_COOKIE_NAME}={client.cookies[configured.SESSION_COOKIE_NAME].value}"
    )
    scope, _sent = handshake(("host", "localhost"), ("origin", "http://localhost"), ("cookie", cookie))
    return scope


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


# --- Origin ---------------------------------------------------------------------------------------------

HOST = ("host", "chat.example.com")
OURS = "http://chat.example.com"


@pytest.mark.parametrize(
    "headers",
    [
        [HOST, ("origin", "https://evil.example")],
        [HOST, ("origin", "null")],
        [HOST],
        [HOST, ("origin", "")],
        [HOST, ("origin", "http://chat.example.com:9999")],
        [HOST, ("origin", "https://chat.example.com")],
        [HOST, ("origin", "http://chat.example.com.evil.example")],
        [HOST, ("origin", "http://evil.example/chat.example.com")],
        [HOST, ("origin", "http://chat.example.com@evil.example")],
        [HOST, ("origin", "http://user@chat.example.com")],
        [HOST, ("origin", f"{OURS}/")],
        [HOST, ("origin", f"{OURS}\n")],
        [HOST, ("origin", "file://chat.example.com")],
        [HOST, ("origin", OURS), ("origin", "https://evil.example")],
        [("host", "evil.example"), ("origin", "http://evil.example")],
        [("host", "chat.example.com"), ("host", "evil.example"), ("origin", OURS)],
        [("origin", OURS)],
    ],
    ids=str,
)
def test_a_foreign_origin_is_refused_before_the_handshake_and_leaves_one_log_line(headers, caplog):
    scope, sent = handshake(*headers)

    assert scope is None
    assert sent == [{"type": "websocket.close"}]
    (record,) = [record for record in caplog.records if record.name == "accounts.sockets"]
    assert record.levelno == logging.WARNING
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("chat.example.com", OURS),
        ("chat.example.com:8000", f"{OURS}:8000"),
        ("chat.example.com:80", OURS),
        ("CHAT.example.com", OURS),
        ("localhost:8123", "http://localhost:8123"),
    ],
)
def test_our_own_origin_is_let_in(host, origin):
    scope, sent = handshake(("host", host), ("origin", origin))

    assert scope is not None
    assert sent == [{"type": "websocket.accept"}]


def test_allowing_every_host_does_not_allow_every_origin(settings):
    settings.ALLOWED_HOSTS = ["*"]

    assert handshake(HOST, ("origin", "https://evil.example"))[0] is None
    assert handshake(HOST, ("origin", OURS))[0] is not None


def test_over_tls_the_origin_must_be_https():
    assert handshake(HOST, ("origin", "https://chat.example.com"), scheme="wss")[0] is not None
    assert handshake(HOST, ("origin", OURS), scheme="wss")[0] is None


def test_a_trusted_proxy_says_whether_it_was_tls(settings):
    secure = ("x-forwarded-proto", "https")
    ours = ("origin", "https://chat.example.com")
    assert handshake(HOST, ours, secure)[0] is None  # nobody said that the proxy is ours

    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

    assert handshake(HOST, ours, secure)[0] is not None
    assert handshake(HOST, ours, ("x-forwarded-proto", "http"))[0] is None
    assert handshake(HOST, ("origin", OURS), secure)[0] is None


@pytest.mark.parametrize(
    ("origin", "is_let_in"),
    [
        ("https://widget.example.org", True),
        ("http://widget.example.org", False),
        ("https://widget.example.org:8443", False),
        ("https://a.example.net", True),
        ("https://a.b.example.net", True),
        ("https://evilexample.net", False),
    ],
)
def test_trusted_origins_are_those_of_the_csrf_check(settings, origin, is_let_in):
    settings.CSRF_TRUSTED_ORIGINS = ["https://widget.example.org", "https://*.example.net"]

    assert (handshake(HOST, ("origin", origin))[0] is not None) is is_let_in


# --- Log-in ---------------------------------------------------------------------------------------------


def test_the_cookie_says_who_talks(alice, bob):
    assert socket_of(logged_in(alice))["user"] == alice
    assert socket_of(logged_in(bob))["user"] == bob


def test_the_session_key_travels_with_the_socket(alice):
    client = logged_in(alice)

    assert socket_of(client)["session_key"] == client.session.session_key


@pytest.mark.parametrize("cookie", ["", "sessionid=nobody", 'sessionid="\\000"', "sessionid=", "x" * 5000])
def test_without_a_log_in_the_user_is_anonymous(cookie):
    scope, sent = handshake(("host", "localhost"), ("origin", "http://localhost"), ("cookie", cookie))

    assert not scope["user"].is_authenticated
    assert sent == [{"type": "websocket.accept"}]


def _log_out(client, alice):
    client.logout()


def _deactivate(client, alice):
    User.objects.filter(pk=alice.pk).update(is_active=False)


def _change_password(client, alice):
    alice.set_password("a new one, and long")
    alice.save()


def _delete(client, alice):
    alice.delete()


def _let_it_expire(client, alice):
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize("end", [_log_out, _deactivate, _change_password, _delete, _let_it_expire])
def test_a_log_in_that_has_ended_opens_no_socket_and_keeps_none(end, alice):
    client = logged_in(alice)
    user_id, key = alice.pk, client.session.session_key
    cookie = f"{configured.SESSION_COOKIE_NAME}={key}"
    assert login_is_valid(key, user_id)

    end(client, alice)

    scope, _sent = handshake(("host", "localhost"), ("origin", "http://localhost"), ("cookie", cookie))
    assert not scope["user"].is_authenticated
    assert not login_is_valid(key, user_id)


def test_bobs_session_is_no_log_in_of_alice(alice, bob):
    key = logged_in(bob).session.session_key

    assert not login_is_valid(key, alice.pk)
    assert not login_is_valid(None, alice.pk)


def test_a_rotated_secret_key_logs_nobody_out_and_deletes_no_session(alice, settings):
    client = logged_in(alice)
    before = list(Session.objects.values())
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new key " * 5

    assert socket_of(client)["user"] == alice
    assert list(Session.objects.values()) == before

    settings.SECRET_KEY_FALLBACKS = []

    assert not socket_of(client)["user"].is_authenticated
    assert list(Session.objects.values()) == before


def test_a_session_of_a_backend_that_is_not_configured_logs_nobody_in(alice):
    client = logged_in(alice)
    session = import_module(configured.SESSION_ENGINE).SessionStore(client.session.session_key)
    session["_auth_user_backend"] = "django.contrib.auth.backends.AllowAllUsersModelBackend"
    session.save()

    assert not socket_of(client)["user"].is_authenticated
