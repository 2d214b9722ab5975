"""The way in: everything under `/v1/` is answered here, always in JSON, before any other middleware.

The site's middleware is made for browsers: cookies, CSRF, redirects to a slash, pages for errors; and one of it is
synchronous, which would keep a thread busy for every call that waits for Coze. So it comes first in the list, and what
it answers goes through nothing else.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import Resolver404, URLResolver
from django.urls.resolvers import RegexPattern

from cozechat import logs
from cozechat.gateway.chunks import encode
from cozechat.gateway.errors import NO_RETRY, Refusal, internal, malformed, restarting, too_large

logger = logging.getLogger(__name__)
_HOME = "/v1/"
# What people call who have left /v1 out of their base URL; nothing else of the site has these names.
_STRAYED = frozenset({"/chat/completions", "/models", "/responses"})
_EXPOSED = (
    "x-request-id, retry-after, retry-after-ms, x-should-retry, x-conversation-id, x-cozechat-ignored, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"
)
_ALLOWED = "authorization, content-type, idempotency-key, x-end-user-id, x-conversation-id"
_resolver = URLResolver(RegexPattern(r"^/"), "cozechat.gateway.urls")
_Response = TypeVar("_Response", bound=HttpResponseBase)
GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]
# What the server refuses by itself.
_SERVERS: dict[int, Callable[[], Refusal]] = {400: malformed, 413: too_large, 503: restarting}


class Entrance:
    """Middleware that keeps the API to itself and lets all other requests pass."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return await (answer(request) if is_ours(request.path) else self._get_response(request))


async def answer(request: HttpRequest) -> HttpResponseBase:
    """What the API says to a request; it raises nothing."""
    request_id = logs.request_id() or logs.new_request_id()
    return _ours(await _answer(request, request_id=request_id), request_id=request_id)


def refused_by_server(target: bytes, status: int) -> tuple[list[tuple[bytes, bytes]], bytes] | None:
    """What the server says instead of us: a body that is too large, bytes that are no request, the end of the process."""
    if not is_ours(target.partition(b"?")[0].decode("latin1")):
        return None
    response = refused(_SERVERS.get(status, internal)())
    headers = _ours(response, request_id=logs.new_request_id()).items()
    return [(name.lower().encode(), value.encode()) for name, value in headers], response.content


def _ours(response: _Response, *, request_id: str) -> _Response:
    """With the headers that every answer has."""
    response.headers["x-request-id"] = request_id
    response.headers["access-control-allow-origin"] = "*"
    response.headers["access-control-expose-headers"] = _EXPOSED
    response.headers["x-content-type-options"] = "nosniff"
    return response


def is_ours(path: str) -> bool:
    """Whether the API answers for this path."""
    return path.startswith(_HOME) or path == "/v1" or path in _STRAYED


async def _answer(request: HttpRequest, *, request_id: str) -> HttpResponseBase:
    try:
        _check_host(request)
        if request.method == "OPTIONS":
            return _preflight(request)
        return await _dispatch(request, request_id=request_id)
    except Refusal as refusal:
        return refused(refusal)
    except Exception:
        logger.exception("request %s failed", request_id)
        return refused(internal())


def _check_host(request: HttpRequest) -> None:
    try:
        request.get_host()
    except DisallowedHost:
        raise Refusal(400, "invalid_host", "This site is not served under that name.") from None
    if settings.HTTPS and not request.is_secure():
        message = "A key that was sent without HTTPS is no secret any more. Use https://."
        raise Refusal(403, "https_required", message, headers=NO_RETRY)


async def _dispatch(request: HttpRequest, *, request_id: str) -> HttpResponseBase:
    if request.path in _STRAYED:
        raise _not_found(f"Use /v1{request.path}: the base URL ends in /v1.")
    try:
        found = _resolver.resolve(request.path)
    except Resolver404:
        raise _not_found(f"There is no {request.path[:200]} here.") from None
    view: Any = found.func.get(request.method)  # type: ignore[attr-defined]  # a table, see `urls`
    if view is None:
        allowed = ", ".join(sorted(found.func))  # type: ignore[call-overload]
        message = f"{request.method} is not possible here, but {allowed}."
        raise Refusal(405, "method_not_allowed", message, headers={"allow": allowed})
    response: HttpResponseBase = await view(request, request_id=request_id, **found.kwargs)
    return response


def _not_found(message: str) -> Refusal:
    return Refusal(404, "not_found", message, headers=NO_RETRY)


def refused(refusal: Refusal) -> HttpResponse:
    """An error as both official clients read it."""
    response = HttpResponse(encode(refusal.body()), status=refusal.status, content_type="application/json")
    for name, value in refusal.headers.items():
        response.headers[name] = value
    return response


def _preflight(request: HttpRequest) -> HttpResponse:
    """What a browser asks before it sends a key. `*` would not cover `authorization`, so names are repeated."""
    response = HttpResponse(status=204)
    wanted = request.headers.get("access-control-request-headers", "")
    response.headers["access-control-allow-methods"] = "GET, POST, OPTIONS"
    response.headers["access-control-allow-headers"] = wanted or _ALLOWED
    response.headers["access-control-max-age"] = "600"
    response.headers["vary"] = "access-control-request-headers"
    return response
