"""One call to Coze as plain records: what is sent, what comes back, and how much of everything is allowed."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

KIB = 1024
MIB = 1024 * KIB
JSON = "application/json"
# A longer body is sent in pieces of this size, each with the time to write to itself.
PIECE = 256 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything one client may use: connections, seconds, bytes."""

    max_connections: int = 100
    max_idle: int = 10
    max_streams: int = 200
    connect_timeout: float = 2.5
    write_timeout: float = 10
    read_timeout: float = 60
    # A chat that only says that it is still there: pings, events that nobody knows, bytes one by one.
    content_timeout: float = 120
    pool_timeout: float = 5
    keepalive: float = 15
    max_line: int = 4 * MIB
    max_event: int = 8 * MIB
    max_stream: int = 64 * MIB
    max_json_body: int = 16 * MIB
    max_error_body: int = 64 * KIB


DEFAULT_LIMITS = Limits()


class Pieces:
    """A long body, piece by piece, as often as it is asked for."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), PIECE):
            yield self._body[start : start + PIECE]


@dataclass(frozen=True, slots=True)
class Request:
    """One call: the path below the base URL and what goes with it."""

    method: str
    path: str
    bearer: str = field(repr=False)
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    content_type: str = JSON
    # Seconds of silence, where a call may take longer than others.
    read_timeout: float | None = None

    @property
    def headers(self) -> dict[str, str]:
        """All that this call says of itself."""
        headers = {"Authorization": f"Bearer {self.bearer}"}
        if self.body is not None:
            headers |= {"Content-Type": self.content_type, "Content-Length": str(len(self.body))}
        return headers

    @property
    def content(self) -> bytes | Pieces | None:
        """The body as it is sent."""
        return self.body if self.body is None or len(self.body) <= PIECE else Pieces(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, body read."""

    status: int
    log_id: str
    retry_after: float | None
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The body as UTF-8, whatever its headers claim."""
        return self.body.decode("utf-8", "replace")
