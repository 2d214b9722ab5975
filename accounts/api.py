"""JSON of visits: begin one, look whether it lives, leave it, end it, keep its chats as a member."""

import json
import logging
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import get_supported_language_variant
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST
from limits.errors import StorageError

from accounts import addresses, origins, passes, visits
from accounts.models import User
from cozechat import database
from cozechat.ratelimits import counter

logger = logging.getLogger(__name__)

# When to try again while nothing can be counted (seconds).
_UNCOUNTED_RETRY = 30


def problem(status: int, code: str, message: str, *, retry_after: float | None = None) -> JsonResponse:
    """An error as every JSON answer of the site words it."""
    response = JsonResponse({"error": {"code": code, "message": message}}, status=status)
    if retry_after is not None:
        response["Retry-After"] = str(max(1, round(retry_after)))
    return response


def body_of(request: HttpRequest) -> dict[str, Any] | None:
    """The JSON object in the body (an empty one for no body); None for anything else."""
    try:
        data = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _bad_request() -> JsonResponse:
    return problem(400, "bad_request", _("This request makes no sense."))


def _no_visit(status: int = 404) -> JsonResponse:
    return problem(status, "not_found", _("This visit does not exist."))


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST", "DELETE"])
@never_cache
async def visit(request: HttpRequest) -> HttpResponse:
    """POST begins one, GET looks whether the pass that is shown still opens it, DELETE ends it.

    Exempt from the CSRF check because no cookie counts here: who begins is asked for the origin, and the others show
    a pass.
    """
    if request.method == "POST":
        return await _begin(request)
    shown = passes.shown_with(request) or ""
    if request.method == "DELETE":
        ended = await database.run(visits.end, shown)
        return HttpResponse(status=204) if ended else _no_visit()
    user = await request.auser()
    if passes.shown_with(request) is None or not isinstance(user, User):
        return _no_visit()
    return JsonResponse({"user": user.browser_key})


async def _begin(request: HttpRequest) -> HttpResponse:
    if not await database.run(visits.are_welcome):
        return problem(404, "not_found", _("Only members can talk here."))
    if not origins.is_own_page(request):
        return problem(403, "foreign_origin", _("Only this site's own pages can do this."))
    data = body_of(request)
    if data is None:
        return _bad_request()
    wait = await _wait(addresses.network_of(request))
    if wait:
        text = _("Too many visitors have come from your network. Try again later, or sign in.")
        return problem(429, "rate_limited", text, retry_after=wait)
    begun = await database.run(visits.begin, language=_language(data.get("language")))
    return JsonResponse({"pass": begun.shown, "user": begun.visitor.browser_key}, status=201)


async def _wait(network: str) -> float:
    """In how many seconds this network may have another visitor; 0 for now."""
    try:
        return await counter().hit_in_hour(f"visits-{network}", limit=settings.VISITORS_PER_HOUR)
    except StorageError:
        # Anybody may come here: what cannot be counted is not let in.
        logger.exception("visitors cannot be counted")
        return _UNCOUNTED_RETRY


def _language(wished: Any) -> str:
    known = dict(settings.LANGUAGES)
    try:
        return get_supported_language_variant(wished) if isinstance(wished, str) and wished in known else ""
    except LookupError:
        return ""


@csrf_exempt
@require_POST
@never_cache
def leave(request: HttpRequest) -> HttpResponse:
    """The tab closes, or is loaded anew; what comes of it only time can tell, so nothing is answered."""
    visits.leave(passes.shown_with(request) or "")
    return HttpResponse(status=204)


@require_POST
@never_cache
def claim(request: HttpRequest) -> HttpResponse:
    """A member keeps the chats of the visit whose pass is in the body; afterwards it opens nothing any more."""
    member = request.user
    if not isinstance(member, User) or member.is_visitor:
        return problem(401, "signed_out", _("Sign in first."))
    data = body_of(request)
    shown = data.get("pass") if data is not None else None
    if not isinstance(shown, str):
        return _bad_request()
    return JsonResponse({"kept": True}) if visits.claim(shown, member=member) else _no_visit()
