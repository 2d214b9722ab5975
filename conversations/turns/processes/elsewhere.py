"""The turns that run in other processes and are followed here.

Hints bring their words within moments. Whatever hints may be lost, the rows are read once a second, with three
short queries: so a tab follows a turn of another process even where no hint ever comes.
"""

import asyncio
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from conversations.models import Conversation, Turn
from conversations.outboxes import Hub, Outbox
from conversations.thoughts import Thought
from conversations.turns.asides import thought_of
from conversations.turns.ending import End, stored_end
from conversations.turns.processes.hints import Began, Delta, Ended, Stepped, Text, Thinking, Watch
from conversations.turns.processes.relaying import WATCHED, DistantTurn
from conversations.turns.processes.wire import NoWire, Wire
from conversations.turns.reading import StoredTurn, described, started_frame_of, steps_of, stored_turn
from conversations.turns.telling import tell_conversation, tell_end, tell_owner
from cozechat import database

# Ends that are remembered, so that each is told once.
_TOLD = 5_000
# How far back ends are looked for: longer than a round, and than clocks may differ.
_BACK = timedelta(seconds=5)

Spawn = Callable[[Coroutine[Any, Any, Any]], "asyncio.Task[Any]"]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A row of a turn, as one round sees it."""

    id: uuid.UUID
    conversation_id: uuid.UUID
    owner_id: int
    seq: int
    runs: bool


class Elsewhere:
    """What this process knows of other processes' turns; `is_here` says which are its own."""

    def __init__(
        self, hub: Hub, *, wire: Wire | NoWire, spawn: Spawn, is_here: Callable[[uuid.UUID], bool]
    ) -> None:
        self.turns: dict[uuid.UUID, DistantTurn] = {}
        self._hub, self._wire, self._spawn, self._is_here = hub, wire, spawn, is_here
        self._meeting: dict[uuid.UUID, asyncio.Task[DistantTurn | None]] = {}
        self._ending: set[uuid.UUID] = set()
        self._told: OrderedDict[uuid.UUID, None] = OrderedDict()
        self._watched_at: dict[uuid.UUID, float] = {}
        self._over: set[uuid.UUID] = set()

    # Following

    async def meet(
        self, turn_id: uuid.UUID, *, owner_id: int, asker: Outbox | None = None
    ) -> DistantTurn | None:
        """Follow a turn from here on, if it runs in another process.

        Whoever follows its conversation already, except for the asker, hears that it has begun.
        """
        known = self.turns.get(turn_id)
        if known is not None:
            return known if known.owner_id == owner_id else None
        task = self._meeting.get(turn_id)
        if task is None:
            task = self._meeting[turn_id] = self._spawn(self._meet(turn_id, owner_id=owner_id, asker=asker))
            task.add_done_callback(lambda _task: self._meeting.pop(turn_id, None))
        return await asyncio.shield(task)

    async def _meet(self, turn_id: uuid.UUID, *, owner_id: int, asker: Outbox | None) -> DistantTurn | None:
        stored, started, steps, thought = await database.run(_read, turn_id)
        if stored is None or not stored.is_running or stored.owner_id != owner_id:
            return None
        turn = DistantTurn(turn_id, stored.conversation_id, owner_id, self._hub)
        turn.steps = {step["id"]: step for step in steps}
        turn.thought = thought
        await turn.load(seq=stored.seq, content=stored.answer_text, breaks=stored.breaks)
        if turn_id in self._told or self._is_here(turn_id):
            return None
        self.turns[turn_id] = turn
        for outbox in self._hub.followers(stored.conversation_id, owner_id=owner_id):
            if outbox is not asker and started:
                outbox.offer(started)
                if turn.seq or turn.steps or thought.text:
                    outbox.refresh(turn)
        self._watch(turn)
        return turn

    def _watch(self, turn: DistantTurn) -> None:
        self._watched_at[turn.id] = time.monotonic()
        self._wire.send(Watch(turn.owner_id, turn.id, seq=turn.seq, length=turn.length))

    # What hints say

    def take(self, hint: Delta | Text | Stepped | Thinking) -> None:
        """Words or steps of a turn that we follow; where words are missing, its home is asked for them."""
        turn = self.turns.get(hint.turn)
        if turn is None or turn.owner_id != hint.user:
            return
        if isinstance(hint, Stepped):
            turn.show_step(hint.step)
            return
        if isinstance(hint, Thinking):
            fits = turn.take_thought(hint)
        else:
            fits = turn.take(hint) if isinstance(hint, Delta) else turn.take_text(hint)
        if not fits and time.monotonic() - self._watched_at.get(turn.id, 0.0) > 0.2:
            self._watch(turn)

    async def heard_begin(self, hint: Began) -> None:
        """A turn begins in another process."""
        if self._hub.sockets_of(hint.user):
            tell_conversation(
                self._hub, hint.user, await database.run(described, hint.conversation, owner_id=hint.user)
            )
        if self._hub.followers(hint.conversation, owner_id=hint.user):
            await self.meet(hint.turn, owner_id=hint.user)

    async def heard_end(self, hint: Ended) -> None:
        """A turn of another process has ended."""
        await self.look_at_end(hint.turn, suggestions=hint.suggestions, advice=hint.advice)

    # Ends

    def remember(self, turn_id: uuid.UUID) -> bool:
        """The tabs here are told this end now. False: they have been."""
        if turn_id in self._told:
            return False
        self._told[turn_id] = None
        if len(self._told) > _TOLD:
            self._told.popitem(last=False)
        return True

    async def tell(self, end: End) -> None:
        """Tell the tabs here, once, how a turn ended that did not run here."""
        stored = end.turn
        followers = self._hub.followers(stored.conversation_id, owner_id=stored.owner_id)
        if stored.id not in self.turns:
            followers = await self._introduce(end, followers)
        if not self.remember(stored.id):
            return
        turn = self._drop(stored.id)
        if turn is not None:
            turn.finish()
            followers = self._hub.followers(stored.conversation_id, owner_id=stored.owner_id)
        tell_end(followers, end, shown=turn)
        tell_owner(self._hub, end)

    async def look_at_end(self, turn_id: uuid.UUID, **more: Any) -> None:
        """Tell the end of a turn of another process, if it has one and it was not told; `more` stands in no row."""
        if turn_id in self._told or turn_id in self._ending:
            return
        self._ending.add(turn_id)
        try:
            meeting = self._meeting.get(turn_id)
            if meeting is not None:
                await asyncio.wait([meeting])
            stored = await database.run(stored_turn, turn_id)
            end = await database.run(stored_end, turn_id)
            if stored is None:
                self._drop(turn_id)
            if end is not None:
                await self.tell(replace(end, **more))
        finally:
            self._ending.discard(turn_id)

    async def _introduce(self, end: End, followers: list[Outbox]) -> list[Outbox]:
        """A turn began and ended unseen: who has followed since before its end is told that there was one."""
        conversation_id, ended_at = end.turn.conversation_id, end.turn.ended_at
        if end.turn.withdrawn:
            return followers
        started = await database.run(started_frame_of, end.turn.id) if followers else None
        if started is None or ended_at is None or end.turn.id in self._told:
            return []
        late = [
            outbox
            for outbox in followers
            if outbox.followed.get(conversation_id, ended_at.timestamp()) < ended_at.timestamp()
        ]
        for outbox in late:
            outbox.offer(started)
        return late

    def forget(self, turn_id: uuid.UUID) -> None:
        """A turn runs here from now on."""
        self._drop(turn_id)

    def _drop(self, turn_id: uuid.UUID) -> DistantTurn | None:
        self._watched_at.pop(turn_id, None)
        return self.turns.pop(turn_id, None)

    # Looking

    async def look(self) -> None:
        """One round: which turns run elsewhere, which of them have moved on or ended, whatever hints said."""
        for turn in list(self.turns.values()):
            if not self._hub.is_followed(turn.conversation_id):
                self._drop(turn.id)
        followed = self._hub.followed()
        if not followed:
            return
        known = set(self.turns)
        seen = await database.run(_look, followed, since=timezone.now() - _BACK)
        for row in seen:
            if row.runs and row.conversation_id in followed and not self._is_here(row.id):
                self._compare(row)
        self._look_at_ends(known - {row.id for row in seen if row.runs} | self._unseen_ends(seen))

    def _unseen_ends(self, seen: list[_Seen]) -> set[uuid.UUID]:
        ended = {row.id for row in seen if not row.runs}
        return {turn_id for turn_id in ended - self._told.keys() if not self._is_here(turn_id)}

    def _look_at_ends(self, over: set[uuid.UUID]) -> None:
        """Where hints come, they have a round's time to do so: they know more of an end than its row does."""
        due = over & self._over if self._wire.reaches_others else over
        self._over = over
        for turn_id in due:
            self._spawn(self.look_at_end(turn_id))

    def _compare(self, row: _Seen) -> None:
        turn = self.turns.get(row.id)
        if turn is None:
            self._spawn(self.meet(row.id, owner_id=row.owner_id))
        elif turn.seq < row.seq and (not self._wire.reaches_others or turn.seq < turn.row_seq):
            # Behind for a whole round: no hint will bring the rest.
            self._spawn(self._read_on(turn))
        else:
            is_behind, turn.row_seq = turn.seq < row.seq, row.seq
            if is_behind or time.monotonic() - self._watched_at.get(row.id, 0.0) > WATCHED / 3:
                self._watch(turn)

    async def _read_on(self, turn: DistantTurn) -> None:
        stored = await database.run(stored_turn, turn.id)
        if stored is not None and stored.seq > turn.seq and not turn.ended:
            turn.catch_up(seq=stored.seq, content=stored.answer_text, breaks=stored.breaks)


def _read(turn_id: uuid.UUID) -> tuple[StoredTurn | None, str | None, list[dict[str, Any]], Thought]:
    return stored_turn(turn_id), started_frame_of(turn_id), steps_of(turn_id), thought_of(turn_id)


def _look(followed: set[uuid.UUID], *, since: datetime) -> list[_Seen]:
    """Every running turn, and those that ended a moment ago where somebody follows: few, and found by an index."""
    columns = ("pk", "conversation_id", "owner_id", "seq")
    # Said so that the index of leases serves: without `ended_at` all turns would be read.
    running = Turn.objects.running().filter(ended_at=None, lease_until__isnull=False)
    active = Conversation.objects.filter(active_at__gte=since).values_list("pk", flat=True)
    ended = Turn.objects.filter(conversation_id__in=followed.intersection(active), ended_at__gte=since)
    return [
        _Seen(turn_id, conversation_id, owner_id, seq, runs)
        for turns, runs in ((running, True), (ended, False))
        for turn_id, conversation_id, owner_id, seq in turns.order_by().values_list(*columns)
    ]
