"""The gateway's engine: it owns every running call of this process, keeps their leases, and ends with them."""

import asyncio
import logging
from collections.abc import Coroutine
from contextvars import Context
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.utils import timezone

from cozechat import database, logs
from cozechat.gateway import errors, interruptions, late
from cozechat.gateway.admitted import Admitted
from cozechat.gateway.calls import Call
from cozechat.gateway.drains import Drains
from cozechat.gateway.models import EndUser, Slot, StickyConversation, StoredCall
from cozechat.usage import reserving
from cozechat.usage.reserving import LEASE

logger = logging.getLogger(__name__)
RENEW_EVERY = 15.0
RECONCILE_EVERY = 10.0
FORGET_EVERY = 600.0


class Engine:
    """Runs calls on one event loop. Everything it starts it also ends."""

    def __init__(self) -> None:
        self.draining = False
        self._loop = asyncio.get_running_loop()
        self._running: dict[str, Call] = {}
        self._drains = Drains()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._chores: list[asyncio.Task[None]] = []

    def start(self, admitted: Admitted) -> Call:
        """Run a call; its task belongs to the engine and to no client. Raises Refusal."""
        if self.draining:
            raise errors.restarting()
        self.start_chores()
        call = Call(admitted, spawn=self.spawn, drains=self._drains)
        self._running[call.request_id] = call
        ids = {"request_id": call.request_id, "key_id": admitted.key.pk, "user_id": admitted.user.pk}
        self.spawn(self._run(call), context=logs.context_of(**ids))
        return call

    def spawn(self, work: Coroutine[Any, Any, Any], *, context: Context | None = None) -> asyncio.Task[Any]:
        """A task with an owner: the engine keeps it until it is done."""
        task = self._loop.create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._ended, context=context)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a task of the gateway failed", exc_info=task.exception())

    async def _run(self, call: Call) -> None:
        try:
            await call.run()
        finally:
            self._running.pop(call.request_id, None)
            self._drains.end(call.request_id)

    def start_chores(self) -> None:
        """Begin what goes on beside the calls."""
        if not self._chores:
            chores = (
                (RENEW_EVERY, self._renew),
                (RECONCILE_EVERY, late.settle_deserted),
                (FORGET_EVERY, _forget),
            )
            self._chores = [
                self._loop.create_task(_repeat(chore, every=every), context=logs.context_of())
                for every, chore in chores
            ]

    async def _renew(self) -> None:
        if self._running:
            await database.run(_renew, list(self._running))

    async def drain(self, *, grace: float) -> None:
        """The process is about to end: let calls finish, then leave the rest to whoever reconciles."""
        self.draining = True
        if self._running:
            await asyncio.wait(list(self._tasks), timeout=grace)
        for call in list(self._running.values()):
            call.abandon()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=2.0)
        await self.aclose()

    async def aclose(self) -> None:
        """End the chores and whatever task is left."""
        tasks = [*self._chores, *self._tasks]
        self._chores = []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        _engines.pop(self._loop, None)


def _renew(request_ids: list[str]) -> None:
    now = timezone.now()
    reserving.renew(request_ids, now=now)
    for rows in (Slot.objects, StickyConversation.objects, StoredCall.objects):
        rows.renew(request_ids, until=now + LEASE)


async def _forget() -> None:
    """End users who have not come for long and own nothing have no row any more; coming back makes them the same."""
    since = timezone.now() - timedelta(days=settings.GATEWAY_END_USER_DAYS)
    await database.run(EndUser.objects.forget_unused, since=since)
    await database.run(interruptions.forget, now=timezone.now())


async def _repeat(chore: Any, *, every: float) -> None:
    """Do a chore for ever; one that fails is logged and tried again at its next time."""
    while True:
        try:
            await chore()
        except Exception:
            logger.exception("a chore of the gateway failed")
        await asyncio.sleep(every)


_engines: WeakKeyDictionary[asyncio.AbstractEventLoop, Engine] = WeakKeyDictionary()


def engine() -> Engine:
    """The running loop's engine."""
    loop = asyncio.get_running_loop()
    found = _engines.get(loop)
    if found is None:
        found = _engines[loop] = Engine()
    return found
