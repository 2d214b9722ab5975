"""Connections that cost little: those of streams are read at a pace, all of them know their socket.

An answer arrives as many small pieces, and each read costs about the same however much it brings. So what comes
within some 40 ms is taken at once. Nothing is lost or held back for longer: what waits, waits in the socket, and
the sender feels it as back-pressure.
"""

import asyncio
import select
import socket
from typing import Any

import httpcore

# Seconds between two reads of one connection while little comes.
PACE = 0.04
# Resting connections wake together, so many times within one pace: a turn of the event loop costs too.
BEATS = 8
# A read that brought this much is followed by the next at once (bytes).
PLENTY = 8 * 1024


class Connection(httpcore.AsyncNetworkStream):
    """A connection of httpcore's, with a rest of `pace` seconds between two reads that bring little."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, *, pace: float) -> None:
        self._stream = stream
        self._pace = pace
        self._rested_at = 0.0
        self._resting: asyncio.Future[None] | None = None
        self._socket: socket.socket | None = stream.get_extra_info("socket")

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        """What has come, after the rest that the last read earned."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._rested_at:
            await self._rest(loop)
        data = await self._stream.read(max_bytes, timeout)
        if self._pace and len(data) < PLENTY:
            beat = self._pace / BEATS
            self._rested_at = (loop.time() + self._pace) // beat * beat
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        """Send at once."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close; a read that rests ends at once."""
        self._rested_at = 0.0
        _wake(self._resting)
        await self._stream.aclose()

    async def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """The same connection under TLS, at the same pace."""
        return Connection(await self._stream.start_tls(*args, **kwargs), pace=self._pace)

    def get_extra_info(self, info: str) -> Any:
        """What the connection beneath says.

        The pool wants to know of every idle connection, for every call, whether it is readable (it has been closed
        then); httpcore's own answer asks the kernel for the addresses of both ends first.
        """
        if info == "is_readable":
            return _is_readable(self._socket)
        return self._stream.get_extra_info(info)

    async def _rest(self, loop: asyncio.AbstractEventLoop) -> None:
        self._resting = loop.create_future()
        loop.call_at(self._rested_at, _wake, self._resting)
        await self._resting


def _wake(resting: asyncio.Future[None] | None) -> None:
    if resting is not None and not resting.done():
        resting.set_result(None)


def _is_readable(connected: socket.socket | None) -> bool:
    """Whether a read would return at once; so it would on a socket that is gone."""
    if connected is None or connected.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(connected.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class Backend(httpcore.AsyncNetworkBackend):
    """Makes httpcore's connections, all at one pace."""

    def __init__(self, *, pace: float = 0.0) -> None:
        self._backend = httpcore.AnyIOBackend()
        self._pace = pace

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """A connection over TCP."""
        return Connection(await self._backend.connect_tcp(*args, **kwargs), pace=self._pace)

    async def sleep(self, seconds: float) -> None:
        """Wait, between two tries to connect."""
        await self._backend.sleep(seconds)
