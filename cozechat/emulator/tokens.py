"""Access tokens and spent assertions; both live in memory, so a restart invalidates every token."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any

from cozechat.emulator.refusals import not_authenticated, token_expired
from cozechat.emulator.store import Identity


@dataclass(frozen=True, slots=True)
class Token:
    """What an access token stands for."""

    identity: Identity
    scope: dict[str, Any] | None
    expires_at: int


class Tokens:
    """Issued tokens, by their hash."""

    def __init__(self) -> None:
        self._issued: dict[bytes, Token] = {}

    def issue(self, token: Token, *, prefix: str = "czs_") -> str:
        """A new token; the prefix of one that somebody made by hand in the console is `pat_` or `sat_`."""
        text = prefix + secrets.token_urlsafe(48)
        self._issued[_digest(text)] = token
        return text

    def identify(self, bearer: str | None) -> Identity:
        """Whose token this is; garbage and revoked ones answer 4100, expired ones 700012006."""
        token = self._issued.get(_digest(bearer)) if bearer else None
        if token is None:
            raise not_authenticated()
        if token.expires_at <= time.time():
            raise token_expired()
        return token.identity

    def session_name(self, bearer: str | None) -> str | None:
        token = self._issued.get(_digest(bearer)) if bearer else None
        return None if token is None else token.identity.session_name

    def revoke(self, *, session_name: str | None = None) -> int:
        """Revokes one session's tokens, or all."""
        doomed = [
            digest
            for digest, token in self._issued.items()
            if session_name is None or token.identity.session_name == session_name
        ]
        for digest in doomed:
            del self._issued[digest]
        return len(doomed)

    def expire(self) -> None:
        """Lets every token that is out now run out at once."""
        self._issued = {
            digest: Token(token.identity, token.scope, 0) for digest, token in self._issued.items()
        }


class SpentAssertions:
    """The `jti` of every assertion that was traded in, until it would have expired anyway."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}
        self._sweep_at = 1024

    def spend(self, jti: str, *, issuer: str, until: float) -> bool:
        """False when it was spent before."""
        key = (issuer, jti)
        if key in self._until:
            return False
        if len(self._until) >= self._sweep_at:
            now = time.time()
            self._until = {key: end for key, end in self._until.items() if end > now}
            self._sweep_at = 2 * len(self._until) + 1024
        self._until[key] = until
        return True


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
