"""Back-pressure of one connection: a gate towards the client, and a queue of what came from it."""

import asyncio
from collections.abc import Callable
from typing import Any

from .limits import ServerLimits


class OutgoingGate:
    """Closes while a client leaves too much unread, and gives the client up when it stops reading.

    It is the transport's push producer, so a write into a low buffer costs nothing here: Twisted calls
    `pauseProducing` on a write that leaves the buffer above `transport.bufferSize` and `resumeProducing`
    once it has emptied. Whatever lies between is noticed by `check`, which the server's sweep calls.
    """

    def __init__(self, transport: Any, *, limits: ServerLimits) -> None:
        self.transport = transport
        self.limits = limits
        self.closed = False
        self._reopened: asyncio.Event | None = None
        self._position: tuple[bytes, int] | None = None
        self._unmoved_since = 0.0

    @property
    def unsent(self) -> int:
        transport = self.transport
        return int(transport._tempDataLen + len(transport.dataBuffer) - transport.offset)

    async def opened(self) -> None:
        while self.closed:
            if self._reopened is None:
                self._reopened = asyncio.Event()
            await self._reopened.wait()

    def open(self) -> None:
        self.closed = False
        if self._reopened is not None:
            self._reopened.set()
            self._reopened = None

    def check(self, now: float) -> bool:
        """Reopens the gate for a client that catches up; true once when a stalled client was cut off."""
        unsent = self.unsent
        if not unsent:
            self._position = None
            return False
        if unsent <= self.limits.buffer_high // 2:
            self.open()
        return self._stalled(now) and self._abort()

    def _stalled(self, now: float) -> bool:
        # The write position moves only when the kernel took bytes: as long as it rests, nothing was read.
        buffer, offset = self.transport.dataBuffer, self.transport.offset
        if self._position is None or self._position[0] is not buffer or self._position[1] != offset:
            self._position, self._unmoved_since = (buffer, offset), now
        return now - self._unmoved_since >= self.limits.stall_seconds

    def _abort(self) -> bool:
        self.transport.abortConnection()
        return True

    # The names below are Twisted's IPushProducer.

    def pauseProducing(self) -> None:  # noqa: N802
        if self.unsent > self.limits.buffer_high:
            self.closed = True

    def resumeProducing(self) -> None:  # noqa: N802
        self.open()

    def stopProducing(self) -> None:  # noqa: N802
        self.open()


class FrameQueue(asyncio.Queue[dict[str, Any]]):
    """The application's inbox, which asks for a pause when frames pile up and ends it when few are left."""

    def __init__(self, *, limits: ServerLimits, resume: Callable[[], None]) -> None:
        super().__init__()
        self.limits = limits
        self.paused = False
        self._resume = resume
        self._bytes = 0

    @property
    def full_enough(self) -> bool:
        return self.qsize() >= self.limits.queued_frames or self._bytes >= self.limits.queued_bytes

    def _put(self, item: dict[str, Any]) -> None:
        super()._put(item)
        self._bytes += _weight(item)

    def _get(self) -> dict[str, Any]:
        item = super()._get()
        self._bytes -= _weight(item)
        if self.paused and self.qsize() <= self.limits.resume_frames and not self.full_enough:
            self.paused = False
            # Not at once: reading on would put frames into the queue in the middle of a get.
            asyncio.get_running_loop().call_soon(self._resume)
        return item


def _weight(message: dict[str, Any]) -> int:
    return len(message.get("text") or message.get("bytes") or b"")
