"""The search through a user's conversations: titles, and what was said."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

from django.db.models import Q

from accounts.models import User
from conversations.finding import index, words
from conversations.models import Conversation, Message
from conversations.text import clean
from conversations.turns import describe_conversation

_FOUND = 30
_AROUND = 60
_LONGEST_QUERY = 200
# What is looked at of the messages that hold the words; a query that many of them miss finds its newest hits only.
_BATCH, _BATCHES = 400, 10
# Read at once. With many more SQLite thinks it better to walk through all that the owner has ever said.
_READ = 30
# What may be missing in the index when somebody searches is taken in first, if it is among the newest of the site.
_LATE = 200


def search(user: User, *, query: str) -> list[dict[str, Any]]:
    """Conversations of the user's whose title or messages contain the query, latest first.

    Each with `message` and `turn` of its newest hit, an `excerpt` of it, and excerpt and title as `parts`: pieces of
    text, each with whether it is what was looked for.
    """
    pieces = clean(query).strip()[:_LONGEST_QUERY].split()
    if not pieces:
        return []
    index.catch_up(user.pk, most=_LATE)
    hits = _newest_hits(user, pieces=pieces)
    rows = Conversation.objects.owned_by(user).with_running().latest_first()
    titled = rows.filter(*(_in_title(piece) for piece in pieces))[:_FOUND]
    found = {row.pk: row for row in (*titled, *rows.filter(pk__in=hits))}
    latest = sorted(found.values(), key=lambda row: (row.asked_at, row.pk), reverse=True)
    marks = _pattern(pieces)
    return [_found(row, hits.get(row.pk), marks=marks) for row in latest[:_FOUND]]


def _newest_hits(user: User, *, pieces: list[str]) -> dict[uuid.UUID, Message]:
    """The newest message that holds all pieces, for each of the newest conversations that have one."""
    needles = [words.normal(piece) for piece in pieces]
    hits: dict[uuid.UUID, Message] = {}
    for message in _candidates(user, query=" ".join(pieces)):
        if message.conversation_id not in hits and _holds(message, needles):
            hits[message.conversation_id] = message
            if len(hits) == _FOUND:
                break
    return hits


def _candidates(user: User, *, query: str) -> Iterator[Message]:
    rows = Message.objects.owned_by(user).worth_showing().defer("html").order_by("-pk")
    before = 2**63 - 1
    for _batch in range(_BATCHES):
        ids = index.holding(query, owner_id=user.pk, before=before, most=_BATCH)
        for start in range(0, len(ids), _READ):
            yield from rows.filter(pk__in=ids[start : start + _READ])
        if len(ids) < _BATCH:
            return
        before = ids[-1]


def _holds(message: Message, needles: list[str]) -> bool:
    """The index knows pairs and beginnings; whether the pieces stand there as they were typed, the text says."""
    text = words.normal(message.content)
    return all(needle in text for needle in needles)


def _in_title(piece: str) -> Q:
    """SQLite knows the case of ASCII letters only. These are few rows, all of one owner: no index is needed."""
    spellings = {piece} if piece.isascii() else {piece, piece.lower(), piece.upper(), piece.capitalize()}
    condition = Q()
    for spelling in sorted(spellings):
        condition |= Q(title__icontains=spelling)
    return condition


def _pattern(pieces: list[str]) -> "re.Pattern[str]":
    longest_first = sorted(set(pieces), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)


def _found(row: Conversation, hit: Message | None, *, marks: "re.Pattern[str]") -> dict[str, Any]:
    excerpt = _excerpt(hit.content, marks=marks) if hit else ""
    return describe_conversation(row) | {
        "message": hit.pk if hit else None,
        "turn": str(hit.turn_id) if hit and hit.turn_id else None,
        "excerpt": excerpt,
        "parts": {"title": _parts(row.title, marks=marks), "excerpt": _parts(excerpt, marks=marks)},
    }


def _excerpt(content: str, *, marks: "re.Pattern[str]") -> str:
    found = marks.search(content)
    at, stop = found.span() if found else (0, 0)
    start, end = max(at - _AROUND, 0), stop + _AROUND
    middle = " ".join(content[start:end].split())
    return f"{'…' if start else ''}{middle}{'…' if end < len(content) else ''}"


def _parts(text: str, *, marks: "re.Pattern[str]") -> list[tuple[str, bool]]:
    parts, last = [], 0
    for found in marks.finditer(text):
        parts += [(text[last : found.start()], False), (found.group(), True)]
        last = found.end()
    parts.append((text[last:], False))
    return [part for part in parts if part[0]]
