"""Who asks too fast over HTTP is told when to come back: programs in JSON, people on a page."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from allauth.core.internal import ratelimit
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cozechat import buckets, counters
from cozechat.buckets import Bucket

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

_APP = "allauth.account"
# Which of allauth's limits a page is held to.
_ACTIONS = {
    "account_login": "login",
    "account_signup": "signup",
    "account_reset_password": "reset_password",
    "account_reset_password_from_key": "reset_password_from_key",
    "account_change_password": "change_password",
    "account_set_password": "change_password",
    "account_email": "manage_email",
    "account_reauthenticate": "reauthenticate",
    "account_email_verification_sent": "confirm_email",
    "account_confirm_email": "confirm_email",
}
# Where nobody knows which limit it was.
_A_MINUTE = 60


def unhurried(view: View[P]) -> View[P]:
    """A view of `/api/`: beyond `API_PER_MINUTE` its user is told 429, and when to come back."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        seconds = _seconds_to_wait(request)
        return _too_fast(seconds) if seconds else view(request, *args, **kwargs)

    return guarded


def _seconds_to_wait(request: HttpRequest) -> int:
    per_minute = settings.API_PER_MINUTE
    if not per_minute or not request.user.is_authenticated:
        return 0
    bucket = Bucket(size=min(settings.API_BURST, per_minute), per_minute=per_minute)
    wait = buckets.take(f"api-{request.user.pk}", bucket=bucket)
    return buckets.whole_seconds(wait) if wait else 0


def _too_fast(seconds: int) -> JsonResponse:
    counters.add("limits_refused", label="api")
    error = {"code": "rate_limited", "message": _("Too many requests."), "retry_after": seconds}
    return JsonResponse({"error": error}, status=429, headers={"Retry-After": str(seconds)})


def too_many_tries(request: HttpRequest) -> HttpResponse:
    """The page for who has tried to log in, to sign up or the like too often: allauth asks for it."""
    counters.add("limits_refused", label="account")
    seconds = _seconds_until_allowed(request)
    context = {"when": in_words(seconds)}
    page = render(request, "429.html", context, status=429)
    page["Retry-After"] = str(seconds)
    return page


def _seconds_until_allowed(request: HttpRequest) -> int:
    """Read off what allauth has counted; where it counts by what was typed, the whole of that time."""
    match = request.resolver_match
    action = _ACTIONS.get(match.url_name or "") if match else None
    if action is None:
        return _A_MINUTE
    rates = ratelimit.get_rates(app=_APP, action=action)
    waits = [wait for rate in rates if (wait := _wait(request, action=action, rate=rate)) > 0]
    unknown = [int(rate.duration) for rate in rates if rate.per == "key"]
    return buckets.whole_seconds(max(waits)) if waits else max([_A_MINUTE, *unknown])


def _wait(request: HttpRequest, *, action: str, rate: ratelimit.Rate, key: str | None = None) -> float:
    """How long until this limit lets the next one through; 0 where it does, or cannot be looked up."""
    known = {"ip": True, "key": key is not None, "user": request.user.is_authenticated}
    if not known.get(rate.per):
        return 0.0
    name = ratelimit.get_cache_key(request, app=_APP, action=action, rate=rate, key=key)
    now = time.time()
    tried = [moment for moment in cache.get(name, []) if moment > now - rate.duration]
    return min(tried) + rate.duration - now if len(tried) >= rate.amount else 0.0


def seconds_until_next_guess(request: HttpRequest, *, key: str) -> int:
    """When the next password may be tried, under allauth's name for who tries it on whom."""
    rates = ratelimit.get_rates(app=_APP, action="login_failed")
    waits = [_wait(request, action="login_failed", rate=rate, key=key) for rate in rates]
    return buckets.whole_seconds(max([1.0, *waits]))


def in_words(seconds: int) -> str:
    """A time to wait, in the language that is active."""
    if seconds < 2 * _A_MINUTE:
        return ngettext("in %(count)d second", "in %(count)d seconds", seconds) % {"count": seconds}
    minutes = -(-seconds // _A_MINUTE)
    return ngettext("in %(count)d minute", "in %(count)d minutes", minutes) % {"count": minutes}


def guess_refusal(request: HttpRequest, *, key: str) -> Any:
    """What the log-in form says after too many wrong passwords."""
    when = in_words(seconds_until_next_guess(request, key=key))
    return _("Too many failed attempts. Try again %(when)s.") % {"when": when}
