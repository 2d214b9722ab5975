"""Lets a superuser who sees as somebody read, and nothing else.

What is open is listed; whatever is not listed, a route of next year as well, is closed.
"""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.seeing import grants
from cozechat.audit.models import Verb
from cozechat.audit.recording import record

_CONVERSATION = "conversations.conversation"
# What may be read, and as what it stands in the trail.
READABLE = {
    "conversations:new": (Verb.LISTED, _CONVERSATION),
    "conversations:page": (Verb.OPENED, _CONVERSATION),
    "conversations:api_conversations": (Verb.LISTED, _CONVERSATION),
    "conversations:api_conversation": (Verb.OPENED, _CONVERSATION),
    "conversations:api_messages": (Verb.OPENED, _CONVERSATION),
    "conversations:api_search": (Verb.SEARCHED, _CONVERSATION),
    "usage": (Verb.LISTED, "usage.usagerecord"),
    "usage_record": (Verb.OPENED, "usage.usagerecord"),
    "balance": (Verb.OPENED, "usage.account"),
    "my_usage": (Verb.OPENED, "usage.account"),
}
ENDING = "seeing_end"


@sync_and_async_middleware
def middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Costs nothing as long as `ALLOW_IMPERSONATION` is off."""
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            if not settings.ALLOW_IMPERSONATION:
                return _plain(await get_response(request))
            refusal = await sync_to_async(_enter)(request)
            if refusal is not None:
                return refusal
            response = _plain(await get_response(request))
            await sync_to_async(_record_look)(request, response)
            return response

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        if not settings.ALLOW_IMPERSONATION:
            return _plain(get_response(request))
        refusal = _enter(request)
        if refusal is not None:
            return refusal
        response = _plain(get_response(request))
        _record_look(request, response)
        return response

    return synchronous


def _plain(response: Any) -> HttpResponseBase:
    assert isinstance(response, HttpResponseBase)  # noqa: S101 - middleware is typed by hope
    return response


def _enter(request: HttpRequest) -> HttpResponseBase | None:
    """Make the request the subject's, or refuse it."""
    actor = request.user
    if not actor.is_authenticated:
        return None
    subject = grants.subject_seen(request.session, actor=actor, now=timezone.now())
    if subject is None:
        return None
    _become(request, actor=actor, subject=subject)
    match = _match(request)
    if match is None or match.view_name == ENDING:
        return None
    reads = request.method in {"GET", "HEAD"} and match.view_name in READABLE
    return None if reads else _refused(request)


def _become(request: HttpRequest, *, actor: Any, subject: User) -> None:
    async def itself() -> User:
        return subject

    request.seen_by = actor  # type: ignore[attr-defined]
    request.seen_until = grants.ends_at(request.session)  # type: ignore[attr-defined]
    request.user, request.auser = subject, itself


def _match(request: HttpRequest) -> ResolverMatch | None:
    """Which route it is; None for an address that does not exist."""
    try:
        return resolve(request.path_info)
    except Resolver404:
        return None


def _refused(request: HttpRequest) -> HttpResponse:
    if request.path_info.startswith("/api/"):
        text = _("You see the site as somebody else: nothing can be done here.")
        return JsonResponse({"error": {"code": "read_only", "message": text}}, status=403)
    return render(request, "accounts/seeing_refused.html", status=403)


def _record_look(request: HttpRequest, response: HttpResponseBase) -> None:
    """After the page is made and before it is sent: what cannot be written down is not shown."""
    match = request.resolver_match
    if getattr(request, "seen_by", None) is None or response.status_code != 200 or match is None:
        return
    verb, kind = READABLE.get(match.view_name, (None, ""))
    if verb is not None:
        object_id = str(next(iter(match.kwargs.values()), ""))
        record(
            verb,
            subject_id=request.user.pk,
            kind=kind,
            object_id=object_id,
            detail="seeing",
            is_staff_act=True,
        )
