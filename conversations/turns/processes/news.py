"""News for tabs: told to those of this process at once, and to other processes as hints; and what they tell us."""

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

from conversations.turns import visits
from conversations.turns.arrivals import Arrivals
from conversations.turns.ending import End
from conversations.turns.processes.elsewhere import Elsewhere
from conversations.turns.processes.hints import (
    Arrived,
    Began,
    Changed,
    Deleted,
    Delta,
    Ended,
    Hint,
    QueueChanged,
    SignedOut,
    Stepped,
    Stop,
    Text,
    Thinking,
    Watch,
)
from conversations.turns.processes.relaying import Relay
from conversations.turns.processes.wire import open_wire
from conversations.turns.reading import described
from conversations.turns.running import RunningTurn
from conversations.turns.telling import tell_conversation, tell_deleted
from cozechat import database

if TYPE_CHECKING:
    from conversations.turns.engine import Engine


class News:
    """What one engine and the engines of other processes tell each other."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.wire = open_wire(self.hear)
        self.relay = Relay(self.wire)
        self.elsewhere = Elsewhere(
            engine.hub, wire=self.wire, spawn=engine.spawn, is_here=engine.running.__contains__
        )
        self.arrivals = Arrivals(engine.hub)

    async def look(self) -> None:
        """Read the rows for what no hint has said."""
        await self.elsewhere.look()
        await self.arrivals.look()

    def listen_to(self, owners: Iterable[int]) -> None:
        """Hear what concerns these, whoever has a socket here, and nobody else."""
        self.wire.keep(self._engine.hub.owners().union(owners))

    def turn_began(self, running: RunningTurn) -> None:
        """A turn runs here; its own tabs are told by whoever started it."""
        turn = running.live
        self.wire.listen(turn.owner_id)
        self.wire.send(Began(turn.owner_id, turn.id, turn.conversation_id))

    def turn_ended(self, end: End) -> None:
        """A turn has an end; the tabs here know it."""
        turn = end.turn
        if end.is_news:
            self.wire.send(Ended(turn.owner_id, turn.id, suggestions=end.suggestions, advice=end.advice))

    def queue_changed(self, owner_id: int, conversation_id: uuid.UUID, text: str) -> None:
        """A question waits or was edited; the tabs here know it."""
        self.wire.send(QueueChanged(owner_id, conversation_id, text))

    def conversation_changed(self, owner_id: int, conversation_id: uuid.UUID) -> None:
        """A conversation has another title, state or place in the list."""
        self.wire.send(Changed(owner_id, conversation_id))
        self._tell_changed(owner_id, conversation_id)

    def conversation_deleted(self, owner_id: int, conversation_id: uuid.UUID) -> None:
        """A conversation is gone; what runs in it ends."""
        self.wire.send(Deleted(owner_id, conversation_id))
        self._forget_conversation(owner_id, conversation_id)

    def message_arrived(self, arrived: Arrived) -> None:
        """A message has come that belongs to no turn."""
        self.wire.send(arrived)
        self._tell_arrived(arrived)

    def login_ended(self, owner_id: int, session_key: str | None) -> None:
        """A log-in has ended (all of a user's when no session is named): its sockets close."""
        login = visits.digest(session_key)
        self.wire.send(SignedOut(owner_id, login))
        visits.close_signed_out(self._engine.hub, user_id=owner_id, login=login)

    def hear(self, hint: Hint) -> None:
        """A hint of another process: the rows decide, it only says when to look."""
        match hint:
            case Delta() | Text() | Stepped() | Thinking():
                self.elsewhere.take(hint)
            case Watch() | Stop():
                self._hear_about_ours(hint)
            case Began() | Ended():
                self._hear_of_turn(hint)
            case QueueChanged() | Changed() | Deleted():
                self._hear_of_conversation(hint)
            case Arrived():
                self._tell_arrived(hint)
            case SignedOut():
                visits.close_signed_out(self._engine.hub, user_id=hint.user, login=hint.login)

    def _hear_about_ours(self, hint: Watch | Stop) -> None:
        running = self._engine.running.get(hint.turn)
        if running is None or running.live.ended or running.live.owner_id != hint.user:
            return
        if isinstance(hint, Watch):
            self.relay.serve(running.live, hint)
        else:
            self._engine.spawn(self._engine.stop(running))

    def _hear_of_turn(self, hint: Began | Ended) -> None:
        if isinstance(hint, Began):
            self._engine.spawn(self.elsewhere.heard_begin(hint))
        elif hint.turn in self._engine.running:
            # Ended over our head: saving finds out that the lease is gone.
            self._engine.spawn(self._engine.save_running())
        else:
            self._engine.spawn(self.elsewhere.heard_end(hint))

    def _hear_of_conversation(self, hint: QueueChanged | Changed | Deleted) -> None:
        match hint:
            case QueueChanged():
                for outbox in self._engine.hub.followers(hint.conversation, owner_id=hint.user):
                    outbox.offer(hint.text)
            case Changed():
                self._tell_changed(hint.user, hint.conversation)
            case Deleted():
                self._forget_conversation(hint.user, hint.conversation)

    def _tell_changed(self, owner_id: int, conversation_id: uuid.UUID) -> None:
        if self._engine.hub.sockets_of(owner_id):
            self._engine.spawn(self._read_and_tell(owner_id, conversation_id))

    def _tell_arrived(self, arrived: Arrived) -> None:
        if self._engine.hub.followers(arrived.conversation, owner_id=arrived.user):
            self._engine.spawn(self.arrivals.tell([arrived.message]))
        self._tell_changed(arrived.user, arrived.conversation)

    async def _read_and_tell(self, owner_id: int, conversation_id: uuid.UUID) -> None:
        conversation = await database.run(described, conversation_id, owner_id=owner_id)
        tell_conversation(self._engine.hub, owner_id, conversation)

    def _forget_conversation(self, owner_id: int, conversation_id: uuid.UUID) -> None:
        running = self._engine.live_in(conversation_id, owner_id=owner_id)
        if running is not None:
            self._engine.spawn(self._engine.stop(running))
        tell_deleted(self._engine.hub, owner_id, conversation_id)
        self._engine.mirror.wake()
