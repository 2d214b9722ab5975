"""How this process is, looked at every few seconds at most: what `/health` tells.

Machines ask often and from many sides, so that one look serves all who ask within two seconds; whoever finds it older
starts the next. Nobody is told what is more than five seconds old.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from conversations import turns
from cozechat import database, logs
from cozechat.catalog.clients import is_refusing
from cozechat.catalog.environment import known_base_urls

# Seconds: a look is told as it is, or while the next one is under way; older ones are waited for.
FRESH = 2.0
STALE = 3.0
# What has not answered within this does not work.
PATIENCE = 1.5
# SQLite needs room to write its log.
ROOM = 20 * 1024 * 1024

OK, FAILING = "ok", "failing"
# Without these nobody can talk; without the others some things do not work.
_NEEDED = frozenset({"database", "storage"})


@dataclass(frozen=True, slots=True)
class Health:
    """One look: `services` by name, each `ok` or `failing`; `at` by the clock, `taken` by the monotonic one."""

    services: dict[str, str]
    draining: bool
    at: datetime
    taken: float

    @property
    def status(self) -> str:
        """`ok`, `degraded` (some things do not work), `draining` (going away), `unavailable`."""
        failing = {name for name, state in self.services.items() if state == FAILING}
        if failing & _NEEDED:
            return "unavailable"
        if self.draining:
            return "draining"
        return "degraded" if failing else "ok"

    @property
    def is_serving(self) -> bool:
        """Whether new visitors may be sent here."""
        return self.status in {"ok", "degraded"}

    def as_json(self) -> dict[str, Any]:
        """For machines; says nothing of versions, hosts or reasons."""
        services = {name: {"status": state} for name, state in self.services.items()}
        return {"status": self.status, "timestamp": self.at.isoformat(), "services": services}


class Pulse:
    """The last look of one event loop, and the one under way."""

    def __init__(self) -> None:
        self._last: Health | None = None
        self._looking: asyncio.Task[Health] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def health(self) -> Health:
        """How it is now, at most five seconds ago."""
        self._belong_here()
        age = time.monotonic() - self._last.taken if self._last else float("inf")
        if self._last and age < FRESH:
            return self._now(self._last)
        looking = self._look()
        if self._last and age < STALE:
            return self._now(self._last)
        await asyncio.wait((looking,))
        return looking.result()

    def _now(self, last: Health) -> Health:
        """Whether it drains is known without looking."""
        return Health(last.services, _draining(), last.at, last.taken)

    def _look(self) -> asyncio.Task[Health]:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._taken(), context=logs.context_of())
        return self._looking

    async def _taken(self) -> Health:
        at, taken = timezone.now(), time.monotonic()
        names = list(_probes())
        states = await asyncio.gather(*(_state(_probes()[name]) for name in names))
        self._last = Health(dict(zip(names, states, strict=True)), _draining(), at, taken)
        return self._last

    def _belong_here(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._last, self._looking = loop, None, None


pulse = Pulse()


def _draining() -> bool:
    return bool(turns.engine().draining)


def _probes() -> dict[str, Callable[[], Awaitable[bool]]]:
    probes: dict[str, Callable[[], Awaitable[bool]]] = {"database": _database, "coze": _coze}
    if connection.vendor == "sqlite":
        probes["storage"] = _storage
    if settings.REDIS_URL:
        probes["redis"] = _redis
    if settings.KAI_MCP_URL:
        probes["kai"] = _kai
    return probes


async def _state(probe: Callable[[], Awaitable[bool]]) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            return OK if await probe() else FAILING
    except (TimeoutError, OSError, ValueError, DatabaseError):
        return FAILING


# One thread, not the pool's: a pool that is busy is no failure, and a database that hangs blocks this thread alone.
_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="health")


async def _database() -> bool:
    return await database.run_on(_thread, _database_answers)


def _database_answers() -> bool:
    """It answers, and it is not a copy that only reads."""
    question = "SELECT NOT pg_is_in_recovery()" if connection.vendor == "postgresql" else "SELECT 1"
    with connection.cursor() as cursor:
        cursor.execute(question)
        (answer,) = cursor.fetchone()
    return bool(answer)


async def _storage() -> bool:
    return await database.run_on(_thread, _file_has_room)


def _file_has_room() -> bool:
    """SQLite can write: the file's folder is ours, and there is room in it."""
    folder = Path(str(connection.settings_dict["NAME"])).resolve().parent
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > ROOM


async def _redis() -> bool:
    from redis import RedisError  # noqa: PLC0415 - only who uses Redis has it
    from redis.asyncio import Redis  # noqa: PLC0415

    client = Redis.from_url(settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
    try:
        return bool(await client.execute_command("PING"))  # type: ignore[no-untyped-call]
    except RedisError:
        return False
    finally:
        await client.aclose()


async def _coze() -> bool:
    """Every active app's API takes connections, and answered when it was last asked; nothing is sent to it."""
    if is_refusing():
        return False
    for url in sorted(await database.run_on(_thread, known_base_urls)):
        if not await _accepts(url):
            return False
    return True


async def _kai() -> bool:
    """The tool server takes connections; nothing is sent to it. (Our client of it uses no proxy.)"""
    return await _connects(settings.KAI_MCP_URL)


async def _accepts(url: str) -> bool:
    if urlsplit(url).scheme in getproxies():
        return True  # Only the proxy could be reached from here.
    return await _connects(url)


async def _connects(url: str) -> bool:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    _reader, writer = await asyncio.open_connection(parts.hostname, port)
    writer.close()
    return True
