"""Requests of visitors: whose pass they show decides, and nothing else."""

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

from accounts import passes, visits

# Where a pass counts. Pages of members' accounts, and the admin, know the login cookie alone.
_PREFIX = "/api/"


class VisitorMiddleware(MiddlewareMixin):
    """Who shows a pass is its visitor or nobody, whatever cookie comes along."""

    def process_request(self, request: HttpRequest) -> None:
        """Runs after Django has read the cookie, and takes its place."""
        shown = passes.shown_with(request) if request.path_info.startswith(_PREFIX) else None
        if shown is None:
            return
        user = visits.visitor_of(shown) or AnonymousUser()

        async def auser() -> object:
            return user

        # What AuthenticationMiddleware sets, and where Django remembers it.
        request.user, request.auser, request._cached_user = user, auser, user  # type: ignore[assignment,attr-defined]
        # A foreign page cannot send this header: browsers ask the site first (CORS), and it never agrees. Nothing that
        # browsers add by themselves counts here, so there is no request to forge, and a frame need not keep a cookie.
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
