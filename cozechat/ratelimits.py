"""How often something may happen in a minute: counted in Redis for all processes, else in this one alone."""

import asyncio
import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from django.conf import settings
from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit, and in how many seconds it is whole again."""

    granted: bool
    limit: int
    remaining: int
    reset: float


class Counter:
    """The counters that one event loop keeps."""

    def __init__(self) -> None:
        storage: MemoryStorage | RedisStorage = MemoryStorage()
        if settings.REDIS_URL:
            storage = RedisStorage(
                f"async+{settings.REDIS_URL}", wrap_exceptions=True, implementation="redispy"
            )
        self._moving = MovingWindowRateLimiter(storage)
        self._fixed = FixedWindowRateLimiter(storage)
        self._storage = storage

    async def hit(self, name: str, *, limit: int) -> Allowance:
        """Once more; of any sixty seconds none holds more than `limit`."""
        item = RateLimitItemPerMinute(limit, namespace="once")
        granted = await self._moving.hit(item, name)
        window = await self._moving.get_window_stats(item, name)
        return _allowance(window.reset_time, granted=granted, limit=limit, remaining=window.remaining)

    async def hit_in_hour(self, name: str, *, limit: int) -> float:
        """Once more, of `limit` in any hour; returns in how many seconds to try again, 0 when it was granted."""
        item = RateLimitItemPerHour(limit, namespace="hourly")
        if await self._moving.hit(item, name):
            return 0.0
        window = await self._moving.get_window_stats(item, name)
        return max(1.0, window.reset_time - time.time())

    async def take(self, name: str, *, amount: int, limit: int) -> Allowance:
        """So much more in the running minute, unless it would be too much; then nothing is counted."""
        item = RateLimitItemPerMinute(limit, namespace="many")
        granted = amount <= limit and await self._fixed.hit(item, name, cost=amount)
        if not granted and amount <= limit:
            await self._storage.incr(item.key_for(name), item.get_expiry(), -amount)
        window = await self._fixed.get_window_stats(item, name)
        return _allowance(window.reset_time, granted=granted, limit=limit, remaining=window.remaining)

    async def correct(self, name: str, *, by: int, limit: int, taken_at: float) -> None:
        """It was more or less than was taken; nothing to mend once that minute is over."""
        item = RateLimitItemPerMinute(limit, namespace="many")
        if by and time.time() - taken_at < MINUTE and await self._storage.get(item.key_for(name)) + by >= 0:
            await self._storage.incr(item.key_for(name), item.get_expiry(), by)


def _allowance(reset_at: float, *, granted: bool, limit: int, remaining: int) -> Allowance:
    reset = min(max(reset_at - time.time(), 0.0), MINUTE)
    return Allowance(granted=granted, limit=limit, remaining=max(remaining, 0), reset=reset)


_counters: WeakKeyDictionary[asyncio.AbstractEventLoop, Counter] = WeakKeyDictionary()


def counter() -> Counter:
    """The running loop's counters."""
    return _counters.setdefault(asyncio.get_running_loop(), Counter())
