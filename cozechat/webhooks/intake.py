"""Stores what comes: events that come while a commit is under way are committed together by the next.

So a burst costs few commits, and nobody waits longer than for the two that are under way.
"""

import asyncio
from collections import deque
from weakref import WeakKeyDictionary

from django.utils import timezone

from cozechat import database, logs
from cozechat.webhooks.envelopes import Envelope
from cozechat.webhooks.models import Event

_TOGETHER = 100
# So many events within so many seconds are a stream.
_SEVERAL, _HOT = 10, 0.5

Waiting = tuple[Event, asyncio.Future[None]]


class Intake:
    """One event loop's events that are not committed yet."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Waiting] = []
        self._task: asyncio.Task[None] | None = None
        # When the newest ones came, the oldest of them first.
        self._times = deque([0.0] * _SEVERAL, maxlen=_SEVERAL)

    @property
    def is_hot(self) -> bool:
        """Whether several events came within the last moments."""
        return self._loop.time() - self._times[0] < _HOT

    async def store(self, envelope: Envelope, *, source: Event.Source) -> None:
        """Returns once the event is committed, or was before; raises what the database says."""
        committed: asyncio.Future[None] = self._loop.create_future()
        self._times.append(self._loop.time())
        self._waiting.append((event_of(envelope, source=source), committed))
        if self._task is None:
            self._task = self._loop.create_task(self._commit_all(), context=logs.context_of())
        await committed

    async def _commit_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
                await self._commit(batch)
        finally:
            self._task = None

    async def _commit(self, batch: list[Waiting]) -> None:
        """One statement; whoever waits hears how it went, unless they have given up meanwhile."""
        failure: Exception | None = None
        try:
            await database.run(insert, [event for event, _committed in batch])
        except Exception as error:
            failure = error
        for _event, committed in batch:
            if committed.done():
                continue
            if failure is None:
                committed.set_result(None)
            else:
                committed.set_exception(failure)


_intakes: WeakKeyDictionary[asyncio.AbstractEventLoop, Intake] = WeakKeyDictionary()


def intake() -> Intake:
    """The running loop's intake."""
    loop = asyncio.get_running_loop()
    found = _intakes.get(loop)
    if found is None:
        found = _intakes[loop] = Intake()
    return found


def event_of(envelope: Envelope, *, source: Event.Source) -> Event:
    """The row of an event that has just come."""
    now = timezone.now()
    return Event(
        source=source,
        event_id=envelope.event_id,
        kind=envelope.kind,
        body=envelope.text,
        due_at=now,
        received_at=now,
    )


def insert(events: list[Event]) -> None:
    """Commit these in one statement; those that are there already are passed over."""
    Event.objects.bulk_create(events, ignore_conflicts=True)
