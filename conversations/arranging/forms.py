"""What may be asked for: which conversations, and what is to become of them; a folder's name."""

import uuid
from typing import Any

from django import forms

from conversations.forms import TextField
from conversations.models import FOLDER_NAME_LENGTH
from conversations.text import clean
from conversations.turns import Arrangement

# As many as a page of the list shows, and then some.
MOST = 200
_FLAGS = ("pinned", "archived", "unread")


class BadWish(ValueError):
    """What was sent names no conversations, or nothing that can become of them."""


def ids_in(data: dict[str, Any]) -> list[uuid.UUID]:
    """The conversations that are meant. Raises BadWish."""
    ids = data.get("ids")
    if not isinstance(ids, list) or not 0 < len(ids) <= MOST:
        raise BadWish
    return [_uuid(value) for value in ids]


def arrangement_in(data: dict[str, Any]) -> Arrangement:
    """What is to become of them; at least one thing. Raises BadWish."""
    flags = {name: data[name] for name in _FLAGS if name in data}
    if not all(isinstance(value, bool) for value in flags.values()) or not (flags or "folder" in data):
        raise BadWish
    if "folder" in data:
        folder = data["folder"]
        return Arrangement(**flags, folder="" if folder is None else _uuid(folder))
    return Arrangement(**flags)


def _uuid(value: Any) -> uuid.UUID:
    try:
        if isinstance(value, str):
            return uuid.UUID(value)
    except ValueError:
        pass
    raise BadWish


class FolderForm(forms.Form):
    """A folder's name."""

    name = TextField(max_length=FOLDER_NAME_LENGTH)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data if data is not None else {})

    def clean_name(self) -> str:
        """Without control characters; blank is no name."""
        name = " ".join(clean(str(self.cleaned_data["name"])).split())
        if not name:
            raise forms.ValidationError(self.fields["name"].error_messages["required"])
        return name
