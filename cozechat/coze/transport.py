"""HTTP to Coze: the only module that knows httpx.

httpx loses a slot of its pool when a task is cancelled inside it (encode/httpcore#1093). So all its work is
done in tasks of our own that nobody cancels: a caller who is cancelled walks away, the task ends by httpx's
own timeouts, and the response is closed in order.
"""

import asyncio
import functools
import ssl
import time
from collections.abc import Callable, Coroutine
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar, cast

import httpcore
import httpx

from cozechat.coze import errors
from cozechat.coze.breaker import Breaker
from cozechat.coze.calls import Limits, Reply, Request
from cozechat.coze.connections import PACE, Backend
from cozechat.coze.errors import CozeError
from cozechat.coze.incoming import Incoming
from cozechat.coze.slots import Slots
from cozechat.coze.tracing import Trace

T = TypeVar("T")
CLOSING_TURN = 0.1
# Seconds between two attempts to connect; with two time-outs of connecting it is less than six.
SECOND_ATTEMPT_AFTER = 0.5
FAILURES = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, UnicodeError)
MALFORMED = (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL, UnicodeError)


@functools.cache
def _ssl_context(*, secure: bool) -> ssl.SSLContext:
    """The CA bundle, read once: it takes 18 ms. Plain HTTP gets a context that trusts nobody and costs nothing."""
    return httpx.create_ssl_context(trust_env=False) if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _error_from(error: Exception, *, answering: bool) -> CozeError:
    """Our error for one of httpx; its own text stays out where it could quote a header."""
    if isinstance(error, httpx.ConnectTimeout):
        return errors.ConnectTimedOut("could not connect to Coze in time")
    if isinstance(error, httpx.TimeoutException):
        return errors.TimedOut("Coze was silent for too long")
    if isinstance(error, (httpx.ConnectError, httpx.ProxyError)):
        kind = errors.Untrusted if _is_untrusted(error) else errors.Unreachable
        return kind(f"could not connect to Coze: {error}")
    if isinstance(error, MALFORMED):
        return errors.BadRequest(f"the request could not be formed: {type(error).__name__}")
    if answering:
        return errors.Truncated(f"the connection broke within the answer: {type(error).__name__}")
    return errors.ConnectionLost(f"the connection broke before the answer: {type(error).__name__}")


