"""The turn engine of this process: it owns every running answer, saves them, and ends each exactly once."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from conversations.live import LiveTurn
from conversations.models import Turn
from conversations.outboxes import Hub, Outbox
from conversations.turns import answering, ending, failures, inheriting, mirroring, saving, sweeping, visits
from conversations.turns.beginning import Begun
from conversations.turns.chores import erase_discarded, forget_closed_shares, index_messages, repeat
from conversations.turns.ending import End, stored_end
from conversations.turns.failures import Failure
from conversations.turns.processes import adopting, orphans, recovering
from conversations.turns.processes.hints import Hint
from conversations.turns.processes.news import News
from conversations.turns.processes.orphans import Orphan
from conversations.turns.processes.wire import post
from conversations.turns.running import RunningTurn
from conversations.turns.succession import Succession
from conversations.turns.telling import tell_end, tell_owner
from cozechat import database, logs
from cozechat.coze.errors import CozeError

logger = logging.getLogger(__name__)

SAVE_EVERY = LOOK_EVERY = 1.0
CLAIM_EVERY = INDEX_EVERY = ERASE_EVERY = 2.0
QUEUES_EVERY = 5.0
LOGINS_EVERY, SHARES_EVERY = 30.0, 600.0
VISITS_EVERY = 10.0
_LEAVE_WITHIN = 4.0

R = TypeVar("R")


class Engine:
    """Runs turns on one event loop. Everything it starts it also ends."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.loop = asyncio.get_running_loop()
        self.running: dict[uuid.UUID, RunningTurn] = {}
        self.mirror = mirroring.Mirror()
        self.succession = Succession(self)
        self.draining = False
        self.news = News(self)
        self.elsewhere = self.news.elsewhere
        self._claimed: dict[uuid.UUID, Orphan] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._chores: list[asyncio.Task[None]] = []
        self._saving = asyncio.Lock()

    def join(self, outbox: Outbox) -> None:
        """A socket is open."""
        self.hub.join(outbox)
        self.news.wire.listen(outbox.owner_id)
        self.start_chores()

    def start(self, begun: Begun) -> RunningTurn:
        """Run a turn that is in the database; its task belongs to the engine and to nobody else."""
        owner_id, conversation_id = begun.owner.pk, begun.conversation.pk
        turn = LiveTurn(id=begun.turn.pk, conversation_id=conversation_id, owner_id=owner_id, hub=self.hub)
        running = RunningTurn(begun=begun, live=turn, execute_id=begun.turn.execute_id)
        self.launch(running)
        return running

    def launch(self, running: RunningTurn) -> None:
        """The same for one that has been begun elsewhere."""
        self.start_chores()
        self.running[running.id] = running
        self.news.turn_began(running)
        self.spawn(self._run(running), context=logs.context_of(**running.ids))

    def spawn(self, work: Coroutine[Any, Any, R], *, context: Context | None = None) -> "asyncio.Task[R]":
        """A task with an owner: the engine keeps it until it is done."""
        task = self.loop.create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def own(self, work: Coroutine[Any, Any, R]) -> R:
        """Do something that, once begun, is finished even if whoever waits for it is cancelled."""
        task = self.spawn(work)
        task.add_done_callback(_look_at_outcome)
        return await asyncio.shield(task)

    def start_chores(self) -> None:
        """Begin what goes on beside the turns: saving, looking elsewhere, claiming, mirroring."""
        if not self._chores:
            chores = (
                (SAVE_EVERY, self.save_running),
                (LOOK_EVERY, self._look),
                (CLAIM_EVERY, self._claim),
                (QUEUES_EVERY, self.succession.look),
                (LOGINS_EVERY, partial(visits.look_again, self.hub)),
                (SHARES_EVERY, forget_closed_shares),
                (INDEX_EVERY, index_messages),
                (ERASE_EVERY, erase_discarded),
                (mirroring.EVERY, self.mirror.work),
                (VISITS_EVERY, partial(inheriting.look_after_visits, self.news)),
                (sweeping.EVERY, sweeping.sweep),
            )
            self._chores = [
                self.loop.create_task(repeat(chore, every=every), context=logs.context_of())
                for every, chore in chores
            ]

    def live_in(self, conversation_id: uuid.UUID, *, owner_id: int) -> RunningTurn | None:
        """The turn that runs here in a conversation of this owner's."""
        for running in self.running.values():
            turn = running.live
            if turn.conversation_id == conversation_id and turn.owner_id == owner_id and not turn.ended:
                return running
        return None

    async def stop(self, running: RunningTurn) -> None:
        """End a turn as canceled at once; its stream is closed in order behind it."""
        self._stop_reading(running)
        await self._end(running, status=Turn.Status.CANCELED)

    def _stop_reading(self, running: RunningTurn) -> None:
        running.stop()
        if running.stream is not None:
            self.spawn(running.stream.aclose())

    async def drain(self, *, grace: float) -> None:
        """The process is about to end: answers may finish for `grace` seconds; the rest is left to other processes."""
        self.draining = True
        until = self.loop.time() + grace
        for _round in range(2):  # A question that was being taken as this began runs only in the second.
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=max(0.0, until - self.loop.time()))
        left = [self.spawn(self._leave(running)) for running in list(self.running.values())]
        if left:
            await asyncio.wait(left, timeout=_LEAVE_WITHIN)
        await database.run(orphans.release, [orphan.lease for orphan in self._claimed.values()])
        await self.aclose()

    async def _leave(self, running: RunningTurn) -> None:
        """Let another process bring a turn to its end; one that Coze has not begun ends here."""
        self._stop_reading(running)
        if not running.goes_on_alone:
            await self._end(running, status=Turn.Status.INTERRUPTED)
        elif not running.live.ended:
            running.live.finish()
            async with self._saving:
                await database.run(saving.leave, [saving.take_snapshot(running)])
            self._forget(running)
        else:
            await running.ended.wait()

    async def aclose(self) -> None:
        """End the chores and whatever task is left."""
        tasks = [*self._chores, *self._tasks]
        self._chores = []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.news.wire.aclose()
        # Sockets outlive a drain by moments; what they still ask needs no other engine.
        if not self.draining:
            _engines.pop(self.loop, None)

    async def _run(self, running: RunningTurn) -> None:
        """One turn from its question to its end, whatever happens in between."""
        status, failure = Turn.Status.FAILED, None
        try:
            status = await answering.answer(running)
        except CozeError as error:
            failure = failures.from_coze(error)
            logger.warning(
                "turn %s failed: %s %s",
                running.id,
                failure.code,
                failure.coze_error,
                extra={"log_id": failure.log_id},
            )
        except answering.FAILURES as error:
            failure = error.failure
        except Exception:
            failure = failures.INTERNAL
            logger.exception("turn %s failed here", running.id)
        await self._end(running, status=status, failure=failure)
        # A conversation that was deleted meanwhile may have got its Coze id only now.
        self.mirror.wake()

    async def _end(
        self, running: RunningTurn, *, status: Turn.Status, failure: Failure | None = None
    ) -> None:
        """The one end of a turn: first in the database, then on the wire. Whoever comes second changes nothing."""
        turn = running.live
        if turn.ended:
            return
        turn.finish()
        try:
            with logs.also(**running.ids):
                end = await ending.save_end(running, status=status, failure=failure)
            if end is not None:
                self._tell_end(running, end)
                self._after(end)
        finally:
            self._forget(running)

    def _forget(self, running: RunningTurn) -> None:
        self.running.pop(running.id, None)
        self.news.relay.forget(running.id)
        running.ended.set()

    def _tell_end(self, running: RunningTurn, end: End) -> None:
        """Tell every tab what the database says; after a lost race that is somebody else's end."""
        if self.elsewhere.remember(running.id):
            readers = self.hub.followers(end.turn.conversation_id, owner_id=end.turn.owner_id)
            tell_end(readers, end, shown=running.live)
            tell_owner(self.hub, end)

    async def announce(self, end: End) -> None:
        """A turn that ran in no process any more, or in another, was ended by this one."""
        await self.elsewhere.tell(end)
        self._after(end)

    def _after(self, end: End) -> None:
        """What follows the end of a turn, wherever it ran: the one place for that."""
        self.news.turn_ended(end)
        self.succession.wake(end.turn.conversation_id, owner_id=end.turn.owner_id)
        self.mirror.wake()

    async def save_running(self) -> None:
        """The one writer of this process: text and leases of all running turns in one transaction."""
        active = [running for running in self.running.values() if not running.live.ended]
        if not active:
            return
        self._end_overdue(active)
        async with self._saving:
            snapshots = [saving.take_snapshot(running) for running in active]
            try:
                lost = await database.run(saving.save_progress, snapshots)
            except Exception:
                # Whatever it was, these words are not saved yet.
                for running in active:
                    running.live.dirty = True
                raise
        for running in lost:
            if running.live.ended:
                continue
            logger.warning("turn %s was ended elsewhere", running.id, extra=running.ids)
            self._stop_reading(running)
            await self._end(running, status=Turn.Status.INTERRUPTED)

    def _end_overdue(self, active: list[RunningTurn]) -> None:
        """No answer takes for ever, not even one whose Coze only keeps the connection open."""
        for running in active:
            if time.monotonic() - running.began > running.longest:
                self._stop_reading(running)
                self.spawn(self._end(running, status=Turn.Status.FAILED, failure=failures.TIMED_OUT))

    async def _look(self) -> None:
        """What other processes do that concerns tabs here."""
        self.news.listen_to({running.live.owner_id for running in self.running.values()})
        await self.news.look()

    async def _claim(self) -> None:
        """Take over the turns whose process has died."""
        if self.draining:
            return
        for orphan in await database.run(orphans.claim, living={*self.running, *self._claimed}):
            self.spawn(self.recover(orphan), context=logs.context_of(turn_id=str(orphan.id)))

    async def recover(self, orphan: Orphan) -> End | None:
        """Bring a claimed turn to its end; a long run goes on here, as if it had begun here."""
        self._claimed[orphan.id] = orphan
        try:
            running = await adopting.adopt(self, orphan)
            if running is not None:
                await running.ended.wait()
                return await database.run(stored_end, running.id)
            end = await recovering.recover(orphan)
        finally:
            self._claimed.pop(orphan.id, None)
        if end is not None:
            await self.announce(end)
        return end


def _look_at_outcome(task: "asyncio.Task[Any]") -> None:
    """Nobody may be left to look: then an outcome that is an error must not be reported as never looked at."""
    if not task.cancelled():
        task.exception()


_engines: WeakKeyDictionary[asyncio.AbstractEventLoop, Engine] = WeakKeyDictionary()


def engine() -> Engine:
    """The running loop's engine."""
    loop = asyncio.get_running_loop()
    found = _engines.get(loop)
    if found is None:
        found = _engines[loop] = Engine()
    return found


def hub() -> Hub:
    """The running loop's sockets."""
    return engine().hub


def from_thread(act: Callable[[Engine], None], *, hint: Hint | None = None) -> None:
    """Let every engine of this process do something, from a thread that has no event loop: a view's.

    Where there is none, in a command, the `hint` says it to other processes.
    """
    found = [each for each in list(_engines.values()) if not each.loop.is_closed()]
    for each in found:
        each.loop.call_soon_threadsafe(act, each)
    if not found and hint is not None:
        post(hint)
