"""No secret in a line: what looks like one, or stands where one belongs, is replaced by `[redacted]`."""

import re
from collections.abc import Mapping
from typing import Any, Final

REDACTED: Final = "[redacted]"

# How a value stands behind its name: in quotes, with what is escaped in them, or bare.
_VALUE = r"""(?:"(?:[^"\\\r\n]|\\.)*"?|'(?:[^'\\\r\n]|\\.)*'?|[^\s'"&;,)}\]<>]+)"""
_NAMES = (
    r"passw(?:or)?d|passphrase|secret(?:_key)?|[a-z]+_secret|[a-z]+[_-]token|api[_-]?key|private_key|assertion"
    r"|sessionid|csrftoken|csrfmiddlewaretoken"
)

_SECRETS: Final = re.compile(
    r"(?:czs|pat|sat|czu)_[A-Za-z0-9_\-]{6,}"
    r"|sk-cc-[A-Za-z0-9_\-]{6,}"
    r"|eyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]+){0,2}"
    r"|(?<=/reset/key/)[^\s/'\"]+|(?<=/confirm-email/)[^\s/'\"]+"  # links in mails open an account
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.DOTALL,
)
_NAMED: Final = re.compile(
    rf"(?P<name>\b(?:proxy-)?authorization\b['\"]?\s*[:=,]\s*)(?:b?['\"][^'\"\r\n]*['\"]?|(?:[a-z]+\s+)?{_VALUE})"
    r"|(?P<cookie>\b(?:set-)?cookies?\b['\"]?\s*[:=,]\s*b?['\"]?)[^'\"\r\n]+"
    r"|(?P<scheme>\bbearer\s+)[\w.~+/=\-]{8,}"
    rf"|(?P<key>\b(?:{_NAMES})['\"]?\s*[:=]\s*){_VALUE}"
    rf"|(?P<query>\b(?:token|key|code|signature)(?:=|['\"]\s*:\s*)){_VALUE}"
    r"|(?P<url>://[^\s:@/'\"]*:)[^\s@'\"]+(?=@)",
    re.IGNORECASE,
)
# A line without any of these holds no secret that the patterns above would find; most lines have none.
_MARKS: Final = (
    "czs_",
    "pat_",
    "sat_",
    "czu_",
    "sk-cc-",
    "eyJ",
    "/reset/key/",
    "/confirm-email/",
    "PRIVATE KEY",
)
_NAMED_MARKS: Final = (
    "authorization", "cookie", "bearer", "passw", "passphrase", "secret", "token", "key", "assertion",
    "sessionid", "code", "signature", "@",
)  # fmt: skip
# Fields whose value is a secret whatever it looks like.
_SECRET_FIELD: Final = re.compile(
    rf"(?:{_NAMES}|(?:proxy-)?authorization|(?:set-)?cookies?|token)\Z", re.IGNORECASE
)
_DEEPEST: Final = 6


def redact(text: str) -> str:
    """The text with every token, key and password replaced by `[redacted]`."""
    if any(mark in text for mark in _MARKS):
        text = _SECRETS.sub(REDACTED, text)
    lower = text.lower()
    if any(mark in lower for mark in _NAMED_MARKS):
        text = _NAMED.sub(_without_value, text)
    return text


def _without_value(found: re.Match[str]) -> str:
    return f"{found[found.lastgroup or 0]}{REDACTED}"


def redacted(value: Any, *, depth: int = 0) -> Any:
    """A structured value as it may be logged: numbers as they are, all else as redacted text, nested or not."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact(value)
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {redact(str(name)): _field(name, each, depth=depth + 1) for name, each in value.items()}
    if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [redacted(each, depth=depth + 1) for each in value]
    return redact(str(value))


def _field(name: object, value: Any, *, depth: int) -> Any:
    plain = name.decode("latin1") if isinstance(name, bytes) else str(name)
    return REDACTED if value and _SECRET_FIELD.search(plain) else redacted(value, depth=depth)
