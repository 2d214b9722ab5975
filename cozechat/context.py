"""What every template may ask for."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(_request: HttpRequest) -> dict[str, Any]:
    """The site's name, and whether the built-in emulator answers instead of Coze."""
    return {
        "site_name": settings.SITE_NAME,
        "emulated": settings.COZE_EMULATED,
        "allow_signup": settings.ALLOW_SIGNUP,
    }
