"""Writing a run to its reader as server-sent events: each frame when it is due, several in one write when we are late."""

import asyncio
from collections.abc import Iterator
from typing import Protocol

from cozechat.emulator.calls import Call
from cozechat.emulator.runs import Moment, Part
from cozechat.emulator.wire import Header, Send

TICK = 0.01
"""Shortest pause: below it frames travel together."""
MOST_BYTES = 64 * 1024
HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"connection", b"close"),
)


class Ended(Protocol):
    """Whatever is streamed and can be ended early."""

    def fail(self) -> None: ...


class EventStream:
    """The answer to a streamed chat or workflow run."""

    def __init__(self, call: Call, *, run: Ended, moments: Iterator[Moment], one_byte: bool) -> None:
        self._call = call
        self._run = run
        self._moments = moments
        self._one_byte = one_byte
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._gone = False
        self._broken = False
        self._sleeper: asyncio.Future[None] | None = None

    async def write(self, send: Send, *, log_id: str) -> None:
        headers = [*HEADERS, (b"x-tt-logid", log_id.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        watcher = asyncio.create_task(self._watch())
        try:
            unbroken = await self._write_moments(send)
        finally:
            watcher.cancel()
        if unbroken and not self._gone:
            await send({"type": "http.response.body", "body": b""})

    async def _write_moments(self, send: Send) -> bool:
        """False when the connection was broken on purpose."""
        moment = next(self._moments, None)
        while moment is not None and not self._gone:
            wait = moment.due - self._elapsed()
            if wait > 0:
                await self._pause(max(wait, TICK))
                continue
            if moment.part is Part.RESET:
                self._broken = True
                self._call.world.connections.reset(self._call.request.peer)
                await asyncio.sleep(TICK)
                return False
            batch, moment = self._due_now(moment)
            await self._write(send, batch)
        return True

    def _due_now(self, moment: Moment) -> tuple[bytes, Moment | None]:
        """Everything that is due, and the first moment that is not."""
        now, size, frames = self._elapsed(), 0, []
        following: Moment | None = moment
        while following is not None and following.due <= now and size < MOST_BYTES:
            if following.part is Part.RESET:
                break
            frames.append(following.data)
            size += len(following.data)
            following = next(self._moments, None)
        return b"".join(frames), following

    async def _write(self, send: Send, batch: bytes) -> None:
        if not self._one_byte:
            await send({"type": "http.response.body", "body": batch, "more_body": True})
        for place in range(len(batch) if self._one_byte else 0):
            await send({"type": "http.response.body", "body": batch[place : place + 1], "more_body": True})
            if self._gone:
                return
            await asyncio.sleep(0)
        if len(batch) >= MOST_BYTES:
            await asyncio.sleep(0)

    def _elapsed(self) -> float:
        return self._loop.time() - self._began

    async def _pause(self, seconds: float) -> None:
        """A sleep that ends early when the reader goes away."""
        self._sleeper = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._wake)
        try:
            await self._sleeper
        finally:
            timer.cancel()

    def _wake(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def _watch(self) -> None:
        """Notices a reader that goes away; the run then finishes behind it, or stops."""
        await self._call.receive()
        if self._broken:
            return
        self._gone = True
        self._call.world.ledger.abandoned += 1
        if self._call.world.options.on_disconnect == "stop":
            self._run.fail()
        self._wake()
