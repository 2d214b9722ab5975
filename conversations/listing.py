"""A user's conversations, page by page, and the search through them."""

import base64
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, Max, OuterRef, Q

from accounts.models import User
from conversations.models import Conversation, Message
from conversations.text import clean
from conversations.turns import describe_conversation

PAGE = 50
_FOUND = 30
_AROUND = 60


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


def search(user: User, *, query: str) -> list[dict[str, Any]]:
    """Conversations of the user's whose title or messages contain the query, latest first, each with an excerpt."""
    query = clean(query).strip()[:200]
    if not query:
        return []
    said = _containing("content", query)
    here = Message.objects.filter(said, conversation=OuterRef("pk")).worth_showing()
    rows = Conversation.objects.owned_by(user).with_running().latest_first()
    found = list(rows.filter(_containing("title", query) | Exists(here))[:_FOUND])
    hits = Message.objects.owned_by(user).worth_showing().filter(said, conversation__in=found)
    newest = (
        hits.order_by().values("conversation").annotate(newest=Max("pk")).values_list("newest", flat=True)
    )
    excerpts = {
        message.conversation_id: {"message": message.pk, "excerpt": _excerpt(message.content, query=query)}
        for message in Message.objects.owned_by(user).filter(pk__in=list(newest))
    }
    return [
        describe_conversation(row) | excerpts.get(row.pk, {"message": None, "excerpt": ""}) for row in found
    ]


def _containing(field: str, query: str) -> Q:
    """The field contains the query in any case; SQLite knows the case of ASCII letters only."""
    spellings = {query, query.lower(), query.upper(), query.capitalize()}
    condition = Q()
    for spelling in {query} if query.isascii() else sorted(spellings):
        condition |= Q(**{f"{field}__icontains": spelling})
    return condition


def _excerpt(content: str, *, query: str) -> str:
    at = max(content.lower().find(query.lower()), 0)
    start, end = max(at - _AROUND, 0), at + len(query) + _AROUND
    middle = " ".join(content[start:end].split())
    return f"{'…' if start else ''}{middle}{'…' if end < len(content) else ''}"
