"""Who may tell us something: bearer tokens, and Coze's signature. Pure; every comparison takes the same time."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import Enum

# How far Coze's clock and ours may be apart, and how long a signed request may be under way.
WINDOW = timedelta(minutes=5)


class Proof(Enum):
    """What a signature came to."""

    GOOD = "good"
    BAD = "bad"
    STALE = "stale"
    ABSENT = "absent"


def is_bearer(header: str, *, tokens: Iterable[str]) -> bool:
    """Whether the header carries one of the tokens. All are compared: which one it is shows in no time taken."""
    scheme, _, given = header.partition(" ")
    found = _is_any(given.strip(), wanted=tokens)
    return found and scheme.lower() == "bearer"


def signature_of(body: bytes, *, token: str, timestamp: str, nonce: str) -> str:
    """Coze's: SHA-1 over timestamp, nonce, verify token and raw body, in hex (plain, although its prose says HMAC)."""
    return hashlib.sha1(f"{timestamp}{nonce}{token}".encode() + body, usedforsecurity=False).hexdigest()


def prove(headers: Mapping[str, str], body: bytes, *, tokens: Iterable[str], now: datetime) -> Proof:
    """Check the three headers that Coze signs with; an old timestamp of a good signature is a replay."""
    given = [headers.get(f"X-Coze-{name}", "") for name in ("Timestamp", "Nonce", "Signature")]
    if not any(given):
        return Proof.ABSENT
    timestamp, nonce, signature = given
    wanted = [signature_of(body, token=token, timestamp=timestamp, nonce=nonce) for token in tokens]
    if not all(given) or not _is_any(signature, wanted=wanted):
        return Proof.BAD
    return Proof.GOOD if _is_fresh(timestamp, now=now) else Proof.STALE


def _is_any(given: str, *, wanted: Iterable[str]) -> bool:
    # Digests, so that not even a length is told; all of them, so that the first is no quicker than the last.
    digest = _digest(given)
    return sum(hmac.compare_digest(digest, _digest(each)) for each in wanted) > 0


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


def _is_fresh(timestamp: str, *, now: datetime) -> bool:
    """Milliseconds since 1970; more digits than that are no time."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 14):
        return False
    return abs(int(timestamp) / 1000 - now.timestamp()) <= WINDOW.total_seconds()
