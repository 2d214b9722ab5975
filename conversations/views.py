"""The chat page: server-rendered, so that it can be read without JavaScript."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from csp.decorators import csp_replace
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from accounts import shortcuts
from accounts.models import User
from conversations import days, grouping, listing, turns
from conversations.models import Conversation, Folder, Message, Path, Turn
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.emulator import seed


@require_safe
@login_required
@never_cache
def page(request: HttpRequest, conversation_id: uuid.UUID | None = None) -> HttpResponse:
    """A new chat, or a conversation of this user's; anybody else's does not exist."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - login_required has seen to it
    conversation = _conversation(user, conversation_id)
    sought = _sought(user, conversation, query=request.GET) if conversation else _Sought()
    messages, older = (
        turns.newest_messages(conversation, before=sought.before, path=sought.path)
        if conversation
        else ([], False)
    )
    for message in messages:
        message.update(_for_scripts(message))
    chosen = None if conversation else _chosen(request.GET.get("assistant", ""))
    # Whom a new chat asks: the page may begin one without being loaded anew.
    rows, default = _offered()
    greeting = _describe_assistant(chosen or default)
    assistant = _describe_assistant(conversation.assistant) if conversation else greeting
    offered = [_describe_assistant(each) for each in rows]
    context = {
        **_sidebar(user, query=request.GET),
        "conversation": conversation,
        "messages": days.mark(messages),
        "messages_older": older,
        "assistant": assistant,
        "greeting": greeting,
        "assistants": offered,
        "shortcuts": shortcuts.table(user),
        "page_config": _config(user, conversation=conversation, assistant=assistant)
        | {"chosen": str(chosen.pk) if chosen else None}
        | {"greeting": greeting, "assistants": offered}
        | sought.config,
        "around": sought.before is not None,
    }
    return render(request, "conversations/page.html", context)


@require_safe
@never_cache
def visit(request: HttpRequest, conversation_id: uuid.UUID | None = None) -> HttpResponse:
    """The page of a tab without an account. It is the same for everybody: what the tab has said comes by its pass."""
    if not settings.ALLOW_VISITORS:
        return redirect("conversations:new")
    return _empty_page(request, conversation_id=conversation_id, home=reverse("conversations:visit"))


@require_safe
@never_cache
@xframe_options_exempt
def widget(request: HttpRequest, conversation_id: uuid.UUID | None = None) -> HttpResponseBase:
    """The same inside of another site's page: of those that are configured, and of no other."""
    if not (settings.ALLOW_VISITORS and settings.WIDGET_ORIGINS):
        raise Http404
    home = reverse("conversations:widget")
    framed = csp_replace({"frame-ancestors": settings.WIDGET_ORIGINS})
    with translation.override(_language(request)):
        return framed(partial(_empty_page, conversation_id=conversation_id, home=home, framed=True))(request)


def _language(request: HttpRequest) -> str:
    """The one that the other site asks for, if there is such a one, else the browser's."""
    wished = request.GET.get("lang", "")
    return wished if wished in dict(settings.LANGUAGES) else translation.get_language()


def _empty_page(
    request: HttpRequest, *, conversation_id: uuid.UUID | None, home: str, framed: bool = False
) -> HttpResponse:
    """A visitor's page before the tab has shown its pass. Who is logged in here besides plays no part in it."""
    request.user = AnonymousUser()
    chosen = _chosen(request.GET.get("assistant", ""))
    rows, default = _offered()
    greeting = _describe_assistant(chosen or default)
    config = {
        "user": None,
        "conversation": str(conversation_id) if conversation_id else None,
        "turn": None,
        "assistant": greeting,
        "quota": None,
        "turns": None,
        "home": home,
        "visiting": True,
        "framed": framed,
        "hosts": settings.WIDGET_ORIGINS if framed else [],
        "chosen": str(chosen.pk) if chosen else None,
        "greeting": greeting,
        "assistants": [_describe_assistant(each) for each in rows],
    }
    context = {
        "visiting": True,
        "framed": framed,
        "conversations": [],
        "assistant": greeting,
        "greeting": greeting,
        "assistants": config["assistants"],
        "shortcuts": shortcuts.table(None),
        "page_config": _site_config() | config,
    }
    return render(request, "conversations/page.html", context)


