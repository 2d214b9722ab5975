"""Answers that cost something, kept for a moment: of many who ask at once, one lets them be made."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


@dataclass
class _Last(Generic[T]):
    """One event loop's last answer, and the lock under which one makes the next."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    made_at: float = float("-inf")
    answer: T | None = None


class Kept(Generic[T]):
    """What `make` makes, and the same again for `seconds`."""

    def __init__(self, make: Callable[[], Awaitable[T]], *, seconds: float) -> None:
        self._make, self._seconds = make, seconds
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Last[T]] = WeakKeyDictionary()

    async def get(self) -> T:
        """At most so many seconds old."""
        last = self._loops.setdefault(asyncio.get_running_loop(), _Last())
        async with last.lock:
            if last.answer is None or time.monotonic() - last.made_at > self._seconds:
                last.answer = await self._make()
                last.made_at = time.monotonic()
            return last.answer
