"""The pages of sharing: make a link, look at one, take one back. All of them work without JavaScript."""

import uuid
from collections.abc import Sequence
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from conversations.models import Share
from conversations.sharing import snapshots
from conversations.sharing.forms import ShareForm


def _member(request: HttpRequest) -> User:
    """Visitors have no links: what they say goes with their tab."""
    user = cast(User, request.user)
    if user.is_visitor:
        raise PermissionDenied
    return user


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def new(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Tell what a link would show, ask how long it is to work, make it."""
    user = _member(request)
    conversation = snapshots.own_conversation(user, conversation_id)
    if conversation is None:
        raise Http404
    form = ShareForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            snapshots.make(user, conversation, days=form.cleaned_data["days"], now=timezone.now())
        except snapshots.NothingToShare:
            form.add_error(None, _("There is nothing to share yet."))
        except snapshots.TooManyShares:
            form.add_error(None, _("You have as many links as one may have. Revoke one first."))
        else:
            return redirect("shares:of", conversation_id=conversation_id)
    shares = [share for share in snapshots.shares_of(user) if share.conversation_id == conversation_id]
    context = {
        "conversation": conversation,
        "contents": snapshots.contents_of(conversation),
        "form": form,
        "entries": _entries(request, shares),
    }
    return render(request, "sharing/new.html", context)


@require_safe
@login_required
@never_cache
def listing(request: HttpRequest) -> HttpResponse:
    """All of one's links."""
    shares = snapshots.shares_of(_member(request))
    return render(request, "sharing/list.html", {"entries": _entries(request, shares)})


@require_POST
@login_required
@never_cache
def revoke(request: HttpRequest, share_id: uuid.UUID) -> HttpResponse:
    """Take one back."""
    if not snapshots.revoke(_member(request), share_id):
        raise Http404
    messages.success(request, _("The link is revoked. It opens nothing any more."))
    return redirect("shares:list")


@require_safe
@never_cache
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """What a link shows; one that was never made, has ended or was revoked is not there."""
    if not settings.SHARE_PUBLIC and not request.user.is_authenticated:
        return redirect(f"{reverse('account_login')}?next={request.path}")
    share = snapshots.opened(token, viewer=request.user, now=timezone.now())
    if share is None:
        raise Http404
    context = {"share": share, "messages_shown": snapshots.html_of(share)}
    response = render(request, "sharing/shared.html", context)
    # Neither a search engine nor a site that is linked from here learns the address.
    response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _entries(request: HttpRequest, shares: Sequence[Share]) -> list[dict[str, object]]:
    now = timezone.now()
    return [
        {
            "share": share,
            "field": f"link-{share.pk}",
            "ended": share.has_ended(now=now),
            "link": request.build_absolute_uri(reverse("shares:shared", kwargs={"token": share.token}))
            if share.token
            else "",
        }
        for share in shares
    ]
