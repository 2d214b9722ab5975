"""The way to one MCP server: shared connections, and for each use a short session in a task of its own.

The SDK's client has to be left in the task that entered it, and what breaks one connection fails everything in its
session. So each use opens, uses and closes a session in one task; over pooled connections that takes about 10 ms, and
no other use hears of it (measured: docs/kai.md). Import this from a thread: the SDK takes most of a second to load.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from cozechat.kai.errors import BadAnswer, KaiError, TooLarge, ToolTimeout, Unauthorized, Unreachable

CONNECT_SECONDS = 5.0
CONNECTIONS = 32
# What is read of one answer: more than ever goes to Coze, for JSON in JSON is longer (bytes).
ANSWER_LIMIT = 1024 * 1024
_REQUEST_TIMEOUT = -32001

R = TypeVar("R")


class Line:
    """Connections to one server, in one event loop."""

    def __init__(self, url: str, *, key: str) -> None:
        self._url, self._key = url, key
        limits = httpx2.Limits(max_connections=CONNECTIONS, keepalive_expiry=30.0)
        self._transport = httpx2.AsyncHTTPTransport(limits=limits)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def use(self, act: Callable[[Client], Awaitable[R]], *, seconds: float) -> R:
        """Do something in a session of its own; after so many `seconds` nobody waits for it any more.

        Raises KaiError, nothing else.
        """
        guard = _Guard(self._transport)
        task = asyncio.create_task(self._session(act, guard, seconds=seconds))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        try:
            done, _pending = await asyncio.wait({task}, timeout=seconds)
        finally:
            task.cancel()
        if not done:
            raise ToolTimeout(f"No outcome within {seconds:g} s.")
        try:
            return task.result()
        except (Exception, asyncio.CancelledError) as error:
            raise guard.trouble or self._translated(error) from None

    async def aclose(self) -> None:
        """End what still runs, and close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._transport.aclose()

    async def _session(self, act: Callable[[Client], Awaitable[R]], guard: "_Guard", *, seconds: float) -> R:
        async with (
            httpx2.AsyncClient(
                transport=guard,
                headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
                timeout=httpx2.Timeout(CONNECT_SECONDS, read=seconds + 1),
                trust_env=False,
            ) as http,
            Client(streamable_http_client(self._url, http_client=http)) as client,
        ):
            return await act(client)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that nobody reports it

    def _translated(self, error: BaseException) -> KaiError:
        causes = list(_leaves(error))
        for kind, translate in _MEANINGS:
            for cause in causes:
                if isinstance(cause, kind):
                    return translate(cause)
        return BadAnswer("The tool server answered something that is not MCP.")


def _refused(error: Any) -> KaiError:
    if error.code == _REQUEST_TIMEOUT:
        return ToolTimeout("The tool server gave up waiting for the tool.")
    return BadAnswer(f"The tool server refused the request (code {error.code}).")


_MEANINGS: tuple[tuple[type[BaseException], Callable[[Any], KaiError]], ...] = (
    (KaiError, lambda error: error),
    (
        httpx2.ConnectTimeout,
        lambda _error: Unreachable("The tool server did not accept a connection in time."),
    ),
    (httpx2.TimeoutException, lambda _error: ToolTimeout("The tool server was silent for too long.")),
    (httpx2.DecodingError, lambda _error: BadAnswer("The tool server's answer cannot be decoded.")),
    (httpx2.RemoteProtocolError, lambda _error: Unreachable("The tool server broke off in the middle.")),
    (httpx2.TransportError, lambda _error: Unreachable("The tool server cannot be reached.")),
    (MCPError, _refused),
)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The causes in a group; the SDK wraps even a refused connection in one."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


class _Guard(httpx2.AsyncBaseTransport):
    """Looks at every answer of one session: refused keys, and more than we take.

    The SDK turns some of what is raised here into words of its own, so the first trouble is also kept.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self.trouble: KaiError | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        if response.status_code in (401, 403):
            self.trouble = Unauthorized(
                f"The tool server does not take our key (HTTP {response.status_code})."
            )
            await response.aclose()
            raise self.trouble
        stream: Any = response.stream
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Counted(stream, self),
            extensions=response.extensions,
        )


class _Counted(httpx2.AsyncByteStream):
    """An answer that may not be longer than it may be."""

    def __init__(self, stream: Any, guard: _Guard) -> None:
        self._stream, self._guard = stream, guard

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._stream:
            size += len(piece)
            if size > ANSWER_LIMIT:
                self._guard.trouble = TooLarge(
                    f"The tool server's answer is longer than {ANSWER_LIMIT} bytes."
                )
                raise self._guard.trouble
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
