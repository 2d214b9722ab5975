"""What is shown of a conversation: the messages on one path, with the versions beside them and the cuts between them."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from conversations.models import Conversation, Cut, Message, Path, Turn
from conversations.turns.reading import describe_message

PAGE = 50


def newest_messages(
    conversation: Conversation, *, before: int | None = None, limit: int = PAGE, path: Path | None = None
) -> tuple[list[dict[str, Any]], bool]:
    """The newest messages (before an id) on the shown path or another, oldest first; and whether there are older ones.

    Each as `describe_message` has it, some with `versions {at, count, previous, next}`: of one turn in several
    versions; and with `cleared {id}`: the context is cut below it.
    """
    path = conversation.shown_path() if path is None else path
    rows = Message.objects.filter(conversation=conversation).worth_showing().select_related("turn__feedback")
    rows = rows.prefetch_related("turn__steps", "attachments")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    newest = rows.newest_on(path, limit=limit + 1)
    found = newest[:limit][::-1]
    described = {message.pk: describe_message(message, assistant=conversation.assistant) for message in found}
    for pk, versions in _versions(found, conversation=conversation).items():
        described[pk]["versions"] = versions
    for pk, cut_id in _cuts(found, path, conversation=conversation, before=before).items():
        described[pk]["cleared"] = {"id": str(cut_id)}
    return list(described.values()), len(newest) > limit


def _versions(messages: Sequence[Message], *, conversation: Conversation) -> dict[int, dict[str, Any]]:
    """By message. Where only the answer was asked for again they stand at the answer, else at the question."""
    turns = {message.turn.pk: message.turn for message in messages if message.turn is not None}
    beside = _beside({turn.parent_id for turn in turns.values()}, conversation=conversation)
    found = {}
    for turn_id, turn in turns.items():
        versions = beside[turn.parent_id]
        if len(versions) < 2:
            continue
        only_repeated = all(repeats for _pk, repeats in versions[1:])
        own = [message for message in messages if message.turn_id == turn_id]
        found[own[-1 if only_repeated else 0].pk] = _described([pk for pk, _repeats in versions], turn_id)
    return found


def _beside(
    parents: set[uuid.UUID | None], *, conversation: Conversation
) -> dict[uuid.UUID | None, list[tuple[uuid.UUID, bool]]]:
    """The turns that follow each of these, oldest first, and whether they ask what another asked."""
    if not parents:
        return {}
    follows = Q(parent__in=[parent for parent in parents if parent])
    if None in parents:
        follows |= Q(parent=None)
    turns = Turn.objects.kept().filter(follows, conversation=conversation).order_by("created_at", "pk")
    beside = defaultdict(list)
    for parent, pk, repeats in turns.values_list("parent", "pk", "repeats"):
        beside[parent].append((pk, repeats))
    return beside


def _described(versions: list[uuid.UUID], turn_id: uuid.UUID) -> dict[str, Any]:
    at = versions.index(turn_id)
    return {
        "at": at + 1,
        "count": len(versions),
        "previous": str(versions[at - 1]) if at else None,
        "next": str(versions[at + 1]) if at + 1 < len(versions) else None,
    }


def _cuts(
    messages: Sequence[Message], path: Path, *, conversation: Conversation, before: int | None
) -> dict[int, uuid.UUID]:
    """Below which of these messages the context is cut."""
    cuts: dict[int, uuid.UUID] = {}
    for cut in Cut.objects.on(path, conversation_id=conversation.pk):
        above = [message.pk for message in messages if message.pk <= cut.after]
        if above and (before is None or cut.after < before):
            cuts[above[-1]] = cut.pk
    return cuts
