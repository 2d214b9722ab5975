"""What a visitor's tab shows instead of a login cookie: a random key, signed, that the tab alone keeps.

A browser sends a cookie with every tab and to every page; a pass goes where the tab's own script puts it. So two
tabs are two visitors, no foreign page can act for one, and a frame needs no cookie.
"""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from django.core.signing import BadSignature, Signer
from django.http import HttpRequest

# Said in the handshake of a socket, before the pass; the server answers with this word alone.
SUBPROTOCOL = "cozechat.visit"
SCHEME = "visit"
# What stands before a pass where other log-ins are session keys.
_LOGIN = "visit:"
_KEY_LENGTH = 32
_LONGEST = 200

# A full stop may stand in a subprotocol, a colon may not.
_signer = Signer(salt="accounts.visit", sep=".")


def make() -> tuple[str, str]:
    """A new pass, and what is kept of it: 128 random bits, signed; the digest of the bits."""
    key = secrets.token_hex(_KEY_LENGTH // 2)
    return _signer.sign(key), _digest(key)


def digest_of(text: str) -> str | None:
    """What is kept of this pass; None for what this site has not signed, without a look at the database."""
    if len(text) > _LONGEST or not text.isascii():
        return None
    try:
        return _digest(_signer.unsign(text))
    except BadSignature:
        return None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def shown_with(request: HttpRequest) -> str | None:
    """The pass in `Authorization: Visit …`; "" for an empty one, None where the request shows none."""
    scheme, _blank, shown = request.headers.get("Authorization", "").partition(" ")
    return shown.strip() if scheme.lower() == SCHEME else None


def shown_in(scope: Mapping[str, Any]) -> str | None:
    """The same of a WebSocket's handshake, where a page can name nothing but subprotocols."""
    named = list(scope.get("subprotocols", ()))
    if SUBPROTOCOL not in named:
        return None
    return next((name for name in named if name != SUBPROTOCOL), "")


def login(shown: str) -> str:
    """A visit's name among the log-ins of sockets."""
    return f"{_LOGIN}{shown}"


def of_login(text: str) -> str | None:
    """The pass in such a name; None for a session key."""
    return text.removeprefix(_LOGIN) if text.startswith(_LOGIN) else None
