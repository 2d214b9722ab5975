"""`/api/token`: an access token with which a page of this user's runs Coze's Web Chat SDK.

It is not the token that the site itself uses: that one lives longer, and is nobody's but the server's.
"""

import logging
import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from limits.errors import StorageError

from accounts import tokens
from accounts.api import body_of, problem
from accounts.lending import TokenOfOnePerson
from accounts.models import User
from cozechat import database
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.coze.errors import CozeError
from cozechat.ratelimits import MINUTE, counter

logger = logging.getLogger(__name__)

_SHORTEST, _RETRY = 1, 5.0


@require_POST
@never_cache
async def token(request: HttpRequest) -> HttpResponse:
    """`{"access_token", "expires_in"}` of the caller's own session; the body may ask for less time, and for nobody else.

    It may have `duration_seconds`, and `assistant` (an id from the page) where there are several Coze apps.
    """
    user = await request.auser()
    if not settings.WEB_SDK_TOKEN_SECONDS or settings.CHARGE_CHAT:
        # What is asked with such a token the site does not see: it could neither be counted nor charged.
        return problem(404, "not_found", _("This site gives out no tokens."))
    if not isinstance(user, User):
        return problem(401, "signed_out", _("Sign in first."))
    ttl = _duration(body_of(request))
    if ttl is None:
        return problem(400, "bad_request", _("This request makes no sense."))
    wait = await _wait(user)
    if wait:
        return problem(429, "rate_limited", _("Too many tokens. Try again in a minute."), retry_after=wait)
    app = await database.run(_app, (body_of(request) or {}).get("assistant"))
    if app is None:
        return problem(404, "not_found", _("This assistant is not available."))
    return await _issued(user, app=app, ttl=ttl)


def _duration(body: dict[str, Any] | None) -> int | None:
    """How long the token may live: what was asked for, never more than the site allows. None: not a duration."""
    if body is None:
        return None
    asked = body.get("duration_seconds", settings.WEB_SDK_TOKEN_SECONDS)
    if isinstance(asked, bool) or not isinstance(asked, int) or asked < _SHORTEST:
        return None
    return int(min(asked, settings.WEB_SDK_TOKEN_SECONDS))


async def _wait(user: User) -> float:
    try:
        allowance = await counter().hit(f"web-sdk-{user.pk}", limit=settings.WEB_SDK_TOKENS_PER_MINUTE)
    except StorageError:
        logger.exception("tokens cannot be counted")
        return MINUTE
    return 0.0 if allowance.granted else max(1.0, allowance.reset)


def _app(assistant_id: Any) -> CozeApp | None:
    """The Coze app of the assistant that was named, or of the site's first."""
    if assistant_id is None:
        default = default_assistant()
        return default.app if default else None
    text = str(assistant_id)
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        return None
    found = Assistant.objects.offered().select_related("app").filter(pk=int(text)).first()
    return found.app if found else None


async def _issued(user: User, *, app: CozeApp, ttl: int) -> HttpResponse:
    try:
        issued = await tokens.issue(user, app=app, ttl=ttl)
    except TokenOfOnePerson:
        return problem(404, "not_found", _("This site gives out no tokens."))
    except CozeError as error:
        logger.warning("no token for the Web SDK: %s", error)
        retry = getattr(error, "retry_after", None) or _RETRY
        return problem(503, "busy", _("Coze gives out no token at the moment."), retry_after=retry)
    left = min(ttl, int(issued.expires_at - time.time()))
    return JsonResponse({"access_token": issued.token, "expires_in": max(left, 0)})
