"""Reading `multipart/form-data`, as far as an upload needs it."""

import re
from dataclasses import dataclass

from cozechat.emulator.refusals import Refusal

_BOUNDARY = re.compile(rb'boundary=(?:"([^"]{1,200})"|([^;,\s]{1,200}))', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="([^"]*)"', re.IGNORECASE)
_FILE_NAME = re.compile(rb'filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FormPart:
    """One field; a file has a name of its own."""

    name: str
    file_name: str | None
    content: bytes


def read(body: bytes, *, content_type: bytes) -> list[FormPart]:
    """Raises 4304 for what is no form."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise invalid_upload()
    mark = b"--" + (found[1] or found[2])
    pieces = body.split(mark)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise invalid_upload()
    return [_part(piece) for piece in pieces[1:-1]]


def invalid_upload() -> Refusal:
    return Refusal(4304, "The uploaded file is invalid.")


def _part(piece: bytes) -> FormPart:
    head, gap, content = piece.partition(b"\r\n\r\n")
    name = _NAME.search(head)
    if not gap or name is None or not content.endswith(b"\r\n"):
        raise invalid_upload()
    file_name = _FILE_NAME.search(head)
    shown = None if file_name is None else file_name[1].decode("utf-8", "replace")
    return FormPart(name[1].decode("utf-8", "replace"), shown, content[:-2])
