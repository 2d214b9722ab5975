"""Asking again and again until something has ended: how often, how many times, and what a failure costs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from cozechat.coze.errors import CozeError, TimedOut
from cozechat.coze.statuses import Status

# Coze may ask for any pause; a longer one than this is not kept (seconds).
LONGEST_PAUSE = 30.0


class Polled(Protocol):
    """Whatever has a status."""

    @property
    def status(self) -> Status:
        """How far it has come."""
        ...


class Sleep(Protocol):
    """A pause that ends early when `until` is done."""

    def __call__(self, seconds: float, /, *, until: "asyncio.Future[None]") -> Awaitable[object]: ...


T = TypeVar("T", bound=Polled)
Start = Callable[[Coroutine[Any, Any, T]], "asyncio.Task[T]"]


class PollsSpent(TimedOut):
    """It has not ended within the polls that were allowed; it may still go on at Coze."""


async def rest(seconds: float, /, *, until: "asyncio.Future[None]") -> None:
    """The real pause."""
    await asyncio.wait((until,), timeout=seconds)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds from one poll to the next, and how many there are at most; with these it is five minutes."""

    interval: float = 2.0
    attempts: int = 150
    clock: Callable[[], float] = time.monotonic
    sleep: Sleep = rest


USUAL = Pace()


class Polling(Generic[T]):
    """What each poll finds, the last time something that has ended.

    A poll that fails in a way that may pass counts as an attempt, and the next one follows; a refusal ends it all:
    no number of polls makes a token valid. `attempts` is how many there were, `failures` how many of them failed.
    Nothing in flight is cancelled: `aclose` ends the reading at once, and a poll that is under way ends unheard.
    """

    def __init__(
        self, ask: Callable[[], Coroutine[Any, Any, T]], *, start: "Start[T]", pace: Pace = USUAL
    ) -> None:
        self.attempts = 0
        self.failures = 0
        self._ask = ask
        self._start = start
        self._pace = pace
        self._stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._next_at = pace.clock()
        self._ended = False
        self._error: CozeError | None = None

    def __aiter__(self) -> "Polling[T]":
        return self

    async def __anext__(self) -> T:
        while not (self._ended or self._stop.done()):
            if self.attempts >= self._pace.attempts:
                self._ended = True
                raise PollsSpent(f"it has not ended within {self.attempts} polls") from self._error
            await self._pause()
            if (found := await self._poll()) is not None:
                return found
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the reading here; may be called from any task."""
        if not self._stop.done():
            self._stop.set_result(None)

    async def last(self) -> T:
        """What it was when it had ended; raises `PollsSpent`, also after `aclose`."""
        async for found in self:
            if found.status.ended:
                return found
        raise PollsSpent(f"nobody waited for the end any more, after {self.attempts} polls")

    async def _pause(self) -> None:
        wait = self._next_at - self._pace.clock()
        if wait > 0:
            await self._pace.sleep(wait, until=self._stop)

    async def _poll(self) -> T | None:
        """What one attempt finds; None when it failed or nobody waits for it any more."""
        if self._stop.done():
            return None
        self.attempts += 1
        self._next_at = self._pace.clock() + self._pace.interval
        asking = self._start(self._ask())
        asking.add_done_callback(_look_at)
        await asyncio.wait((asking, self._stop), return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            return None
        try:
            found = asking.result()
        except CozeError as error:
            self._note(error)
            return None
        self._ended = found.status.ended
        return found

    def _note(self, error: CozeError) -> None:
        if not error.retryable:
            self._ended = True
            raise error
        self.failures += 1
        self._error = error
        if error.retry_after is not None:
            wait = min(error.retry_after, LONGEST_PAUSE)
            self._next_at = max(self._next_at, self._pace.clock() + wait)


def _look_at(asking: "asyncio.Task[Any]") -> None:
    """Somebody has to look at the outcome, for whoever waited may be gone."""
    if not asking.cancelled():
        asking.exception()
