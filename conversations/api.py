"""JSON for the page and for scripts: session cookie and CSRF; not yours and not there answer alike."""

import uuid
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from conversations import exporting, listing, searching, turns
from conversations.answers import bad_request as _bad_request
from conversations.answers import body as _body
from conversations.answers import caller as _user
from conversations.answers import not_found as _not_found
from conversations.answers import problem as _problem
from conversations.answers import signed_in as _signed_in
from conversations.forms import ChoiceForm, FeedbackForm, RenameForm
from conversations.models import Conversation, Turn
from cozechat.audit.models import Verb
from cozechat.audit.recording import record_softly
from cozechat.catalog.environment import default_assistant


def _limit(request: HttpRequest) -> int:
    value = request.GET.get("limit", "")
    return (
        min(max(int(value), 1), 100)
        if value.isascii() and value.isdigit() and len(value) < 6
        else listing.PAGE
    )


@require_http_methods(["GET", "HEAD", "POST"])
@_signed_in
def conversations(request: HttpRequest) -> HttpResponse:
    """The list, or a new empty conversation."""
    if request.method == "POST":
        return _create(request)
    try:
        items, cursor = listing.conversations(
            _user(request),
            after=request.GET.get("after", ""),
            limit=_limit(request),
            place=listing.place_in(request.GET),
        )
    except (listing.BadCursor, listing.NoSuchPlace):
        return _bad_request()
    return JsonResponse({"items": items, "next": cursor})


def _create(request: HttpRequest) -> HttpResponse:
    data = _body(request)
    form = RenameForm(data, required=False) if data is not None else None
    if form is None or not form.is_valid():
        return _bad_request()
    assistant = default_assistant()
    if assistant is None:
        return _problem(503, "not_found", _("No assistant is available."))
    title = form.cleaned_data["title"]
    made = Conversation.objects.create(
        owner=_user(request), assistant=assistant, title=title, title_is_manual=bool(title)
    )
    return JsonResponse(_described(made.pk, user=_user(request)), status=201)


def _described(conversation_id: uuid.UUID, *, user: User) -> dict[str, Any] | None:
    row = Conversation.objects.owned_by(user).with_running().filter(pk=conversation_id).first()
    return turns.describe_conversation(row) if row else None


