"""Each process's share of the work: claims events that wait, and handles them one after another.

A claim runs out after half a minute; what a process that died had claimed, another one claims then.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

from django.db import models
from django.utils import timezone

from cozechat import database, logs
from cozechat.webhooks import comparing
from cozechat.webhooks.handling import LEASE, handle
from cozechat.webhooks.intake import intake
from cozechat.webhooks.models import Event, UsageComparison

logger = logging.getLogger(__name__)

LOOK_EVERY = 2.0
COMPARE_EVERY = 60.0
CLEAR_EVERY = 60.0
KEPT = timedelta(days=30)
COMPARISONS_KEPT = timedelta(days=365)
_BATCH = 20
_CLEARED_AT_ONCE = 1_000
_LONGEST_PAUSE = 0.2


class Courier:
    """One event loop's courier; what it begins it also ends."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._leaving = False
        self._due = {comparing.compare_again: 0.0, clear: 0.0}

    def start(self) -> None:
        """Begin to look; a second call changes nothing."""
        if self._task is None and not self._leaving:
            self._task = self._loop.create_task(self._work(), context=logs.context_of())

    def wake(self) -> None:
        """An event has come: look now."""
        self.start()
        self._wake.set()

    async def aclose(self) -> None:
        """Finish the event in hand, and leave the others to other processes."""
        self._leaving = True
        self._wake.set()
        task, self._task = self._task, None
        if task is not None:
            await asyncio.wait([task], timeout=10)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _work(self) -> None:
        while not self._leaving:
            self._wake.clear()
            try:
                busy = await self.round()
                await self._seldom()
            except Exception:
                logger.exception("a round of the webhooks failed")
                busy = False
            if not busy:
                await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def round(self) -> bool:
        """Handle one batch; whether there was anything."""
        claimed = await database.run(_claim)
        left = list(claimed)
        try:
            while left and not self._leaving:
                await self._handle(left.pop(0))
        finally:
            if left:
                await database.run(_release, left)
        return bool(claimed)

    async def _handle(self, event: Event) -> None:
        """While events stream in, taking them goes first: then two thirds of the time are left to that."""
        began = self._loop.time()
        await database.run(_handle, event)
        if intake().is_hot:
            await asyncio.sleep(min(_LONGEST_PAUSE, 2 * (self._loop.time() - began)))

    async def _seldom(self) -> None:
        for chore, every in ((comparing.compare_again, COMPARE_EVERY), (clear, CLEAR_EVERY)):
            if time.monotonic() >= self._due[chore]:
                self._due[chore] = time.monotonic() + every
                done = await database.run(_at_this_time, chore)
                if chore is clear and done >= _CLEARED_AT_ONCE:
                    # There is more of it than one portion.
                    self._due[chore] = time.monotonic() + LOOK_EVERY


def _claim() -> list[Event]:
    return Event.objects.claim(now=timezone.now(), lease=LEASE, most=_BATCH)


def _handle(event: Event) -> None:
    with logs.also(event_id=event.pk):
        handle(event, now=timezone.now())


def _release(events: list[Event]) -> None:
    for event in events:
        event.let_go(now=timezone.now())


def _at_this_time(chore: Callable[..., Any]) -> int:
    return int(chore(now=timezone.now()) or 0)


def clear(*, now: Any) -> int:
    """Delete a portion of what was brought to its end long ago, and of deleted conversations; returns how many rows."""
    old = Event.objects.filter(ended_at__lt=now - KEPT).order_by("ended_at")
    orphaned = Event.objects.filter(conversation__deleted_at__isnull=False).exclude(state=Event.State.WAITING)
    compared = UsageComparison.objects.filter(first_at__lt=now - COMPARISONS_KEPT).order_by("first_at")
    return max(_delete_some(rows) for rows in (old, orphaned, compared))


def _delete_some(rows: models.QuerySet[Any]) -> int:
    some = list(rows.values_list("pk", flat=True)[:_CLEARED_AT_ONCE])
    rows.model._default_manager.filter(pk__in=some).delete()
    return len(some)


_couriers: WeakKeyDictionary[asyncio.AbstractEventLoop, Courier] = WeakKeyDictionary()


def courier() -> Courier:
    """The running loop's courier."""
    loop = asyncio.get_running_loop()
    found = _couriers.get(loop)
    if found is None:
        found = _couriers[loop] = Courier()
    return found
