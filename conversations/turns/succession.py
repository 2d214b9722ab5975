"""Which turn of a conversation comes next: begins what is queued, and tells the tabs of the queue."""

import asyncio
import logging
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from conversations import frames
from conversations.outboxes import Outbox
from conversations.turns import allowances, queueing
from conversations.turns.beginning import Begun
from conversations.turns.ending import stored_end
from conversations.turns.metering import NotCovered
from conversations.turns.reading import StoredTurn, content_within, describe_conversation, question_frame
from conversations.turns.telling import tell_conversation
from cozechat import database, logs

if TYPE_CHECKING:
    from conversations.turns.engine import Engine

logger = logging.getLogger(__name__)


class Succession:
    """Begins the next turn of a conversation when the one before has ended, here or anywhere."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._orders: WeakValueDictionary[tuple[int, uuid.UUID], asyncio.Lock] = WeakValueDictionary()

    def in_order(self, conversation_id: uuid.UUID, *, owner_id: int) -> asyncio.Lock:
        """Held while a queue is changed or read and told of: tabs hear of things in the order they happened.

        An owner waits for his own tabs only. Between processes the database decides, not this.
        """
        return self._orders.setdefault((owner_id, conversation_id), asyncio.Lock())

    def wake(self, conversation_id: uuid.UUID, *, owner_id: int) -> None:
        """A turn has ended, or may have: let the next one begin, unless this process is about to end."""
        if not self._engine.draining:
            context = logs.context_of(conversation_id=str(conversation_id), user_id=owner_id)
            self._engine.spawn(self._begin_next(conversation_id, owner_id=owner_id), context=context)

    async def look(self) -> None:
        """The chore: begin what waits although nothing runs, because a process died or was restarted."""
        if self._engine.draining:
            return
        for conversation_id, owner_id in await database.run(queueing.idle):
            self.wake(conversation_id, owner_id=owner_id)

    async def _begin_next(self, conversation_id: uuid.UUID, *, owner_id: int) -> None:
        try:
            async with self.in_order(conversation_id, owner_id=owner_id):
                await self._begin(conversation_id)
        except Exception:
            logger.exception("the next turn of conversation %s did not begin", conversation_id)

    async def _begin(self, conversation_id: uuid.UUID) -> None:
        engine = self._engine
        if any(running.live.conversation_id == conversation_id for running in engine.running.values()):
            return  # its end comes round here
        begun = await database.run(queueing.begin_next, conversation_id)
        if begun is None:
            return
        if begun.refused is not None:
            await self._tell_refused(begun.turn.pk, begun.refused)
            return
        if engine.draining:
            await database.run(queueing.give_back, begun)
            return
        self.tell_started(begun)
        engine.start(begun)
        described = describe_conversation(begun.conversation, running=True)
        tell_conversation(engine.hub, begun.owner.pk, described)

    async def _tell_refused(self, turn_id: uuid.UUID, why: NotCovered) -> None:
        end = await database.run(stored_end, turn_id, is_news=True)
        if end is not None:
            await self._engine.announce(replace(end, advice=allowances.advice(why)))

    def tell_started(self, begun: Begun, *, but: Outbox | None = None) -> None:
        """A turn begins: to whoever follows its conversation (but the tab that knows already).

        Other processes hear from the engine that it runs here.
        """
        text = question_frame("turn.started", begun.turn, question=begun.question)
        for outbox in self._engine.hub.followers(begun.conversation.pk, owner_id=begun.owner.pk):
            if outbox is not but:
                outbox.offer(text)

    def tell_queued(self, begun: Begun, *, only: Outbox | None = None) -> None:
        """A question waits."""
        text = question_frame("turn.queued", begun.turn, question=begun.question)
        if only is None:
            self._send(begun.owner.pk, begun.conversation.pk, text)
        else:
            only.offer(text)

    def tell_edited(self, stored: StoredTurn, *, content: str) -> None:
        """A question that waits reads otherwise now."""
        text = frames.build(
            "turn.edited", turn=stored.id, conversation=stored.conversation_id, **content_within(content)
        )
        self._send(stored.owner_id, stored.conversation_id, text)

    def _send(self, owner_id: int, conversation_id: uuid.UUID, text: str) -> None:
        """To whoever follows the conversation, here and in other processes; it is the same in every language."""
        for outbox in self._engine.hub.followers(conversation_id, owner_id=owner_id):
            outbox.offer(text)
        self._engine.news.queue_changed(owner_id, conversation_id, text)
