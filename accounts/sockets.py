"""Lets a WebSocket in: first its origin, then the log-in that its cookie stands for, or the visit that its tab names.

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

from accounts import origins, passes, visits
from accounts.models import User
from accounts.seeing import grants as seeing
from cozechat import database, logs

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class SocketLogin:
    """ASGI middleware: refuses foreign origins with 403, gives the others `user` and `session_key`.

    A tab that shows a visitor's pass is that visitor or nobody, whatever cookie comes along; its `session_key` is the
    pass, and `subprotocol` what the handshake is to be answered with.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = origins.refusal(scope)
        if reason is not None:
            logger.warning("WebSocket refused: %s (origin %s)", reason, _origin_for_the_log(scope))
            await _refuse(receive, send)
            return
        shown = passes.shown_in(scope)
        session_key = _session_key(scope) if shown is None else passes.login(shown)
        user = await database.run(user_of, session_key)
        found = {
            "user": user or AnonymousUser(),
            "session_key": session_key,
            "subprotocol": None if shown is None else passes.SUBPROTOCOL,
        }
        with logs.also(user_id=user.pk if user else None):
            await self.application({**scope, **found}, receive, send)


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
    is_usable = key.isascii() and key.isprintable() and passes.of_login(key) is None
    return key if key and is_usable else None


def user_of(session_key: str | None) -> User | None:
    """Whom this log-in belongs to: a visitor, or an active user whose password it was made with.

    The same checks as `django.contrib.auth.get_user`, which wants a request and may delete the session.
    """
    if not session_key:
        return None
    shown = passes.of_login(session_key)
    if shown is not None:
        return visits.visitor_of(shown)
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
