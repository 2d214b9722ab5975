"""`/health` is answered before everything else: no session, no redirect to HTTPS, no host that a probe must name."""

from collections.abc import Awaitable, Callable

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed

from cozechat.monitoring.views import health

GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]
_PATHS = frozenset({"/health", "/health/"})
_METHODS = ("GET", "HEAD")


class HealthFirst:
    """Middleware that keeps the question of health to itself and lets all other requests pass."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path not in _PATHS:
            return await self._get_response(request)
        if request.method not in _METHODS:
            return HttpResponseNotAllowed(_METHODS)
        return await health(request)
