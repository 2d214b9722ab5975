"""Who may see what is inside: staff who are logged in, or a machine with the token of `DIAGNOSTICS_TOKEN`."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.crypto import constant_time_compare

View = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponseBase]]


def guarded(view: View) -> View:
    """Anybody else is refused, and told nothing."""

    @wraps(view)
    async def guarding(request: HttpRequest) -> HttpResponseBase:
        status = await _refusal(request)
        if status is None:
            response = await view(request)
            response.headers["Cache-Control"] = "no-store"
            return response
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        return JsonResponse({"error": "not allowed"}, status=status, headers=headers)

    return guarding


async def _refusal(request: HttpRequest) -> int | None:
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        known = bool(settings.DIAGNOSTICS_TOKEN) and constant_time_compare(token, settings.DIAGNOSTICS_TOKEN)
        return None if known else 401
    user = await request.auser()
    if user.is_active and user.is_staff:
        return None
    return 403 if user.is_authenticated else 401
