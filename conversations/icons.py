"""The icon, for programs that ask for it at its old address without reading a page."""

from functools import cache
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

_ICON = Path(__file__).parent / "static" / "conversations" / "icon.svg"
_DAY = 86_400


@require_safe
@cache_control(public=True, max_age=_DAY)
def favicon(_request: HttpRequest) -> HttpResponse:
    """The same picture that the pages name."""
    return HttpResponse(_bytes(), content_type="image/svg+xml")


@cache
def _bytes() -> bytes:
    return _ICON.read_bytes()
