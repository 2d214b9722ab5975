"""An uploaded file becomes a row: not too large, of a kind that is taken, and within its owner's room."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from conversations.attaching import kinds
from conversations.models import Attachment

_HEAD, _PIECE = 4096, 512 * 1024
MIB = 1024 * 1024


class NotTaken(Exception):
    """A file that is not kept: `code` and a sentence for its owner, and the HTTP status of that."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def take(user: User, *, file: Any) -> Attachment:
    """Keep an uploaded file (Django's). Raises NotTaken."""
    name = kinds.plain_name(file.name or "")
    _check(user, name=name, size=file.size)
    head = file.read(_HEAD)
    file.seek(0)
    kind = kinds.kind_of(name, head=head)
    if kind is None:
        text = _("“%(name)s” is not what its ending says. Nothing was kept.")
        raise NotTaken(415, "wrong_content", text % {"name": name})
    with transaction.atomic():
        made = Attachment.objects.create(
            owner=user, name=name, media_type=kind.media_type, is_image=kind.is_image, size=file.size
        )
        made.keep(iter(lambda: file.read(_PIECE), b""))
    return made


def _check(user: User, *, name: str, size: int) -> None:
    if not size:
        raise NotTaken(400, "empty", _("“%(name)s” is empty.") % {"name": name})
    if size > settings.ATTACHMENT_BYTES:
        text = _("“%(name)s” is too large: at most %(limit)s MB.")
        raise NotTaken(
            413, "too_large", text % {"name": name, "limit": f"{settings.ATTACHMENT_BYTES / MIB:g}"}
        )
    if kinds.ending_of(name) not in settings.ATTACHMENT_TYPES:
        text = _("Files like “%(name)s” are not taken. These are: %(types)s.")
        types = ", ".join(settings.ATTACHMENT_TYPES)
        raise NotTaken(415, "wrong_type", text % {"name": name, "types": types})
    if Attachment.objects.bytes_of(user) + size > settings.ATTACHMENT_ROOM_BYTES:
        text = _(
            "There is no room left for your files. Delete chats with files that you do not need any more."
        )
        raise NotTaken(413, "no_room", text)
