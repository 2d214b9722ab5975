"""`/monitoring/`: for staff. Whoever is somebody else finds nothing here; whoever is nobody yet may sign in."""

from dataclasses import dataclass

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from cozechat.monitoring.board.contents import contents
from cozechat.monitoring.board.readings import Span, read


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the ranges."""

    label: str
    href: str
    is_current: bool


@require_safe
@never_cache
def board(request: HttpRequest) -> HttpResponse:
    """How it is, and how it was in a range that the address names."""
    user = request.user
    if not user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if not (user.is_active and user.is_staff):
        raise Http404
    zone = timezone.get_current_timezone()
    span = next((each for each in Span if each == request.GET.get("range")), Span.DAY)
    readings = read(span, now=timezone.now(), zone=zone)
    labels = {Span.HOUR: _("1 hour"), Span.DAY: _("24 hours"), Span.MONTH: _("30 days")}
    titles = {
        Span.HOUR: _("In the last hour"),
        Span.DAY: _("In the last 24 hours"),
        Span.MONTH: _("In the last 30 days"),
    }
    context = {
        **contents(readings, zone=zone),
        "choices": [Choice(label, f"?range={each}", each is span) for each, label in labels.items()],
        "range_title": titles[span],
    }
    return render(request, "monitoring/board.html", context)
