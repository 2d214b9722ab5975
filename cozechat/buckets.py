"""Buckets of tokens: so many acts at once, then as many as are refilled; counted in Redis for all processes, else here.

A bucket is kept as one moment (GCRA): when it will be full again. Each token moves that moment on by the time that one
token takes to come back, and there is none left where it would lie further ahead than a whole bucket takes. So any
stretch of t seconds sees at most `size` + t × `per_minute` ⁄ 60 acts, and a step of a clock costs at most one refill.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings

logger = logging.getLogger(__name__)

# How long it is remembered that an act was counted (seconds).
REMEMBERED = 600.0
# How long a Redis that did not answer is not asked again.
REST = 5.0
_MANY = 10_000
_TINY = 1e-6

# Redis's own clock counts, so that those of the web machines need not agree.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, full = tonumber(ARGV[1]), tonumber(ARGV[1]) * tonumber(ARGV[2])
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local full_at = math.min(math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now), now + full)
local wait = math.max(full_at + interval - full - now, 0)
if wait == 0 then full_at = full_at + interval end
redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
if wait > 0 then return wait end
if KEYS[2] then redis.call('SET', KEYS[2], 1, 'PX', ARGV[3]) end
return 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """So many tokens, refilled at so many a minute."""

    size: int
    per_minute: int

    @property
    def interval(self) -> float:
        """Seconds until a token is back."""
        return 60 / self.per_minute


class Memory:
    """The buckets of this process. The clock is one that nobody sets."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._full_at: dict[str, float] = {}
        self._counted_until: dict[str, float] = {}

    def take(self, name: str, *, bucket: Bucket, once: str = "") -> float:
        """As `take` below."""
        with self._lock:
            now, full = self._clock(), bucket.size * bucket.interval
            if once and self._counted_until.get(once, now) > now:
                return 0.0
            full_at = min(max(self._full_at.get(name, now), now), now + full)
            wait = full_at + bucket.interval - full - now
            # Kept also where nothing is taken: after a clock was set back the moment lay too far ahead.
            self._full_at[name] = full_at if wait > _TINY else full_at + bucket.interval
            if wait > _TINY:
                return wait
            if once:
                self._counted_until[once] = now + REMEMBERED
            self._full_at = _current(self._full_at, now=now)
            self._counted_until = _current(self._counted_until, now=now)
            return 0.0


def _current(moments: dict[str, float], *, now: float) -> dict[str, float]:
    """Without what is over; looked through only when there is much of it."""
    if len(moments) < _MANY or len(moments) % 1_000:
        return moments
    return {name: moment for name, moment in moments.items() if moment > now}


class Shared:
    """The buckets of all processes, in Redis. While it is away each process counts by itself."""

    def __init__(self, url: str, *, meanwhile: Memory) -> None:
        import redis  # noqa: PLC0415 - it is installed only where one is used

        once_more: Any = redis.retry.Retry(redis.backoff.NoBackoff(), 1)
        client = redis.Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=once_more)
        self._take = client.register_script(_TAKE)
        self._errors = (redis.RedisError, OSError)
        self._meanwhile = meanwhile
        self._rests_until = 0.0

    def take(self, name: str, *, bucket: Bucket, once: str = "") -> float:
        """As `take` below."""
        if time.monotonic() >= self._rests_until:
            try:
                return self._ask(name, bucket=bucket, once=once)
            except self._errors as error:
                self._rests_until = time.monotonic() + REST
                logger.warning("limits are counted by this process alone: %s", type(error).__name__)
        return self._meanwhile.take(name, bucket=bucket, once=once)

    def _ask(self, name: str, *, bucket: Bucket, once: str) -> float:
        keys = [f"cozechat:bucket:{each}" for each in (name, once) if each]
        interval = math.ceil(bucket.interval * 1e6)
        return int(self._take(keys=keys, args=[interval, bucket.size, int(REMEMBERED * 1000)])) / 1e6


_memory = Memory()


@cache
def _shared(url: str) -> Shared:
    return Shared(url, meanwhile=_memory)


def take(name: str, *, bucket: Bucket, once: str = "") -> float:
    """Take a token out of somebody's bucket: 0.0 if there was one, else after how many seconds there will be.

    `once` names the act: the same one again within ten minutes is let through and not counted. To be called on a
    thread, for Redis may have to be waited for: half a second, or a whole one before it is given up.
    """
    place = _shared(settings.REDIS_URL) if settings.REDIS_URL else _memory
    return place.take(name, bucket=bucket, once=once)


def whole_seconds(wait: float) -> int:
    """A wait as `Retry-After` says it."""
    return max(1, math.ceil(wait - _TINY))
