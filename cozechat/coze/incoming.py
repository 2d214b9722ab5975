"""One answer of Coze's as it arrives: read ahead a little, in order, within limits, and closed in order."""

import asyncio
from collections.abc import AsyncIterable, Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from cozechat.coze import errors
from cozechat.coze.calls import KIB, Limits, Reply
from cozechat.coze.codes import parse_retry_after
from cozechat.coze.errors import CozeError

T = TypeVar("T")
LOG_ID_LIMIT = 100
READ_AHEAD = 256 * KIB


class Response(Protocol):
    """An answer whose headers have come."""

    @property
    def status_code(self) -> int:
        """HTTP's."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By name, in any case."""

    async def aclose(self) -> None:
        """Close the connection, or give it back."""


class Owner(Protocol):
    """Whoever made the connection: it owns the tasks and knows the network's errors."""

    limits: Limits
    clock: Callable[[], float]

    def start(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """A task that is seen to its end."""

    async def own(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` to its end, even if the caller is cancelled meanwhile."""

    def failure_within(self, error: Exception) -> CozeError:
        """Our error for one of the network's within an answer; raises what is none of the network's."""


class Incoming:
    """An answer whose headers have come; a task of its own reads ahead, a little, what follows."""

    def __init__(
        self,
        response: Response,
        *,
        stream: AsyncIterable[bytes],
        transport: Owner,
        closed: Callable[[], None],
    ) -> None:
        self._response = response
        self._stream = stream
        self._transport = transport
        self._tell_closed = closed
        self._ready: list[bytes] = []
        self._ready_size = 0
        self.size = 0
        self._failure: CozeError | None = None
        self._closed = False
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        # One pass: httpx decodes all headers anew for each that is looked up.
        headers = {name.lower(): value for name, value in response.headers.items()}
        self.status = response.status_code
        self.content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        self.encoding = headers.get("content-encoding", "").strip().lower()
        self.log_id = headers.get("x-tt-logid", "")[:LOG_ID_LIMIT]
        self.retry_after = parse_retry_after(headers.get("retry-after"), now=transport.clock())
        self._reading = transport.start(self._read_ahead())

    async def read(self) -> bytes:
        """What has arrived since, at least a byte, or nothing at the end; raises once all before is read."""
        while not self._ready and not self._reading.done():
            self._arrived.clear()
            await self._arrived.wait()
        if not self._ready and self._failure:
            raise self._failure
        data = b"".join(self._ready)
        self._ready.clear()
        self._ready_size = 0
        self._room.set()
        return data

    async def read_all(self, *, limit: int) -> Reply:
        """The whole body, or `TooLarge`; the status of a refusal says enough without a body that long."""
        body = bytearray()
        while chunk := await self.read():
            body += chunk
            if len(body) > limit:
                if self.status >= 400:
                    return self._reply(b"")
                raise errors.TooLarge(f"the answer is longer than {limit} bytes", log_id=self.log_id)
        return self._reply(bytes(body))

    async def aclose(self) -> None:
        """Close the connection; a reader that waits in another task then fails instead."""
        await self._transport.own(self._close())

    def _reply(self, body: bytes) -> Reply:
        return Reply(status=self.status, log_id=self.log_id, retry_after=self.retry_after, body=body)

    async def _close(self) -> None:
        first, self._closed = not self._closed, True
        self._room.set()
        try:
            await self._response.aclose()
            await self._reading
        finally:
            if first:
                self._tell_closed()

    async def _read_ahead(self) -> None:
        try:
            async for chunk in self._stream:
                await self._take(chunk)
        except CozeError as error:
            self._failure = error
        except Exception as error:
            self._failure = self._transport.failure_within(error)
        finally:
            self._arrived.set()

    async def _take(self, chunk: bytes) -> None:
        self._ready.append(chunk)
        self._ready_size += len(chunk)
        self.size += len(chunk)
        self._arrived.set()
        if self.size > self._transport.limits.max_stream:
            raise errors.TooLarge(f"the answer is longer than {self._transport.limits.max_stream} bytes")
        while self._ready_size > READ_AHEAD and not self._closed:
            self._room.clear()
            await self._room.wait()
