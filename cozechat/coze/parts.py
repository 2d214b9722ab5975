"""Messages of several parts: a text, and pictures, files or sounds that were uploaded or have a URL."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cozechat.coze.errors import BadRequest
from cozechat.coze.types import JsonObject

TEXT, OBJECTS = "text", "object_string"


@dataclass(frozen=True, slots=True)
class TextPart:
    """The words of a message; it can have one such part."""

    text: str

    def as_json(self) -> JsonObject:
        """As Coze takes it."""
        return {"type": "text", "text": self.text}


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file that goes with the words: uploaded by the same account, or to be fetched from a URL."""

    kind: ClassVar[str] = "file"
    file_id: str = ""
    file_url: str = ""

    def as_json(self) -> JsonObject:
        """As Coze takes it."""
        if bool(self.file_id) == bool(self.file_url):
            raise BadRequest(f"a part of kind {self.kind} needs exactly one of file_id and file_url")
        place = {"file_id": self.file_id} if self.file_id else {"file_url": self.file_url}
        return {"type": self.kind, **place}


class ImagePart(FilePart):
    """A picture."""

    kind: ClassVar[str] = "image"


class AudioPart(FilePart):
    """A sound."""

    kind: ClassVar[str] = "audio"


Part = TextPart | FilePart
Content = str | Sequence[Part]


def written(content: Content, *, words_beside: bool = False) -> tuple[str, str]:
    """Content and content type of a message.

    Words alone are plain text, for Coze takes no list without a file. Files alone are taken only with
    `words_beside`: next to a message of plain text.
    """
    if isinstance(content, str):
        return content, TEXT
    texts = [part for part in content if isinstance(part, TextPart)]
    if len(texts) > 1 or not content:
        raise BadRequest("a message has parts, and one text at most")
    if len(texts) == len(content):
        return texts[0].text, TEXT
    if not texts and not words_beside:
        raise BadRequest("a message of files alone needs a message of words beside it")
    return json.dumps([part.as_json() for part in content], ensure_ascii=False), OBJECTS
