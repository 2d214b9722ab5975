"""Where conversations stand in their owner's list: pinned, archived, in a folder, seen; several at once."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction

from accounts.models import User
from conversations.models import Conversation, Folder
from conversations.turns.engine import Engine, from_thread
from conversations.turns.processes.hints import Changed


class NoSuchFolder(Exception):
    """The folder is not there, or not this user's."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What is to become of some conversations; None leaves things as they are, `folder` "" takes out of any."""

    pinned: bool | None = None
    archived: bool | None = None
    unread: bool | None = None
    folder: uuid.UUID | str | None = None

    def fields(self) -> dict[str, Any]:
        """The columns that change. What is archived is not pinned."""
        wanted: dict[str, Any] = {
            "is_pinned": False if self.archived else self.pinned,
            "is_archived": False if self.pinned else self.archived,
            "is_unread": self.unread,
        }
        changed = {name: value for name, value in wanted.items() if value is not None}
        if self.folder is not None:
            changed["folder_id"] = self.folder or None
        return changed


def arrange(user: User, *, ids: Iterable[uuid.UUID], arrangement: Arrangement) -> list[uuid.UUID]:
    """Which of these are the user's; they stand as is wished from now on. Raises NoSuchFolder."""
    with transaction.atomic():
        folder = arrangement.folder
        if folder and not Folder.objects.owned_by(user).select_for_update().filter(pk=folder).exists():
            raise NoSuchFolder
        rows = Conversation.objects.owned_by(user).select_for_update().filter(pk__in=list(ids))
        found = list(rows.order_by("pk").values_list("pk", flat=True))
        Conversation.objects.owned_by(user).filter(pk__in=found).update(**arrangement.fields())
        tell_changed(user, found)
    return found


def tell_changed(user: User, ids: Iterable[uuid.UUID]) -> None:
    """All tabs of the owner learn how these are described now."""
    for pk in ids:
        tell = partial(_tell, user_id=user.pk, pk=pk)
        transaction.on_commit(partial(from_thread, tell, hint=Changed(user.pk, pk)))


def _tell(engine: Engine, *, user_id: int, pk: uuid.UUID) -> None:
    engine.news.conversation_changed(user_id, pk)
