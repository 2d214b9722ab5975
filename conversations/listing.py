"""A user's conversations, page by page: those of the list, of the archive or of a folder."""

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

from accounts.models import User
from conversations.models import Conversation, ConversationQuerySet
from conversations.turns import describe_conversation

PAGE = 50


class BadCursor(ValueError):
    """A cursor that we did not make."""


class NoSuchPlace(ValueError):
    """Neither the list nor the archive nor what could be a folder."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where conversations are looked for: the list by itself, the archive, or a folder."""

    archived: bool = False
    folder: uuid.UUID | None = None

    def holds(self, rows: ConversationQuerySet) -> ConversationQuerySet:
        """Those that stand here."""
        if self.archived:
            return rows.filter(is_archived=True)
        return rows.filter(is_archived=False, folder=self.folder)

    @property
    def query(self) -> str:
        """What names it in an address."""
        if self.archived:
            return "?view=archive"
        return f"?folder={self.folder}" if self.folder else ""


def place_in(query: Mapping[str, str]) -> Place:
    """The place that an address names. Raises NoSuchPlace."""
    folder, view = query.get("folder", ""), query.get("view", "")
    if view not in {"", "archive"}:
        raise NoSuchPlace
    try:
        return Place(archived=view == "archive", folder=uuid.UUID(folder) if folder else None)
    except ValueError:
        raise NoSuchPlace from None


def conversations(
    user: User, *, after: str = "", limit: int = PAGE, place: Place | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """The user's conversations in a place (the list), in their order, and the cursor of the next page.

    Raises BadCursor.
    """
    rows = (place or Place()).holds(Conversation.objects.owned_by(user).with_running().latest_first())
    if after:
        rows = rows.filter(_behind(*_read_cursor(after)))
    found = list(rows[: limit + 1])
    page = found[:limit]
    cursor = _cursor(page[-1]) if len(found) > limit else None
    return [describe_conversation(conversation) for conversation in page], cursor


def _behind(asked_at: datetime, last_id: uuid.UUID, is_pinned: bool, /) -> Q:
    behind = Q(is_pinned=is_pinned) & (Q(asked_at__lt=asked_at) | Q(asked_at=asked_at, id__lt=last_id))
    return behind | Q(is_pinned=False) if is_pinned else behind


def _cursor(last: Conversation) -> str:
    text = json.dumps([last.asked_at.isoformat(), str(last.pk), last.is_pinned])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, uuid.UUID, bool]:
    try:
        moment, last_id, *pinned = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        asked_at = datetime.fromisoformat(moment)
        if asked_at.tzinfo is None:
            raise BadCursor
        return asked_at.astimezone(UTC), uuid.UUID(last_id), pinned == [True]
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise BadCursor from None
