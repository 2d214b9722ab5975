"""The script with which another site puts the chat on its pages: one address that never changes."""

from functools import cache
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

_SCRIPT = Path(__file__).parent / "static" / "conversations" / "widget.js"
_HOUR = 3600


@require_safe
@cache_control(public=True, max_age=_HOUR)
def script(_request: HttpRequest) -> HttpResponse:
    """There is nothing secret in it: which sites may show the chat is told to browsers by the page in the frame."""
    if not (settings.ALLOW_VISITORS and settings.WIDGET_ORIGINS):
        raise Http404
    response = HttpResponse(_text(), content_type="text/javascript; charset=utf-8")
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@cache
def _text() -> str:
    return _SCRIPT.read_text()
