"""Asks for one's own password once more, before what a borrowed browser must not do."""

from allauth.core.internal import ratelimit
from django.http import HttpRequest

from accounts.models import User


def is_own(request: HttpRequest, *, password: str) -> bool:
    """Whether this is the password of whoever is signed in; too many tries are all wrong."""
    user = request.user
    if not isinstance(user, User) or not user.has_usable_password():
        return False
    # allauth counts its own re-authentications by the same name.
    if not ratelimit.consume(request, app="allauth.account", action="reauthenticate", user=user):
        return False
    return user.check_password(password)
