"""Decides from the headers of a handshake whether our own page asked for the socket."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

_ORIGIN = re.compile(
    r"(https?)://([a-z0-9.\-_]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE
)
_DEFAULT_PORT = {"http": "80", "https": "443"}
_LOCAL_HOSTS = [".localhost", "127.0.0.1", "[::1]"]


class Origin(NamedTuple):
    """Scheme, host and port, the port always said."""

    scheme: str
    host: str
    port: str


def refusal(scope: Mapping[str, Any]) -> str | None:
    """Why this handshake is refused, or None when its origin is ours.

    Browsers send the cookie with a handshake from any page, and CORS does not apply to it: the Origin header
    is all that tells our page from a foreign one (OWASP, cross-site WebSocket hijacking).
    """
    origin = parse_origin(_only(scope, b"origin"))
    if origin is None:
        return "no usable origin"
    if _is_trusted(origin, trusted=settings.CSRF_TRUSTED_ORIGINS):
        return None
    own = own_origin(scope)
    if own is None:
        return "host not allowed"
    return None if origin == own else "foreign origin"


def is_own_page(request: HttpRequest) -> bool:
    """The same of an ordinary request that no cookie speaks for: whether a page of this site makes it."""
    origin = parse_origin(request.headers.get("Origin"))
    if origin is None:
        return False
    own = parse_origin(f"{request.scheme}://{request.get_host()}")
    return origin == own or _is_trusted(origin, trusted=settings.CSRF_TRUSTED_ORIGINS)


def parse_origin(text: str | None) -> Origin | None:
    """An origin in the one form that RFC 6454 gives it; `null`, paths and user names are none."""
    match = _ORIGIN.fullmatch(text or "")
    if match is None:
        return None
    scheme = match[1].lower()
    return Origin(scheme, match[2].lower(), match[3] or _DEFAULT_PORT[scheme])


def own_origin(scope: Mapping[str, Any]) -> Origin | None:
    """Where the page of this handshake must have come from; None for a host that we do not serve."""
    forwarded = settings.USE_X_FORWARDED_HOST and _only(scope, b"x-forwarded-host")
    host = forwarded or _only(scope, b"host") or ""
    allowed = settings.ALLOWED_HOSTS or (_LOCAL_HOSTS if settings.DEBUG else [])
    domain, _port = split_domain_port(host)
    if not domain or not validate_host(domain, allowed):
        return None
    return parse_origin(f"{_scheme(scope)}://{host}")


def _scheme(scope: Mapping[str, Any]) -> str:
    if settings.SECURE_PROXY_SSL_HEADER:
        name, secure = settings.SECURE_PROXY_SSL_HEADER
        value = _only(scope, name.removeprefix("HTTP_").replace("_", "-").lower().encode())
        if value is not None:
            return "https" if value.split(",", 1)[0].strip() == secure else "http"
    return "https" if scope.get("scheme", "ws") in {"wss", "https"} else "http"


def _is_trusted(origin: Origin, *, trusted: Iterable[str]) -> bool:
    return any(_matches(origin, pattern=pattern) for pattern in trusted)


def _matches(origin: Origin, *, pattern: str) -> bool:
    """Like Django's CSRF check: `https://*.example.com` means every host below example.com."""
    wanted = parse_origin(pattern.replace("://*.", "://.", 1).rstrip("/"))
    return (
        wanted is not None
        and (wanted.scheme, wanted.port) == (origin.scheme, origin.port)
        and is_same_domain(origin.host, wanted.host)
    )


def _only(scope: Mapping[str, Any], name: bytes) -> str | None:
    """The header's value when it was sent exactly once: of two, nobody can say which counts."""
    values = [value for key, value in scope["headers"] if key.lower() == name]
    return values[0].decode("latin-1") if len(values) == 1 else None
