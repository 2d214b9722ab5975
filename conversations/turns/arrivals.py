"""Messages that belong to no turn: shown in the tabs of this process that follow their conversation.

A hint says that one has come; what no hint says is found in the rows once a second.
"""

import uuid
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakSet

from django.utils import timezone

from conversations import frames
from conversations.models import Conversation, Message
from conversations.outboxes import Hub, Outbox
from conversations.turns.reading import content_within, describe_message
from cozechat import database

# How far back messages are looked for: longer than a round, and than clocks may differ.
_BACK = timedelta(seconds=5)
# Messages of which it is remembered who was shown them.
_REMEMBERED = 5_000
_FRAME_BYTES = 60 * 1024


class Arrivals:
    """Who was shown which message; each socket is shown each once."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._shown: OrderedDict[int, WeakSet[Outbox]] = OrderedDict()

    async def tell(self, message_ids: list[int]) -> None:
        """Show these to whoever follows their conversations and has not been shown them."""
        for message in await database.run(_read, message_ids):
            conversation = message.conversation
            readers = self._hub.followers(conversation.pk, owner_id=conversation.owner_id)
            text = created_frame(message)
            for outbox in self._not_shown(message.pk, readers):
                outbox.offer(text)

    async def look(self) -> None:
        """One round: what came a moment ago where somebody follows."""
        followed = self._hub.followed()
        if not followed:
            return
        found = await database.run(_newest, followed, since=timezone.now() - _BACK)
        unseen = [pk for pk, conversation_id in found if self._is_unseen(pk, conversation_id)]
        if unseen:
            await self.tell(unseen)

    def _is_unseen(self, message_id: int, conversation_id: uuid.UUID) -> bool:
        shown = self._shown.get(message_id, ())
        return any(outbox not in shown for outbox in self._hub.all() if conversation_id in outbox.followed)

    def _not_shown(self, message_id: int, readers: list[Outbox]) -> list[Outbox]:
        shown = self._shown.setdefault(message_id, WeakSet())
        new = [outbox for outbox in readers if outbox not in shown]
        shown.update(new)
        if len(self._shown) > _REMEMBERED:
            self._shown.popitem(last=False)
        return new


def created_frame(message: Message) -> str:
    """`message.created`; without HTML, or with cut content, if the whole has no room in a frame."""
    described = describe_message(message)
    for less in (_whole, _without_html, _cut):
        described = less(described)
        text = frames.build(
            "message.created",
            conversation=message.conversation_id,
            branch=message.branch_id,
            message=described,
        )
        if len(text.encode(errors="replace")) <= _FRAME_BYTES:
            break
    return text


def _whole(described: dict[str, Any]) -> dict[str, Any]:
    return described


def _without_html(described: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in described.items() if key != "html"}


def _cut(described: dict[str, Any]) -> dict[str, Any]:
    return described | content_within(described["content"])


def _read(message_ids: list[int]) -> list[Message]:
    rows = Message.objects.filter(pk__in=message_ids, turn=None, conversation__deleted_at=None)
    return list(rows.select_related("conversation", "turn").order_by("pk"))


def _newest(followed: set[uuid.UUID], *, since: datetime) -> list[tuple[int, uuid.UUID]]:
    active = Conversation.objects.filter(active_at__gte=since).values_list("pk", flat=True)
    here = followed.intersection(active)
    if not here:
        return []
    rows = Message.objects.filter(conversation_id__in=here, turn=None, created_at__gte=since)
    return list(rows.order_by("pk").values_list("pk", "conversation_id"))
