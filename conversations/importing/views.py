"""A file that is sent becomes a conversation: as a page for people, as JSON for scripts."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from conversations.answers import caller, problem, signed_in
from conversations.importing.reading import FILE_BYTES, BadFile, read
from conversations.importing.storing import NoAssistant, store
from conversations.models import Conversation
from conversations.turns import tell_changed
from cozechat.audit.models import Verb
from cozechat.audit.recording import record_softly


def take_in(request: HttpRequest, *, user: User) -> Conversation:
    """The conversation in the file that was sent. Raises BadFile."""
    sent = request.FILES.get("file")
    if sent is None:
        raise BadFile("no_file", _("Choose a file first."))
    if not sent.size or sent.size > FILE_BYTES:
        raise BadFile("too_large", _("This file is empty or too large."))
    try:
        conversation = store(user, read(sent.read()))
    except NoAssistant:
        raise BadFile("no_assistant", _("No assistant is available.")) from None
    named = {"kind": "conversations.conversation", "object_id": str(conversation.pk)}
    record_softly(Verb.MADE, subject_id=user.pk, **named)
    tell_changed(user, [conversation.pk])
    return conversation


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """Choose a file; what was in it is opened."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - login_required has seen to it
    refusal = ""
    if request.method == "POST":
        try:
            return redirect(take_in(request, user=user))
        except BadFile as error:
            refusal = error.message
    context = {"refusal": refusal}
    return render(request, "conversations/import.html", context, status=400 if refusal else 200)


@require_POST
@signed_in
def api(request: HttpRequest) -> HttpResponse:
    """The same for a script: `file` in a form; answers 201 with the conversation's id."""
    try:
        return JsonResponse({"id": str(take_in(request, user=caller(request)).pk)}, status=201)
    except BadFile as error:
        return problem(400, error.code, error.message)
