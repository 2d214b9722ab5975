"""Each process's share of monitoring: it writes its own report every ten seconds, and sums up if nobody else does."""

import asyncio
import logging
import os
import resource
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from weakref import WeakKeyDictionary

from django.utils import timezone

from conversations import turns
from cozechat import counters, database, logs
from cozechat.catalog.clients import connections_taken
from cozechat.monitoring import summing
from cozechat.monitoring.models import ProcessReport

logger = logging.getLogger(__name__)

REPORT_EVERY = 10.0
# Between two pieces of a large backlog others get to write.
BREATH = 0.1
TRIM_EVERY = 300.0
_PAGE_SIZE = resource.getpagesize()


@dataclass(slots=True)
class Own:
    """What one process says of itself; `written` are the counters of the last report that is in the database."""

    id: uuid.UUID = field(default_factory=uuid.uuid4)
    name: str = field(default_factory=lambda: f"{socket.gethostname()[:80]}:{os.getpid()}")
    started_at: datetime = field(default_factory=timezone.now)
    written: Mapping[str, int] = field(default_factory=dict)

    def write(self, gauges: Mapping[str, int], *, left: bool = False) -> None:
        """Into its row. One that was trimmed while this process slept comes again, with what it held as summed."""
        now, counted = timezone.now(), counters.counted()
        said = {"seen_at": now, "left_at": now if left else None, "counters": counted, "gauges": dict(gauges)}
        rows = ProcessReport.objects.filter(pk=self.id)
        if not rows.update(**said):
            ProcessReport.objects.create(
                pk=self.id, name=self.name, started_at=self.started_at, summed=dict(self.written), **said
            )
        self.written = counted


class Reporter:
    """One event loop's reporter; what it begins it also ends."""

    def __init__(self, own: Own | None = None) -> None:
        self.own = own or Own()
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._cpu = (time.monotonic(), time.process_time())
        self._trim_at = time.monotonic() + TRIM_EVERY

    def start(self) -> None:
        """Begin to report; a second call changes nothing."""
        if self._task is None:
            self._task = self._loop.create_task(self._work(), context=logs.context_of())

    async def aclose(self) -> None:
        """Report for the last time, if there ever was a first."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:
            await database.run(self.own.write, {}, left=True)
        except Exception:
            logger.exception("the last report of this process could not be written")

    async def _work(self) -> None:
        while True:
            try:
                await self.round()
            except Exception:
                logger.exception("a round of monitoring failed")
            await asyncio.sleep(REPORT_EVERY)

    async def round(self) -> None:
        """Report, then sum up what there is; a large backlog piece by piece."""
        await database.run(self.own.write, self._gauges())
        await self._sum_up()
        if time.monotonic() >= self._trim_at:
            self._trim_at = time.monotonic() + TRIM_EVERY
            await database.run(summing.trim, now=timezone.now())

    async def _sum_up(self) -> None:
        more = True
        while more:
            more = await database.run(summing.sum_up, self.own.id, now=timezone.now()) == summing.PIECE
            if more:
                await asyncio.sleep(BREATH)

    def _gauges(self) -> dict[str, int]:
        """How much of everything this process has now; CPU in thousandths of one processor, memory in bytes."""
        engine = turns.engine()
        before, self._cpu = self._cpu, (time.monotonic(), time.process_time())
        passed, worked = (now - then for now, then in zip(self._cpu, before, strict=True))
        calls, streams = connections_taken()
        own = {name: round(value) for name, value in counters.gauged().items()}
        return own | {
            "sockets": engine.hub.count(),
            "running_turns": len(engine.running),
            "connections": calls,
            "streams": streams,
            "cpu": round(1000 * worked / passed) if passed > 0.1 else 0,
            "memory": _resident_bytes(),
        }


def _resident_bytes() -> int:
    """The memory that this process occupies now; where the system does not say so, the most it ever did."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_SIZE
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


_reporters: WeakKeyDictionary[asyncio.AbstractEventLoop, Reporter] = WeakKeyDictionary()


def reporter() -> Reporter:
    """The running loop's reporter."""
    loop = asyncio.get_running_loop()
    found = _reporters.get(loop)
    if found is None:
        found = _reporters[loop] = Reporter()
    return found
