"""One HTTP connection and its requests: daphne's, with a gate, bounded bodies and a drain."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.internet import reactor as installed_reactor
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from .gate import OutgoingGate

if TYPE_CHECKING:
    from .core import Server

reactor: Any = installed_reactor

_LINGER_SECONDS: Final = 5.0
_PLAIN: Final = (b"Content-Type", b"text/plain; charset=utf-8")
Headers = list[tuple[bytes, bytes]]
# What is said in the application's own words: from a request's target and a status to headers and body, None for the
# server's words.
Wording = Callable[[bytes, int], tuple[Headers, bytes] | None]


def in_no_words(target: bytes, status: int) -> None:
    """The server's own words everywhere."""


class Channel(HTTPChannel):
    """One TCP connection while it speaks HTTP."""

    gate: OutgoingGate
    factory: Any
    head_complete = False
    first_line = b""

    def connectionMade(self) -> None:  # noqa: N802
        self.gate = self.factory.server.watch(self.transport)
        super().connectionMade()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: N802
        self.factory.server.forget(self.transport)
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def resetTimeout(self) -> None:  # noqa: N802
        # The whole head has one time-out, which no dripping of single bytes extends; a body does.
        if self.head_complete:
            super().resetTimeout()  # type: ignore[no-untyped-call]

    def allHeadersReceived(self) -> None:  # noqa: N802
        self.head_complete = True
        super().allHeadersReceived()  # type: ignore[no-untyped-call]

    def requestDone(self, request: Any) -> None:  # noqa: N802
        self.head_complete = False
        super().requestDone(request)  # type: ignore[no-untyped-call]

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        if not hasattr(self, "_path"):
            self.first_line = line
        super().lineReceived(line)  # type: ignore[no-untyped-call]

    def refuse(self, status: bytes) -> None:
        """An answer without a request that could give it."""
        _method, _blank, rest = self.first_line.partition(b" ")
        found = self.factory.server.wording(rest.partition(b" ")[0], int(status[:3]))
        headers, body = found or ([], b"")
        lines = [b"HTTP/1.1 " + status, b"Connection: close", b"Content-Length: %d" % len(body)]
        lines += [name + b": " + value for name, value in headers]
        transport: Any = self.transport
        transport.write(b"\r\n".join([*lines, b"", body]))

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802
        self.refuse(b"400 Bad Request")
        self.loseConnection()  # type: ignore[no-untyped-call]

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802
        self.first_line = self.first_line or line
        self._respondToBadRequestAndDisconnect()

    def pauseProducing(self) -> None:  # noqa: N802
        super().pauseProducing()  # type: ignore[no-untyped-call]
        self.gate.pauseProducing()

    def resumeProducing(self) -> None:  # noqa: N802
        super().resumeProducing()  # type: ignore[no-untyped-call]
        self.gate.resumeProducing()

    def stopProducing(self) -> None:  # noqa: N802
        super().stopProducing()  # type: ignore[no-untyped-call]
        self.gate.stopProducing()


class Request(WebRequest):  # type: ignore[misc]
    """One HTTP request, or the handshake of a WebSocket."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    server: "Server"

    def __init__(self, channel: Channel, queued: object) -> None:
        self.gate = channel.gate
        self.refused = False
        self.body_size = 0
        # Django parses forms; Twisted would do it first, a second time and in memory.
        super().__init__(channel, queued, parsePOSTFormSubmission=False)

    # From the client

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        super().gotLength(0 if self._too_large(length) else length)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        self.body_size += len(data)
        if not self.refused and not self._too_large(self.body_size):
            super().handleContentChunk(data)

    def _too_large(self, size: int | None) -> bool:
        """Refuses a body above the limit; what still comes is thrown away, or the 413 would be lost."""
        if size is None or size <= self.server.limits.max_body:
            return False
        self.refused = True
        self.requestHeaders.removeHeader(b"expect")
        self.channel.refuse(b"413 Content Too Large")
        reactor.callLater(_LINGER_SECONDS, self.channel.transport.abortConnection)
        return True

    def process(self) -> Any:
        if self.refused:
            self.channel.loseConnection()
            return None
        # daphne believes this header whoever sends it.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        if self.server.draining or (self._wants_socket() and self.server.crowded):
            self._turn_away()
            return None
        return super().process()

    def _wants_socket(self) -> bool:
        upgrade = self.requestHeaders.getRawHeaders(b"upgrade", [b""])
        return bool(upgrade[0].lower() == b"websocket")

    def _turn_away(self) -> None:
        self.responseHeaders.setRawHeaders(b"retry-after", [b"5"])
        self.responseHeaders.setRawHeaders(b"connection", [b"close"])
        self.channel.persistent = False
        self.basic_error(503, b"Service Unavailable", "This server takes no new work right now.\n")

    # From the application

    def finish(self) -> None:
        if self.server.draining:
            self.channel.persistent = False
        super().finish()

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        del status_text
        found = self.server.wording(self.uri, status)
        headers, content = found or ([_PLAIN], body.encode())
        headers = [*headers, (b"content-length", b"%d" % len(content))]
        for name, _value in headers:
            self.responseHeaders.removeHeader(name)
        self.handle_reply({"type": "http.response.start", "status": status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": content})

    def application_failed(self) -> None:
        if not self._response_started:
            self.basic_error(500, b"Internal Server Error", "Internal server error\n")
        elif self.channel is not None:
            # Only an end without the last chunk tells the client that what it has is not all.
            self.channel.loseConnection()

    def application_ended(self) -> None:
        """The application has ended; an answer that is still open will never be finished."""
        if not self.finished and self.channel is not None:
            self.application_failed()

    def check_timeouts(self) -> None:
        """An answer may take as long as it makes progress: the gate's stall rule guards that."""


class RequestFactory(HTTPFactory):  # type: ignore[misc]
    """Makes the HTTP connections of one server."""

    # Without daphne's TLS negotiation layer: TLS ends at the proxy.
    protocol = Channel

    def buildProtocol(self, addr: Any) -> Channel | None:  # noqa: N802
        if self.server.overrun:
            return None
        channel: Channel = super().buildProtocol(addr)
        channel.requestFactory = Request  # type: ignore[assignment]
        return channel
