"""One request on its way to the endpoint that answers it."""

import enum
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from cozechat.emulator.fields import Fields, from_json, from_query
from cozechat.emulator.refusals import Refusal, bad_parameter
from cozechat.emulator.snowflakes import log_id
from cozechat.emulator.store import Identity
from cozechat.emulator.wire import Receive, Send
from cozechat.emulator.world import World

MEGABYTE = 1024 * 1024
WORKFLOW_BODY_LIMIT, BODY_LIMIT = 20 * MEGABYTE, 15 * MEGABYTE
UPLOAD = "/v1/files/upload"
UPLOAD_FRAME = 64 * 1024
"""What a form may need around its file."""

NOBODY = Identity("", "", None)


class Answer(Protocol):
    """A whole reply or a stream."""

    async def write(self, send: Send, *, log_id: str) -> None: ...


class Guard(enum.Enum):
    """What a caller must show: nothing, an access token, or the control token of this emulator."""

    NONE = "none"
    TOKEN = "token"  # noqa: S105 - the name of a rule
    CONTROL = "control"


@dataclass(slots=True, kw_only=True)
class Request:
    """What came over the wire; `body` is None when it was too large to keep."""

    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    peer: tuple[str, int]
    body: bytes | None


@dataclass(kw_only=True)
class Call:
    """A request together with the world it asks and who asks."""

    world: World
    request: Request
    receive: Receive
    place: dict[str, str] = field(default_factory=dict)
    """The parts of the path that its route names."""
    identity: Identity = NOBODY
    log_id: str = field(default_factory=log_id)

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def host(self) -> str:
        return self.request.headers.get(b"host", b"").decode("latin-1")

    @property
    def bearer(self) -> str | None:
        scheme, _, token = self.request.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None

    @cached_property
    def query(self) -> Fields:
        return from_query(self.request.query)

    def body(self) -> Fields:
        """The JSON body as it came."""
        if self.request.body is None:
            raise bad_parameter("body", why="is too large")
        return from_json(self.request.body)

    @cached_property
    def fields(self) -> Fields:
        """The JSON body of an identified caller; a `session_name` in it is compared with the token's."""
        fields = self.body()
        claimed = fields.text("session_name")
        self.world.ledger.compare(self.path, token=self.identity.session_name, body=claimed)
        strict = self.world.options.body_session_name == "refuse"
        if strict and claimed is not None and claimed != self.identity.session_name:
            raise bad_parameter("session_name", why="does not match the access token")
        return fields


Endpoint = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, whose `{parts}` become the call's `place`."""

    method: str
    path: str
    endpoint: Endpoint
    guard: Guard = Guard.TOKEN


class Routes:
    """Finds the endpoint for a method and path."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self.all = routes
        self._fixed: dict[str, dict[str, Route]] = {}
        self._shaped: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            by_path.setdefault(route.path, {})[route.method] = route
        for path, methods in by_path.items():
            if "{" in path:
                self._shaped.append((_pattern(path), methods))
            else:
                self._fixed[path] = methods

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        methods, place = self._methods(path)
        route = methods.get(method)
        if route is None:
            raise Refusal(4000, f"method {method} is not allowed here", status=405)
        return route, place

    def _methods(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        if path in self._fixed:
            return self._fixed[path], {}
        for pattern, methods in self._shaped:
            if match := pattern.fullmatch(path):
                return methods, match.groupdict()
        raise Refusal(4000, f"no such path: {path}", status=404)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)))


def _limit(path: str, *, upload_limit: int) -> int:
    if path == UPLOAD:
        return upload_limit + UPLOAD_FRAME
    return WORKFLOW_BODY_LIMIT if path.startswith("/v1/workflow") else BODY_LIMIT


async def read_request(scope: dict[str, Any], receive: Receive, *, upload_limit: int) -> Request | None:
    """The request with its body, or None when the caller hung up before its end."""
    path = scope["path"]
    limit = _limit(path, upload_limit=upload_limit)
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        else:
            # Read to the end all the same: an answer to a caller that is still sending would be lost.
            chunks.clear()
    host, port = scope.get("client") or ("", 0)
    return Request(
        method=scope["method"],
        path=path,
        query=scope["query_string"],
        headers=dict(scope["headers"]),
        peer=(host, port),
        body=b"".join(chunks) if size <= limit else None,
    )
