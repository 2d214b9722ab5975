"""`/api/uploads/`: one file in, its bytes out to its owner, away again as long as nobody was asked with it."""

import uuid

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from conversations.answers import caller, problem, signed_in
from conversations.attaching import intake, kinds
from conversations.models import Attachment


@require_http_methods(["POST"])
@signed_in
def uploads(request: HttpRequest) -> HttpResponse:
    """Take the one file of the form, its field `file`."""
    file = request.FILES.get("file")
    if file is None:
        return problem(400, "bad_request", _("This request makes no sense."))
    try:
        made = intake.take(caller(request), file=file)
    except intake.NotTaken as refusal:
        return problem(refusal.status, refusal.code, refusal.message)
    return JsonResponse(made.described(), status=201)


@require_http_methods(["GET", "HEAD", "DELETE"])
@signed_in
def upload(request: HttpRequest, attachment_id: uuid.UUID) -> HttpResponse:
    """The file itself, or its end."""
    found = Attachment.objects.owned_by(caller(request)).filter(pk=attachment_id).first()
    if found is None:
        return problem(404, "not_found", _("This file does not exist."))
    if request.method == "DELETE":
        return _remove(found)
    return _content(found)


def _remove(attachment: Attachment) -> HttpResponse:
    """What stands beside a question stays as long as that does."""
    if attachment.messages.exists():
        return problem(409, "in_use", _("This file belongs to a question."))
    attachment.delete()
    return HttpResponse(status=204)


def _content(attachment: Attachment) -> HttpResponse:
    """Pictures are shown, anything else is only for download: no file of anybody's runs on this site."""
    media_type = attachment.media_type if attachment.is_image else kinds.PLAIN
    response = HttpResponse(b"".join(attachment.chunks()), content_type=media_type)
    named = content_disposition_header(not attachment.is_image, attachment.name)
    response["Content-Disposition"] = named or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
