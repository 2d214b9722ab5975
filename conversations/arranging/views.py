"""JSON to arrange, discard and restore conversations, several at once, and to keep folders."""

import uuid
from collections.abc import Callable

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from conversations import turns
from conversations.answers import bad_request, body, caller, problem, signed_in
from conversations.arranging.forms import BadWish, FolderForm, arrangement_in, ids_in
from conversations.models import FOLDERS_A_USER, Conversation, Folder


def _no_folder() -> JsonResponse:
    return problem(404, "not_found", _("This folder does not exist."))


@require_POST
@signed_in
def arrange(request: HttpRequest) -> HttpResponse:
    """`{ids, pinned?, archived?, unread?, folder?}`: answers with the ids that are the caller's."""
    data = body(request)
    try:
        if data is None:
            raise BadWish
        found = turns.arrange(caller(request), ids=ids_in(data), arrangement=arrangement_in(data))
    except BadWish:
        return bad_request()
    except turns.NoSuchFolder:
        return _no_folder()
    return JsonResponse({"ids": found})


@require_POST
@signed_in
def discard(request: HttpRequest) -> HttpResponse:
    """`{ids}`: deleted, with some seconds to take it back. Answers with those that were the caller's."""
    return _each(request, turns.discard)


@require_POST
@signed_in
def restore(request: HttpRequest) -> HttpResponse:
    """`{ids}`: there again, as far as it is not too late. Answers with those that are."""
    return _each(request, turns.restore)


def _each(request: HttpRequest, act: Callable[..., list[uuid.UUID]]) -> HttpResponse:
    data = body(request)
    try:
        if data is None:
            raise BadWish
        return JsonResponse({"ids": act(caller(request), ids=ids_in(data))})
    except BadWish:
        return bad_request()


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def folders(request: HttpRequest) -> HttpResponse:
    """One's folders by name, or a new one."""
    own = Folder.objects.owned_by(caller(request))
    if request.method != "POST":
        return JsonResponse({"items": [folder.described() for folder in own], "next": None})
    if own.count() >= FOLDERS_A_USER:
        return problem(409, "too_many", _("There is no room for more folders."))
    return _named(request, Folder(owner=caller(request)), status=201)


@require_http_methods(["PATCH", "DELETE"])
@signed_in
def folder(request: HttpRequest, folder_id: uuid.UUID) -> HttpResponse:
    """Rename or delete a folder; what was in it stands in the list again."""
    found = Folder.objects.owned_by(caller(request)).filter(pk=folder_id).first()
    if found is None:
        return _no_folder()
    if request.method == "PATCH":
        return _named(request, found, status=200)
    held = Conversation.objects.owned_by(caller(request)).filter(folder=found)
    ids = list(held.values_list("pk", flat=True))
    found.delete()
    turns.tell_changed(caller(request), ids)
    return HttpResponse(status=204)


def _named(request: HttpRequest, folder: Folder, *, status: int) -> HttpResponse:
    form = FolderForm(body(request))
    if not form.is_valid():
        return bad_request(str(next(iter(form.errors.get("name", [""])))))
    folder.name = form.cleaned_data["name"]
    try:
        with transaction.atomic():
            folder.save()
    except IntegrityError:
        return problem(409, "taken", _("There is a folder of this name already."))
    return JsonResponse(folder.described(), status=status)
