"""Under which circumstances an act happens: the request that is being answered, seen from anywhere below it."""

import ipaddress
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from cozechat import logs

_request: ContextVar[HttpRequest | None] = ContextVar("audit_request", default=None)

# The first that is found in a User-Agent header, for browsers claim to be each other.
_PROGRAMS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("MicroMessenger", "WeChat"), ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"), ("Safari/", "Safari"), ("curl/", "curl"), ("python", "Python"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iOS"), ("iPad", "iOS"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Who acts, from which network, with what kind of program."""

    actor_id: int | None = None
    address: str = ""
    agent: str = ""
    request_id: str = ""


@sync_and_async_middleware
def middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """While a request is answered, whoever records an act below it need not be handed the request."""
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            token = _request.set(request)
            try:
                answer: Awaitable[HttpResponseBase] = get_response(request)
                return await answer
            finally:
                _request.reset(token)

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        token = _request.set(request)
        try:
            response: HttpResponseBase = get_response(request)
            return response
        finally:
            _request.reset(token)

    return synchronous


def current() -> Circumstances:
    """Those of the request that is being answered; of a command or a chore there are none."""
    request = _request.get()
    return of(request) if request is not None else Circumstances(request_id=logs.request_id()[:64])


def of(request: HttpRequest) -> Circumstances:
    """A request's circumstances. Who sees the site as somebody else acts as who they are."""
    user = getattr(request, "seen_by", None) or getattr(request, "user", None)
    return Circumstances(
        actor_id=user.pk if user is not None and user.is_authenticated else None,
        address=network_of(_address_of(request)),
        agent=program_of(request.headers.get("user-agent", "")),
        request_id=logs.request_id()[:64],
    )


def _address_of(request: HttpRequest) -> str:
    """What the nearest proxy of ours says, if there is one; else who is connected."""
    proxies = int(settings.ALLAUTH_TRUSTED_PROXY_COUNT)
    parts = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
    return parts[-proxies] if proxies and len(parts) >= proxies else str(request.META.get("REMOTE_ADDR", ""))


def network_of(address: str) -> str:
    """The network that an address is in, `203.0.113.0/24` or `2001:db8:1::/48`; empty for what is no address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    bits = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network(f"{parsed}/{bits}", strict=False))


def program_of(header: str) -> str:
    """The kind of program and system, `Firefox, Linux`: enough to recognise one's own, too little to follow anybody."""
    header = header[:400]
    found = [next((name for mark, name in known if mark in header), "") for known in (_PROGRAMS, _SYSTEMS)]
    return ", ".join(filter(None, found)) or ("?" if header else "")
