"""What every JSON view does: guard, read a body, answer with an error."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts.haste import unhurried
from accounts.models import User
from cozechat import logs

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def problem(status: int, code: str, message: str) -> JsonResponse:
    """An error as JSON, with what it is found by in the log."""
    return JsonResponse({"error": {"code": code, "message": message, **logs.reference()}}, status=status)


def not_found() -> JsonResponse:
    """Not there, or not the caller's: nobody can tell which."""
    return problem(404, "not_found", _("This conversation does not exist."))


def bad_request(message: str = "") -> JsonResponse:
    """What was sent cannot be meant."""
    return problem(400, "bad_request", message or _("This request makes no sense."))


def signed_in(view: View[P]) -> View[P]:
    """401 as JSON for whoever is not logged in: a script cannot use a log-in page. 429 for who asks too fast."""
    unhurried_view = unhurried(view)

    @wraps(view)
    @never_cache
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not isinstance(request.user, User):
            return problem(401, "signed_out", _("Sign in first."))
        return unhurried_view(request, *args, **kwargs)

    return guarded


def caller(request: HttpRequest) -> User:
    """Who asks; in what `signed_in` guards."""
    assert isinstance(request.user, User)  # noqa: S101 - signed_in has seen to it
    return request.user


def body(request: HttpRequest) -> dict[str, Any] | None:
    """The JSON object in the body (an empty one for no body); None for anything else."""
    try:
        data = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
