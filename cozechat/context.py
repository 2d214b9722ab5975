"""What every template may ask for."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """The site's name, and whether the built-in emulator answers instead of Coze."""
    return {
        "site_name": settings.SITE_NAME,
        "emulated": settings.COZE_EMULATED,
        "allow_signup": settings.ALLOW_SIGNUP,
        "seen_until": _seen_until(request),
        "allow_visitors": settings.ALLOW_VISITORS,
    }


def _seen_until(request: HttpRequest) -> datetime | None:
    """When a superuser who sees the site as somebody becomes themselves again."""
    until = getattr(request, "seen_until", None)
    return datetime.fromtimestamp(until, tz=UTC) if until else None
