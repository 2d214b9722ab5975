"""Lets a WebSocket in: first its origin, then the log-in that its cookie stands for.

Channels' own middleware is not used: it looks users up on the one thread that all sockets share, and deletes
a session whose hash was made with an older `SECRET_KEY`. Here nothing is ever written.
"""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.auth.models import AnonymousUser
from django.http import parse_cookie
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts import origins
from accounts.models import User
from accounts.seeing import grants as seeing
from cozechat import database, logs

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class SocketLogin:
    """ASGI middleware: refuses foreign origins with 403, gives the others `user` and `session_key`."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = origins.refusal(scope)
        if reason is not None:
            logger.warning("WebSocket refused: %s (origin %s)", reason, _origin_for_the_log(scope))
            await _refuse(receive, send)
            return
        session_key = _session_key(scope)
        user = await database.run(user_of, session_key)
        with logs.also(user_id=user.pk if user else None):
            await self.application(
                {**scope, "user": user or AnonymousUser(), "session_key": session_key}, receive, send
            )


async def _refuse(receive: Receive, send: Send) -> None:
    # A close before the handshake was accepted becomes "403 Forbidden" on the wire (ASGI specification).
    if (await receive())["type"] == "websocket.connect":
        await send({"type": "websocket.close"})


def _origin_for_the_log(scope: Scope) -> str:
    sent = b", ".join(value for name, value in scope["headers"] if name.lower() == b"origin")
    return ascii(sent[:200].decode("latin-1"))


def _session_key(scope: Scope) -> str | None:
    sent = "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"cookie")
    key = parse_cookie(sent).get(settings.SESSION_COOKIE_NAME, "")
    # A quoted cookie can carry NUL, which PostgreSQL answers with an error instead of "no such session".
    return key if key and key.isascii() and key.isprintable() else None


def user_of(session_key: str | None) -> User | None:
    """Whom this session logs in: active, and with the password that the log-in was made with.

    The same checks as `django.contrib.auth.get_user`, which wants a request and may delete the session.
    """
    if not session_key:
        return None
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    if seeing.is_on(session, now=timezone.now()):
        # Whoever sees as somebody else only reads, and pages do that.
        return None
    path = session.get(BACKEND_SESSION_KEY)
    if path not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = load_backend(path).get_user(session.get(SESSION_KEY))
    if not isinstance(user, User) or not _made_with_this_password(user, session.get(HASH_SESSION_KEY)):
        return None
    return user


def _made_with_this_password(user: User, session_hash: str | None) -> bool:
    """Compare with today's `SECRET_KEY` and with the fallbacks: a rotated key logs nobody out."""
    if not session_hash:
        return False
    valid = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(session_hash, each) for each in valid)


def login_is_valid(session_key: str | None, user_id: int) -> bool:
    """Whether this session still logs this user in; asked every 30 s and before a question is accepted."""
    user = user_of(session_key)
    return user is not None and user.pk == user_id
