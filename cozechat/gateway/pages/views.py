"""The pages of one's own API keys. A key itself is in one answer only, the one to the form that made it."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.models import User
from cozechat.gateway import own_keys
from cozechat.gateway.keys import address_of
from cozechat.gateway.models import ApiKey
from cozechat.gateway.pages.entries import Entry, entries, entries_of
from cozechat.gateway.pages.forms import KeyForm, NewKeyForm, RotateForm, gateway_names

View = Callable[..., HttpResponse]
_READ = ("GET", "HEAD")


def for_members(*methods: str) -> Callable[[View], View]:
    """Pages for who has an account, by these methods; no cache keeps them, and no key of another exists."""

    def decorated(view: View) -> View:
        @never_cache
        @require_http_methods(methods)
        @login_required
        @wraps(view)
        def page(request: HttpRequest, **named: Any) -> HttpResponse:
            user = cast(User, request.user)
            if user.is_visitor or user.end_user_of_id is not None:
                raise PermissionDenied
            try:
                return view(request, user, **named)
            except ApiKey.DoesNotExist as error:
                raise Http404 from error

        return page

    return decorated


@for_members(*_READ)
def listing(request: HttpRequest, user: User) -> HttpResponse:
    """All of one's keys."""
    standing, ended = entries_of(user, now=timezone.now())
    context = _calling(request) | {"entries": standing, "ended": ended, "most": own_keys.MOST}
    return render(request, "gateway/keys.html", context)


@for_members(*_READ, "POST")
def new(request: HttpRequest, user: User) -> HttpResponse:
    """Ask for name and limits; answer with the key."""
    form = NewKeyForm(_sent(request), address=address_of(request))
    if form.is_valid():
        try:
            key, secret = own_keys.create(
                user, ticket=form.cleaned_data["ticket"], now=timezone.now(), **form.limits()
            )
        except own_keys.TooManyKeys:
            form.add_error(None, _too_many())
        except own_keys.MadeBefore:
            return _made_before(request)
        else:
            return _made(request, key=key, secret=secret)
    return render(request, "gateway/new_key.html", {"form": form})


@for_members(*_READ, "POST")
def one(request: HttpRequest, user: User, *, key_id: int) -> HttpResponse:
    """A key's limits, and what else can be done with it."""
    now = timezone.now()
    key = own_keys.own(user, key_id)
    entry = entries(user, [key], now=now)[0]
    if not entry.can_change:
        return _not_allowed(request) if request.method == "POST" else _one(request, entry=entry, form=None)
    # The form writes what is typed into its row, valid or not: the page shows another one.
    form = KeyForm(_sent(request), instance=own_keys.own(user, key_id), address=address_of(request))
    if form.is_valid():
        try:
            own_keys.change(user, key_id, now=now, **form.limits())
        except own_keys.TooManyKeys:
            form.add_error(None, _too_many())
        except own_keys.NotAllowed:
            return _not_allowed(request)
        else:
            messages.success(request, _("The key is changed."))
            return redirect("keys:list")
    return _one(request, entry=entry, form=form)


@for_members(*_READ, "POST")
def rotate(request: HttpRequest, user: User, *, key_id: int) -> HttpResponse:
    """Ask how long the old key is to work; answer with the new one."""
    now = timezone.now()
    entry = entries(user, [own_keys.own(user, key_id)], now=now)[0]
    form = RotateForm(_sent(request))
    if form.is_valid():
        try:
            return _rotated(request, user, entry=entry, given=form.cleaned_data, now=now)
        except own_keys.TooManyKeys:
            form.add_error(None, _too_many())
        except own_keys.MadeBefore:
            return _made_before(request)
        except own_keys.NotAllowed:
            return _not_allowed(request)
    if not entry.can_rotate:
        return _not_allowed(request)
    return render(request, "gateway/rotate_key.html", {"form": form, "entry": entry})


def _rotated(
    request: HttpRequest, user: User, *, entry: Entry, given: dict[str, Any], now: datetime
) -> HttpResponse:
    key, secret = own_keys.rotate(user, entry.key.pk, ticket=given["ticket"], grace=given["grace"], now=now)
    return _made(request, key=key, secret=secret, old=own_keys.own(user, entry.key.pk))


@for_members("POST")
def switch(request: HttpRequest, user: User, *, key_id: int, off: bool) -> HttpResponse:
    """Off or on."""
    try:
        own_keys.switch(user, key_id, off=off)
    except own_keys.NotAllowed:
        return _not_allowed(request)
    text = _("The key is switched off.") if off else _("The key is switched on again.")
    messages.success(request, text)
    return redirect("keys:one", key_id=key_id)


@for_members(*_READ, "POST")
def revoke(request: HttpRequest, user: User, *, key_id: int) -> HttpResponse:
    """Ask once more; then it is over."""
    entry = entries(user, [own_keys.own(user, key_id)], now=timezone.now())[0]
    if not entry.key.is_active:
        return _not_allowed(request)
    if request.method != "POST":
        return render(request, "gateway/revoke_key.html", {"entry": entry})
    own_keys.revoke(user, key_id)
    messages.success(request, _("The key is revoked. It opens nothing any more."))
    return redirect("keys:list")


def _sent(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _one(request: HttpRequest, *, entry: Entry, form: KeyForm | None) -> HttpResponse:
    return render(request, "gateway/key.html", {"entry": entry, "form": form})


def _made(request: HttpRequest, *, key: ApiKey, secret: str, old: ApiKey | None = None) -> HttpResponse:
    context = _calling(request) | {"key": key, "secret": secret, "old": old}
    return render(request, "gateway/made_key.html", context)


def _made_before(request: HttpRequest) -> HttpResponse:
    text = _("This key was made and shown before. It cannot be shown again: make another one if it is lost.")
    messages.warning(request, text)
    return redirect("keys:list")


def _not_allowed(request: HttpRequest) -> HttpResponse:
    messages.error(request, _("This cannot be done with this key."))
    return redirect("keys:list")


def _too_many() -> str:
    return _("You have %d keys, and more are not possible. Revoke one that is not needed.") % own_keys.MOST


def _calling(request: HttpRequest) -> dict[str, str]:
    """What the sample needs: where this very site is, and a model that it has."""
    names = gateway_names()
    return {"base_url": request.build_absolute_uri("/v1"), "model": names[0] if names else "MODEL"}