def _is_untrusted(error: BaseException | None) -> bool:
    """Whether a certificate was refused; httpx says so only in what caused its error."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


class _Pool(httpx.AsyncHTTPTransport):
    """httpx's transport, over httpcore's pool with a network backend of our choice."""

    def __init__(
        self,
        *,
        secure: bool,
        idle: int,
        keepalive: float,
        backend: httpcore.AsyncNetworkBackend,
    ) -> None:
        # Not httpx's own constructor: it knows no network backend. How many connections there may be is for `Slots`.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_ssl_context(secure=secure),
            max_connections=None,
            max_keepalive_connections=idle,
            keepalive_expiry=keepalive,
            network_backend=backend,
        )


def _timeout(limits: Limits, *, read: float | None) -> httpx.Timeout:
    return httpx.Timeout(
        connect=limits.connect_timeout,
        write=limits.write_timeout,
        read=limits.read_timeout if read is None else read,
        pool=limits.pool_timeout,
    )


class Transport:
    """Two pools to one host, of one event loop: calls, and streams that cannot starve them."""

    def __init__(self, base_url: str, *, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.clock = clock
        self._base_url = base_url.rstrip("/")
        self._owned: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._breaker = Breaker()
        self._pools: list[httpx.AsyncHTTPTransport] = []
        self._calls = self._client(idle=limits.max_idle)
        self._call_slots = Slots(limits.max_connections, patience=limits.pool_timeout)
        # A chat must not be sent twice, so it never goes out on a kept connection that may just be closing.
        self._streams = self._client(idle=0, pace=PACE)
        self._stream_slots = Slots(limits.max_streams, patience=limits.pool_timeout)

    async def call(self, request: Request) -> Reply:
        """The whole answer to `request`; tried once more if no connection could be made."""
        try:
            return await self.own(self._call(request))
        except errors.Unreachable as error:
            if not error.try_again:
                raise
        try:
            await asyncio.sleep(SECOND_ATTEMPT_AFTER)
            return await self.own(self._call(request))
        except errors.Unreachable as error:
            error.try_again = False
            raise

    async def stream(self, request: Request) -> Incoming:
        """The beginning of the answer to `request`, sent at most once; the caller closes it."""
        opening = self.start(self._open(request, client=self._streams, slots=self._stream_slots))
        try:
            await asyncio.wait((opening,))
            return opening.result()
        except asyncio.CancelledError:
            opening.add_done_callback(self._close_unwanted)
            raise

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of ours that does `work`; `aclose` sees it end."""
        task = asyncio.get_running_loop().create_task(work)
        self._owned.add(task)
        task.add_done_callback(self._ended)
        return task

    async def own(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` to its end, even if the caller is cancelled meanwhile.

        Not `asyncio.shield`: its own future would report an error that a caller who has left never looked at.
        """
        task = self.start(work)
        await asyncio.wait((task,))
        return task.result()

    @property
    def is_refusing(self) -> bool:
        """Whether the circuit is open."""
        return self._breaker.is_resting(time.monotonic())

    @property
    def taken(self) -> tuple[int, int]:
        """How many connections calls have now, and how many streams."""
        return self._call_slots.taken, self._stream_slots.taken

    @property
    def waiting(self) -> tuple[int, int]:
        """How many calls wait for a connection, and how many streams."""
        return self._call_slots.waiting, self._stream_slots.waiting

    def failure_within(self, error: Exception) -> CozeError:
        """Our error for one of httpx's within an answer; raises what is none of httpx's."""
        if not isinstance(error, FAILURES):
            raise error
        return _error_from(error, answering=True)

    async def aclose(self) -> None:
        """Close every connection and see the last tasks end.

        Again and again, for what still waited for a connection gets one when another is closed.
        """
        self._closing = True
        while True:
            for pool in self._pools:
                await pool.aclose()
            if not self._owned:
                break
            await asyncio.wait(self._owned, timeout=CLOSING_TURN)
        await self._calls.aclose()
        await self._streams.aclose()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._owned.discard(task)
        if not task.cancelled():
            task.exception()  # Looked at, for whoever waited may be gone.

    def _close_unwanted(self, opening: asyncio.Task[Incoming]) -> None:
        if not opening.cancelled() and opening.exception() is None:
            self.start(opening.result().aclose())

    async def _call(self, request: Request) -> Reply:
        incoming = await self._open(request, client=self._calls, slots=self._call_slots)
        try:
            limit = self.limits.max_json_body if incoming.status < 400 else self.limits.max_error_body
            return await incoming.read_all(limit=limit)
        finally:
            await incoming.aclose()

    async def _open(self, request: Request, *, client: httpx.AsyncClient, slots: Slots) -> Incoming:
        self._breaker.admit(time.monotonic())
        try:
            await slots.take()
        except BaseException:
            self._breaker.undecided()
            raise
        trace = Trace(request)
        try:
            response = await self._send(request, client=client)
        except BaseException as error:
            slots.give()
            if isinstance(error, CozeError):
                trace.failed(error)
            raise
        trace.answered()

        def closed() -> None:
            slots.give()
            trace.ended(status=incoming.status, log_id=incoming.log_id, received=incoming.size)

        # Not `aiter_raw`: it does no more for us, at a tenth of what reading costs.
        stream = cast("httpx.AsyncByteStream", response.stream)
        incoming = Incoming(response, stream=stream, transport=self, closed=closed)
        if incoming.status < 400 and incoming.encoding not in ("", "identity"):
            await incoming.aclose()
            raise errors.BadResponse(f"a body in {incoming.encoding!r}, unasked", log_id=incoming.log_id)
        return incoming

    async def _send(self, request: Request, *, client: httpx.AsyncClient) -> httpx.Response:
        try:
            response = await client.send(self._build(request, client=client), stream=True)
        except FAILURES as failure:
            error = _error_from(failure, answering=False)
            self._note(error)
            raise error from None
        except BaseException:
            self._breaker.undecided()
            raise
        self._note(None if response.status_code < 500 else errors.UpstreamFailed(""))
        if self._closing:
            # The pool has forgotten a connection that was being made when it closed.
            await response.aclose()
            raise errors.ConnectionLost("this client is being closed")
        return response

    def _note(self, error: CozeError | None) -> None:
        """Tell the breaker what a call says about Coze; our own shortcomings say nothing."""
        if error is None:
            self._breaker.succeeded()
        elif isinstance(error, (errors.BadRequest, errors.NoFreeConnection)):
            self._breaker.undecided()
        else:
            self._breaker.failed(time.monotonic())

    def _build(self, request: Request, *, client: httpx.AsyncClient) -> httpx.Request:
        return client.build_request(
            request.method,
            self._base_url + request.path,
            params=dict(request.params) or None,
            headers=request.headers,
            content=request.content,
            timeout=_timeout(self.limits, read=request.read_timeout),
        )

    def _client(self, *, idle: int, pace: float = 0.0) -> httpx.AsyncClient:
        limits = self.limits
        pool = _Pool(
            secure=self._base_url.lower().startswith("https:"),
            idle=idle,
            keepalive=limits.keepalive,
            backend=Backend(pace=pace),
        )
        self._pools.append(pool)
        return httpx.AsyncClient(
            transport=pool,
            trust_env=False,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "cozechat"},
            # One user's cookie must never travel with another user's call.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
