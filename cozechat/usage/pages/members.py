"""Who sees these pages: members. A visitor has no keys and no balance."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def is_member(user: Any) -> bool:
    """Whether calls can be on this user's account."""
    return bool(user.is_authenticated and not user.is_visitor and user.end_user_of_id is None)


def user_id(request: HttpRequest) -> int:
    """Whose page it is."""
    assert request.user.pk is not None  # noqa: S101 - members_only has seen to it
    return request.user.pk


def members_only(view: View[P]) -> View[P]:
    """To the log-in page with whoever is nobody, 403 for a visitor; nothing of it is kept by a browser."""

    @wraps(view)
    @login_required
    @never_cache
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not is_member(request.user):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded
