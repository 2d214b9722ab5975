"""A user's conversations, page by page."""

import base64
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

from accounts.models import User
from conversations.models import Conversation
from conversations.turns import describe_conversation

PAGE = 50


class BadCursor(ValueError):
    """A cursor that we did not make."""


def conversations(
    user: User, *, after: str = "", limit: int = PAGE
) -> tuple[list[dict[str, Any]], str | None]:
    """The user's conversations, latest first, and the cursor of the next page. Raises BadCursor."""
    rows = Conversation.objects.owned_by(user).with_running().latest_first()
    if after:
        active_at, last_id = _read_cursor(after)
        rows = rows.filter(Q(active_at__lt=active_at) | Q(active_at=active_at, id__lt=last_id))
    found = list(rows[: limit + 1])
    page = found[:limit]
    cursor = _cursor(page[-1]) if len(found) > limit else None
    return [describe_conversation(conversation) for conversation in page], cursor


def _cursor(last: Conversation) -> str:
    text = json.dumps([last.active_at.isoformat(), str(last.pk)])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, uuid.UUID]:
    try:
        moment, last_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        active_at = datetime.fromisoformat(moment)
        if active_at.tzinfo is None:
            raise BadCursor
        return active_at.astimezone(UTC), uuid.UUID(last_id)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise BadCursor from None