def _offered() -> tuple[list[Assistant], Assistant | None]:
    """All that can be picked, and whom a new chat asks where nobody was: somebody to talk to, else whoever there is."""
    rows = list(Assistant.objects.offered())
    default = default_assistant(among=rows)
    if default is not None and default not in rows:
        # The environment's were made just now.
        rows = list(Assistant.objects.offered())
    return rows, default or next(iter(rows), None)


def _for_scripts(message: dict[str, Any]) -> dict[str, str]:
    """What the scripts take over from the rendered page, as JSON in an attribute."""
    kept = {"parameters_json": "parameters", "attachments_json": "attachments"}
    return {name: json.dumps(message[key]) for name, key in kept.items() if key in message}


# How many messages after the one that is looked for stand on its page.
_AFTER = 10


@dataclass(frozen=True, slots=True)
class _Sought:
    """What of a conversation the address asks for: the path it is on, where its page ends, and what scripts do then."""

    path: Path | None = None
    before: int | None = None
    config: dict[str, Any] = field(default_factory=dict)


def _sought(user: User, conversation: Conversation, *, query: Mapping[str, str]) -> _Sought:
    """`turn`: this version of it. `at`: the page on which this message stands."""
    turn_id = _turn_in(query.get("turn", ""))
    path = turns.path_through(conversation, turn_id) if turn_id else None
    turn = str(turn_id) if path else None
    at = query.get("at", "")
    if not (at.isascii() and at.isdigit() and len(at) < 19):
        return _Sought(path, config={"look_at": turn, "turn": None} if path else {})
    later = Message.objects.owned_by(user).filter(conversation=conversation, pk__gt=int(at)).order_by("pk")
    before = later.values_list("pk", flat=True)[_AFTER : _AFTER + 1].first()
    return _Sought(path, before, {"seek": {"message": int(at), "turn": turn}})


def _sidebar(user: User, *, query: Mapping[str, str]) -> dict[str, Any]:
    """The list of the place that the address names, with what is above it."""
    try:
        place = listing.place_in(query)
    except listing.NoSuchPlace:
        raise Http404 from None
    folders = list(Folder.objects.owned_by(user))
    if place.folder and place.folder not in {folder.pk for folder in folders}:
        raise Http404
    items, cursor = listing.conversations(user, place=place)
    for item in items:
        item["group"] = grouping.group_of(item, now=timezone.localtime())
    return {"conversations": items, "conversations_next": cursor, "place": place, "folders": folders}


def _conversation(user: User, conversation_id: uuid.UUID | None) -> Conversation | None:
    if conversation_id is None:
        return None
    rows = Conversation.objects.owned_by(user).select_related("assistant__app").filter(pk=conversation_id)
    found = rows.first()
    if found is None:
        raise Http404
    return found


def _turn_in(value: str) -> uuid.UUID | None:
    """The turn that the address names: its version is looked at, and shown from then on where there is a script."""
    try:
        return uuid.UUID(value)
    except ValueError:
        return None


def _chosen(pk: str) -> Assistant | None:
    """The assistant that the address names, if it can be picked."""
    if not (pk.isascii() and pk.isdigit() and len(pk) < 18):
        return None
    return Assistant.objects.offered().filter(pk=int(pk)).first()


def _describe_assistant(assistant: Assistant | None) -> dict[str, Any] | None:
    if assistant is None:
        return None
    return {
        "id": str(assistant.pk),
        "name": assistant.name,
        "description": assistant.description or _introduction(assistant),
        "suggestions": _texts(assistant.suggestions) or _things_to_try(assistant),
        "kind": assistant.kind,
        "kind_label": _KINDS[Assistant.Kind(assistant.kind)],
        "initial": assistant.name.strip()[:1].upper(),
        "form": not assistant.takes_words,
        "inputs": [each.described() for each in assistant.wanted],
        "files": assistant.files_at_most,
    }


