"""The server itself: daphne's, with its own bookkeeping of connections, its own sweep and an orderly end."""

# isort: off
import daphne.server  # first: it installs the asyncio reactor that the imports below would else choose

# isort: on
import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from time import monotonic
from typing import Any, Final

from twisted.internet import reactor as installed_reactor
from twisted.internet.error import CannotListenError

from .gate import FrameQueue, OutgoingGate
from .limits import ListenError, ServerLimits, affordable_sockets
from .requests import Request, RequestFactory, Wording
from .shutdown import leave_at_once, wind_down
from .sockets import Socket, SocketFactory

Application = Callable[..., Coroutine[Any, Any, None]]
Drain = Callable[[], Awaitable[None]]
Message = dict[str, Any]

logger = logging.getLogger("cozechat.server")
reactor: Any = installed_reactor

_BACKLOG: Final = 1024
_SPARE: Final = 256
_NAME: Final = "cozechat"
_BULK: Final = frozenset({"websocket.send", "http.response.body"})


class Server(daphne.server.Server):  # type: ignore[misc]
    """One process's server: runs once, until a signal ends it."""

    def __init__(
        self, application: Application, *, limits: ServerLimits, drain: Drain | None, wording: Wording
    ) -> None:
        super().__init__(
            application,
            endpoints=["none: see listen()"],
            signal_handlers=False,
            websocket_timeout=-1,
            server_name=_NAME,
        )
        self.limits = limits
        self.drain = drain
        self.wording = wording
        self.draining = False
        self.max_sockets = affordable_sockets(limits.max_sockets)
        self.loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop
        self.connections: dict[Socket | Request, dict[str, Any]] = {}
        self.sockets: set[Socket] = set()
        self.gates: dict[Any, OutgoingGate] = {}
        self.port: Any = None
        self.ending: asyncio.Task[None] | None = None
        self._make_factories()

    def _make_factories(self) -> None:
        self.http_factory = RequestFactory(self)
        self.http_factory.timeOut = self.limits.head_seconds
        self.ws_factory = SocketFactory(self, server=_NAME)
        self.ws_factory.setProtocolOptions(
            openHandshakeTimeout=0,  # Socket.check_timeouts knows better
            autoPingTimeout=0,
            allowNullOrigin=True,  # the application judges origins
            # autobahn's timers round down to the second: 1, the default, may mean at once.
            closeHandshakeTimeout=3,
            failByDrop=False,  # a close frame tells the client what it did wrong
            maxMessagePayloadSize=self.limits.max_frame_in,
            maxFramePayloadSize=self.limits.max_frame_in,
        )

    # Life

    def listen(self, host: str, *, port: int) -> str:
        """Opens the port; returns the URL under which a browser on this machine finds it."""
        try:
            self.port = reactor.listenTCP(port, self.http_factory, interface=host, backlog=_BACKLOG)
        except CannotListenError as error:
            raise ListenError(f"{host}:{port}", reason=str(error.socketError)) from error
        name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port.getHost().port}"

    def run(self, *, on_ready: Callable[[], None]) -> None:
        failures: list[BaseException] = []
        asyncio.set_event_loop(self.loop)
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self.end, number)
        reactor.callWhenRunning(self._begin, on_ready, failures)
        try:
            reactor.run(installSignalHandlers=False)
        finally:
            self.loop.close()
            asyncio.set_event_loop(None)
        if failures:
            raise failures[0]

    def _begin(self, on_ready: Callable[[], None], failures: list[BaseException]) -> None:
        self.sweep()
        try:
            on_ready()
        except Exception as error:
            failures.append(error)
            self.end(signal.SIGTERM)

    def end(self, number: int) -> None:
        """Begins the orderly end; a second call is somebody's impatience and ends the process at once."""
        if self.ending is not None:
            leave_at_once(number)
        self.draining = True
        self.ending = self.loop.create_task(wind_down(self))

    # Connections

    def watch(self, transport: Any) -> OutgoingGate:
        transport.bufferSize = min(transport.bufferSize, self.limits.buffer_high)
        gate = self.gates[transport] = OutgoingGate(transport, limits=self.limits)
        return gate

    def forget(self, transport: Any) -> None:
        gate = self.gates.pop(transport, None)
        if gate is not None:
            gate.open()

    @property
    def crowded(self) -> bool:
        return len(self.sockets) >= self.max_sockets

    @property
    def overrun(self) -> bool:
        """Whether plain HTTP, too, takes more connections than there are descriptors for."""
        return len(self.gates) >= self.max_sockets + min(_SPARE, max(16, self.max_sockets // 2))

    def protocol_connected(self, protocol: Socket | Request) -> None:
        self.connections[protocol] = {}
        if isinstance(protocol, Socket):
            self.sockets.add(protocol)

    def protocol_disconnected(self, protocol: Socket | Request) -> None:
        self.sockets.discard(protocol)
        details = self.connections.get(protocol)
        if details is not None:
            details.setdefault("disconnected", monotonic())
            if "task" not in details:
                del self.connections[protocol]

    # Applications

    def create_application(self, protocol: Socket | Request, scope: Message) -> asyncio.Queue[Message] | None:
        details = self.connections.get(protocol)
        if details is None:
            return None
        queue: asyncio.Queue[Message]
        if isinstance(protocol, Socket):
            queue = FrameQueue(limits=self.limits, resume=protocol.resume_reading)
        else:
            queue = asyncio.Queue()
        scope.setdefault("asgi", {"version": "3.0"})
        send = partial(self.handle_reply, protocol)
        task = self.loop.create_task(self.application(scope=scope, receive=queue.get, send=send))
        details["task"] = task
        task.add_done_callback(partial(self._application_done, protocol))
        return queue

    def _application_done(self, protocol: Socket | Request, task: asyncio.Task[None]) -> None:
        details = self.connections.get(protocol, {})
        details.pop("task", None)
        gone = "disconnected" in details
        if gone:
            del self.connections[protocol]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("exception inside the application: %r", error, exc_info=error)
        if gone:
            return
        if error is not None:
            protocol.application_failed()
        else:
            protocol.application_ended()

    async def handle_reply(self, protocol: Socket | Request, message: Message) -> None:
        """Takes one message from the application; waits as long as the client is too far behind."""
        details = self.connections.get(protocol)
        if details is None or "disconnected" in details:
            return
        kind = message["type"]
        if protocol.gate.closed and kind in _BULK:
            await protocol.gate.opened()
            if "disconnected" in details:
                return
        if kind == "http.response.start":
            self.check_headers_type(message)
        protocol.handle_reply(message)

    # The clock

    def sweep(self) -> None:
        """Looks after every connection, a few times within the shortest of the limits."""
        shortest = min(self.limits.stall_seconds, self.limits.ping_seconds, self.limits.connect_seconds)
        self.loop.call_later(min(2.0, shortest / 4), self.sweep)
        now = monotonic()
        for gate in list(self.gates.values()):
            if gate.check(now):
                logger.info("gave up a client that had stopped reading")
        for protocol, details in list(self.connections.items()):
            protocol.check_timeouts()
            if now - details.get("disconnected", now) > self.application_close_timeout and "task" in details:
                logger.warning("an application outlived its client too long and was cancelled")
                details["task"].cancel()

    def log_action(self, protocol: str, action: str, details: Message) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            path = str(details.get("path", "")).partition("?")[0]
            status = details.get("status", "")
            logger.debug("%s %s %s %s %s", protocol, action, details.get("method", ""), path, status)
