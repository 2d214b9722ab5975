"""What the tabs of this process are told: how a turn ended, how a conversation is described now."""

import uuid
from collections.abc import Iterable
from typing import Any

from conversations import frames, live, outboxes
from conversations.live import LiveTurn
from conversations.models import Turn
from conversations.outboxes import Hub, Outbox
from conversations.turns.ending import End
from conversations.turns.reading import StoredTurn, terminal_frame


def tell_end(readers: Iterable[Outbox], end: End, *, shown: LiveTurn | None) -> None:
    """Tell these sockets how a turn ended; where they were `shown` something else than what is stored, that first."""
    stored, readers = end.turn, list(readers)
    if not stored.withdrawn and (shown is None or not _is_same(shown, stored)):
        _tell_text(readers, stored, shown=shown)
        shown = None
    outboxes.send(readers, lambda: terminal_frame(stored, advice=end.advice), turn=shown)
    if end.suggestions and stored.status == Turn.Status.COMPLETED:
        items = end.suggestions
        outboxes.send(readers, lambda: frames.build("turn.suggestions", turn=stored.id, items=items))


def _is_same(shown: LiveTurn, stored: StoredTurn) -> bool:
    return shown.seq == stored.seq and shown.text == stored.answer_text


def _tell_text(readers: list[Outbox], stored: StoredTurn, *, shown: LiveTurn | None) -> None:
    whole = list(live.sync(stored.id, seq=stored.seq, content=stored.answer_text, status=stored.status))
    for outbox in readers:
        if shown is not None:
            outbox.forget(shown)
        for text in whole:
            outbox.offer(text)


def tell_conversation(hub: Hub, owner_id: int, described: dict[str, Any] | None) -> None:
    """Tell all tabs of an owner how a conversation is described now; nothing if it is gone."""
    for outbox in hub.sockets_of(owner_id) if described else ():
        outbox.offer(frames.build("conversation.updated", conversation=described))


def tell_owner(hub: Hub, end: End) -> None:
    """Tell all tabs of an owner what has changed with the end of a turn: its conversation, and what his meter shows."""
    owner_id = end.turn.owner_id
    tell_conversation(hub, owner_id, end.conversation)
    tell_usage(hub, owner_id, end.usage)


def tell_usage(hub: Hub, owner_id: int, usage: dict[str, Any] | None) -> None:
    """Tell all tabs of an owner what his meters show now, if anything has changed."""
    if usage is not None:
        text = frames.build("usage.updated", **usage)
        for outbox in hub.sockets_of(owner_id):
            outbox.offer(text)


def tell_deleted(hub: Hub, owner_id: int, conversation_id: uuid.UUID) -> None:
    """Tell all tabs of an owner that a conversation is gone; nobody follows it any more."""
    text = frames.build("conversation.deleted", conversation=conversation_id)
    for outbox in hub.sockets_of(owner_id):
        hub.unfollow(outbox, conversation_id)
        outbox.offer(text)
