"""One WebSocket: daphne's, with back-pressure both ways, honest limits and lawful close codes."""

import logging
import struct
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet.protocol import connectionDone

from .gate import FrameQueue, OutgoingGate
from .limits import INTERNAL_ERROR, FrameTooLargeError, close_code

if TYPE_CHECKING:
    from .core import Server

logger = logging.getLogger("cozechat.server")

_TEXT: Final = 0x81
_BINARY: Final = 0x82


class Socket(WebSocketProtocol):  # type: ignore[misc]
    """One client's WebSocket, from handshake to close."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    gate: OutgoingGate
    application_queue: FrameQueue
    keeper: "Server"

    def connectionMade(self) -> None:  # noqa: N802
        self.keeper = self.factory.server_class
        self.limits = self.keeper.limits
        self.born = self.last_pinged = monotonic()
        self.lingering = False
        self.reading = True
        self.gate = self.keeper.gates[self.transport]
        # The HTTP channel was the producer until now; nobody else would wake a waiting send.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self.gate, streaming=True)
        super().connectionMade()

    def connectionLost(self, reason: Any = connectionDone) -> None:  # noqa: N802
        self.keeper.forget(self.transport)
        self._connectionLost(reason)

    # From the client

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self.state == self.STATE_CONNECTING and hasattr(self, "handshake_deferred"):
            # A client that talks before it was accepted would be parsed as a second handshake.
            self.data += data
            if len(self.data) > self.limits.max_frame_in:
                self.transport.abortConnection()
            return
        self._dataReceived(data)

    def processData(self) -> bool:  # noqa: N802
        return self.reading and bool(super().processData())

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        if self.muted or self.state != self.STATE_OPEN:
            return
        queue = self.application_queue
        content = {"bytes": payload} if isBinary else {"text": payload.decode()}
        queue.put_nowait({"type": "websocket.receive", **content})
        if queue.full_enough:
            queue.paused = True
            self.reading = False
            self.transport.pauseProducing()

    def resume_reading(self) -> None:
        if self.reading:
            return
        self.reading = True
        self.consumeData()
        if self.reading:
            self.transport.resumeProducing()

    def sendPong(self, payload: bytes | None = None) -> None:  # noqa: N802
        # A client that pings without reading must not fill the buffer either.
        if not self.gate.closed:
            super().sendPong(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803
        if hasattr(self, "request"):
            super().onClose(wasClean, code, reason)

    # From the application

    def handle_reply(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "websocket.send":
            self._send(message)
        elif kind == "websocket.accept":
            self.serverAccept(message.get("subprotocol"))
        elif kind != "websocket.close":
            raise ValueError(f"cannot send {kind!r} over a WebSocket")
        elif self.state == self.STATE_CONNECTING:
            self.refuse(403, reason="Access denied")
        else:
            self.close(message.get("code"), reason=message.get("reason"))

    def _send(self, message: dict[str, Any]) -> None:
        if self.state == self.STATE_CONNECTING:
            raise ValueError("the socket has not been accepted, so nothing can be sent over it")
        text = message.get("text")
        payload = message.get("bytes") if text is None else text.encode()
        if payload is None:
            raise ValueError("a websocket.send message needs text or bytes")
        if len(payload) > self.limits.max_frame_out:
            raise FrameTooLargeError(len(payload), limit=self.limits.max_frame_out)
        if self.state == self.STATE_OPEN:
            self._write(_frame(payload, opcode=_BINARY if text is None else _TEXT))

    def _write(self, data: bytes) -> None:
        # Waiting for the reactor's turn to write costs more than the write; only what must wait does.
        if self.transport.connected and not self.gate.unsent:
            sent = self.transport.writeSomeData(data)
            data = data[sent:] if isinstance(sent, int) else data
        if data:
            self.transport.write(data)

    def refuse(self, status: int, *, reason: str) -> None:
        """Answers the handshake with an HTTP error."""
        if self.__dict__.pop("handshake_deferred", None) is not None:
            self.keeper.protocol_disconnected(self)
            self.failHandshake(reason, status, [("Connection", "close"), ("Content-Length", "0")])

    def close(self, code: object = None, *, reason: str | None = None) -> None:
        if self.state == self.STATE_CONNECTING:
            self.refuse(503, reason="Service Unavailable")
            return
        self.sendClose(code=close_code(code), reason=reason or None)
        # The client's answer may wait behind frames that nobody will take any more.
        self.resume_reading()

    def serverReject(self) -> None:  # noqa: N802
        self.refuse(403, reason="Access denied")

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802
        self.close(code)

    def application_failed(self) -> None:
        if self.state == self.STATE_CONNECTING:
            self.refuse(500, reason="Internal server error")
        else:
            self.close(INTERNAL_ERROR)

    def application_ended(self) -> None:
        """The application has ended: nobody will ever answer on this socket again."""
        if self.state == self.STATE_CONNECTING:
            self.refuse(500, reason="Internal server error")
        else:
            self.close()

    # From the clock

    def check_timeouts(self) -> None:
        now = monotonic()
        if self.state == self.STATE_CONNECTING:
            if now - self.born > self.limits.connect_seconds:
                self.refuse(503, reason="Service Unavailable")
        elif self.state == self.STATE_OPEN:
            self._ping(now)
        elif self.state == self.STATE_CLOSED and self.lingering:
            self.transport.abortConnection()
        else:
            self.lingering = self.state == self.STATE_CLOSED

    def _ping(self, now: float) -> None:
        # Only the pong counts: frames from the client are no sign that it reads ours.
        quiet = now - self.last_pinged
        if self.autoPingPending is not None:
            if quiet >= self.limits.pong_seconds:
                self.transport.abortConnection()
        elif quiet >= self.limits.ping_seconds:
            self.last_pinged = now
            self._sendAutoPing()


class SocketFactory(WebSocketFactory):  # type: ignore[misc]
    """Makes the sockets of one server."""

    protocol = Socket


def _frame(payload: bytes, *, opcode: int) -> bytes:
    """One whole unmasked frame (RFC 6455 §5.2), for a fraction of what autobahn spends on it."""
    size = len(payload)
    if size < 126:
        return bytes((opcode, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", opcode, 126, size) + payload
    return struct.pack("!BBQ", opcode, 127, size) + payload