@require_http_methods(["GET", "HEAD", "PATCH", "DELETE"])
@_signed_in
def conversation(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """One conversation: look, rename or show another version of a turn, delete."""
    act = {"PATCH": _change, "DELETE": _delete}.get(request.method or "", _look)
    return act(request, conversation_id)


def _look(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    found = _described(conversation_id, user=_user(request))
    return JsonResponse(found) if found else _not_found()


def _change(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    data = _body(request)
    act = _choose if data is not None and "turn" in data else _rename
    return act(request, conversation_id)


def _choose(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    form = ChoiceForm(_body(request))
    found = form.is_valid() and turns.choose(
        _user(request), conversation_id=conversation_id, turn_id=form.cleaned_data["turn"]
    )
    # Who names no turn at all learns nothing of the conversation either.
    return _look(request, conversation_id) if found else _not_found()


def _rename(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    form = RenameForm(_body(request))
    # Who has no such conversation learns nothing from a bad title either.
    if not Conversation.objects.owned_by(_user(request)).filter(pk=conversation_id).exists():
        return _not_found()
    if not form.is_valid():
        return _bad_request(str(next(iter(form.errors.get("title", [""])))))
    turns.rename_conversation(
        _user(request), conversation_id=conversation_id, title=form.cleaned_data["title"]
    )
    return _look(request, conversation_id)


def _delete(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    deleted = turns.delete_conversation(_user(request), conversation_id=conversation_id)
    return HttpResponse(status=204) if deleted else _not_found()


@require_http_methods(["DELETE"])
@_signed_in
def turn(request: HttpRequest, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> HttpResponse:
    """Delete a question and its answer."""
    return _prune(request, turns.delete_turn, conversation_id=conversation_id, turn_id=turn_id)


@require_http_methods(["POST"])
@_signed_in
def restored_turn(request: HttpRequest, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> HttpResponse:
    """Take a deletion back, a moment after it."""
    return _prune(request, turns.restore_turn, conversation_id=conversation_id, turn_id=turn_id)


@require_http_methods(["POST"])
@_signed_in
def cuts(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Cut the context at the end of what is shown."""
    try:
        cut = turns.clear_context(_user(request), conversation_id=conversation_id)
    except turns.Busy:
        return _busy()
    except turns.NothingToClear:
        return _problem(409, "empty", _("There is nothing above that the assistant still remembers."))
    return JsonResponse({"id": str(cut)}, status=201) if cut else _not_found()


@require_http_methods(["DELETE"])
@_signed_in
def cut(request: HttpRequest, conversation_id: uuid.UUID, cut_id: uuid.UUID) -> HttpResponse:
    """Take a cut of the context back."""
    return _prune(request, turns.restore_context, conversation_id=conversation_id, cut_id=cut_id)


def _prune(request: HttpRequest, act: Callable[..., bool], **ids: uuid.UUID) -> HttpResponse:
    try:
        return HttpResponse(status=204) if act(_user(request), **ids) else _not_found()
    except turns.Busy:
        return _busy()


def _busy() -> JsonResponse:
    return _problem(409, "busy", _("An answer is still running here. Wait for it or stop it."))


@require_safe
@_signed_in
def messages(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """A page of messages, oldest first; `next` is the `before` of the page before it."""
    found = Conversation.objects.owned_by(_user(request)).filter(pk=conversation_id).first()
    if found is None:
        return _not_found()
    before = request.GET.get("before", "")
    if before and not (before.isascii() and before.isdigit() and len(before) < 19):
        return _bad_request()
    items, older = turns.newest_messages(found, before=int(before) if before else None, limit=_limit(request))
    return JsonResponse({"items": items, "next": str(items[0]["id"]) if older and items else None})


@require_safe
@_signed_in
def export(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The conversation as a file, `format=markdown` or `format=json`."""
    found = Conversation.objects.owned_by(_user(request)).with_running().filter(pk=conversation_id).first()
    if found is None:
        return _not_found()
    write = exporting.FORMATS.get(request.GET.get("format", "markdown"))
    if write is None:
        return _bad_request()
    file = write(found)
    named = {"kind": "conversations.conversation", "object_id": str(found.pk)}
    record_softly(Verb.EXPORTED, subject_id=found.owner_id, **named)
    response = HttpResponse(file.content, content_type=file.content_type)
    response["Content-Disposition"] = f'attachment; filename="{file.name}"'
    return response


@require_safe
@_signed_in
def search(request: HttpRequest) -> HttpResponse:
    """Conversations that contain `q`."""
    return JsonResponse(
        {"items": searching.search(_user(request), query=request.GET.get("q", "")), "next": None}
    )


@require_http_methods(["PUT", "DELETE"])
@_signed_in
def feedback(request: HttpRequest, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> HttpResponse:
    """What the reader thinks of an answer; `PUT {rating, reasons?, comment?}`, or taken back."""
    said: dict[str, Any] = {"rating": "", "reasons": [], "comment": ""}
    if request.method == "PUT":
        form = FeedbackForm(_body(request))
        # Rubbish about what is not there is answered as anything else about it.
        said = form.cleaned_data if form.is_valid() else {}
    known = Turn.objects.owned_by(_user(request)).filter(pk=turn_id, conversation_id=conversation_id).exists()
    if known and not said:
        return _bad_request()
    kept = known and turns.judge(_user(request), conversation_id=conversation_id, turn_id=turn_id, **said)
    return JsonResponse({"feedback": kept.described()}) if kept else _not_found()