# As a person who picks one reads it.
_KINDS = {
    Assistant.Kind.CHAT_WORKFLOW: gettext_lazy("Chat"),
    Assistant.Kind.BOT: gettext_lazy("Bot"),
    Assistant.Kind.WORKFLOW_RUN: gettext_lazy("Workflow"),
    Assistant.Kind.LONG_WORKFLOW_RUN: gettext_lazy("Long workflow"),
}


def _texts(suggestions: Any) -> list[str]:
    """At most three; what is no text (rows may be older than the form that checks them) is left out."""
    return (
        [item for item in suggestions if isinstance(item, str)][:3] if isinstance(suggestions, list) else []
    )


def _is_emulated(assistant: Assistant) -> bool:
    return bool(settings.COZE_EMULATED and assistant.app.source == CozeApp.Source.ENVIRONMENT)


def _introduction(assistant: Assistant) -> str:
    if assistant.is_run:
        return _demo_run(assistant) if _is_emulated(assistant) else ""
    if _is_emulated(assistant) and assistant.kind == Assistant.Kind.BOT:
        return _("A bot of the built-in emulator. It has the site's tools look things up about coffee.")
    text = _("The built-in emulator. It remembers what you tell it in a conversation, and writes Markdown.")
    return text if _is_emulated(assistant) else ""


def _demo_run(assistant: Assistant) -> str:
    """What the emulator's workflows show."""
    return {
        seed.TRIP_WORKFLOW_ID: _("Fill in the form, and watch it work node by node."),
        seed.LONG_WORKFLOW_ID: _("Takes its time: close the page and come back, it goes on."),
        seed.ORDER_WORKFLOW_ID: _("Asks back: first with options, then for a few values."),
    }.get(assistant.workflow_id, "")


def _things_to_try(assistant: Assistant) -> list[str]:
    if assistant.is_run:
        order = assistant.workflow_id == seed.ORDER_WORKFLOW_ID
        return [_("latte"), _("espresso")] if order and _is_emulated(assistant) else []
    if _is_emulated(assistant) and assistant.kind == Assistant.Kind.BOT:
        return [
            _("How do I make a good latte?"),
            _("How much water for 18 g of coffee?"),
            _("Try a slow roast and the broken grinder"),
        ]
    tries = [
        _("What can you do?"),
        _("Show me a table and some code"),
        _("Hello, my name is Sam and I am 25"),
    ]
    return tries if _is_emulated(assistant) else []


def _config(
    user: User, *, conversation: Conversation | None, assistant: dict[str, Any] | None
) -> dict[str, Any]:
    running = (
        Turn.objects.owned_by(user)
        .running()
        .filter(conversation=conversation, branch=conversation.branch_id)
        .first()
        if conversation
        else None
    )
    return _site_config() | {
        "user": user.browser_key,
        "conversation": str(conversation.pk) if conversation else None,
        "turn": str(running.pk) if running else None,
        "branch": str(conversation.branch_id) if conversation and conversation.branch_id else None,
        "revision": conversation.revision if conversation else 0,
        "assistant": assistant,
        "quota": turns.allowance_of(user.pk),
        "turns": turns.turns_today(user.pk),
        "home": reverse("conversations:new"),
    }


def _site_config() -> dict[str, Any]:
    """What is the same on everybody's page."""
    return {
        "content_limit": settings.TURN_CONTENT_LIMIT,
        "socket_path": "/ws/chat/",
        "charged": turns.is_charged(),
        "emulated": settings.COZE_EMULATED,
        "uploads": {"bytes": settings.ATTACHMENT_BYTES, "types": settings.ATTACHMENT_TYPES},
    }
