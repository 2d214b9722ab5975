"""The search as a page of its own: what the dialog of the chat page does, without a script."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from conversations import searching


@require_safe
@login_required
@never_cache
def search(request: HttpRequest) -> HttpResponse:
    """A box, and below it what was found; each leads to the place where it was said."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - login_required has seen to it
    query = request.GET.get("q", "")[:200]
    items = searching.search(user, query=query)
    for item in items:
        turn = f"&turn={item['turn']}" if item["turn"] else ""
        at = f"?at={item['message']}{turn}#m{item['message']}" if item["message"] else ""
        item["href"] = reverse("conversations:page", args=[item["id"]]) + at
    return render(request, "conversations/search.html", {"query": query, "items": items})
