"""A server of raw bytes in Coze's place: it answers each request with the bytes a test wrote."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from cozechat.coze.calls import Limits
from cozechat.coze.client import CozeClient
from cozechat.coze.credentials import Credentials
from cozechat.coze.types import Caller, WorkflowChat

LOG_ID = "202511101058195D9D44BD92993C47AEDC"
ALICE = Caller(token="czs_alice", session_name="u_alice")
CHAT = WorkflowChat(
    workflow_id="7400", question="How are you?", conversation_id="conv_111111111", app_id="7500"
)
HASTY = Limits(connect_timeout=1, read_timeout=0.2, pool_timeout=0.5)


@dataclass
class Received:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Step:
    """Something other than bytes: a pause, or an abrupt end of the connection."""

    seconds: float = 0
    reset: bool = False


Script = Iterable[bytes | Step]


@dataclass
class CozeStub:
    """What the server answers, in order (the last answer again and again), and what it was asked."""

    answers: list[Script]
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    base_url: str = ""
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Take connections: at first on a free port, after `hide` on the same."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many connections are being answered, or kept."""
        return len(self._tasks)

    async def hide(self) -> None:
        """Take no more connections; those there are stay."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def aclose(self) -> None:
        """Nobody is there any more, and nothing is left of any connection."""
        await self.hide()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        # Python 3.11 logs a cancelled task of a stream as an error, hence it ends by itself.
        with suppress(asyncio.CancelledError):
            await self.serve(reader, writer)
        self._tasks.discard(task)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (received := await _receive(reader)) is not None:
                self.requests.append(received)
                script = list(self.answers[min(len(self.requests), len(self.answers)) - 1])
                await self._play(script, writer)
                if b"onnection: close" in script[0] or any(
                    isinstance(step, Step) and step.reset for step in script
                ):
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _play(self, script: list[bytes | Step], writer: asyncio.StreamWriter) -> None:
        for step in script:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif step.reset:
                writer.transport.abort()
            else:
                await asyncio.sleep(step.seconds)


async def _receive(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name
    }
    method, target, _ = first.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method=method, target=target, headers=headers, body=body)


@asynccontextmanager
async def stub(*answers: Script) -> AsyncIterator[CozeStub]:
    """A running stub; at the end every connection to it is gone."""
    coze = CozeStub(answers=list(answers))
    await coze.listen()
    try:
        yield coze
    finally:
        await coze.aclose()


@asynccontextmanager
async def client_of(
    base_url: str, *, limits: Limits = HASTY, **credentials: Any
) -> AsyncIterator[CozeClient]:
    """A client that is closed at the end."""
    given = {"client_id": "1150", "public_key_id": "kid", "private_key": "none", **credentials}
    client = CozeClient(Credentials(base_url=base_url, **given), limits=limits)
    try:
        yield client
    finally:
        await client.aclose()


def run(
    scene: Callable[[CozeClient, CozeStub], Awaitable[Any]],
    *answers: Script,
    limits: Limits = HASTY,
    **credentials: Any,
) -> Any:
    """Play `scene` with a client whose Coze gives these answers; what it returns, and no warning left behind."""

    async def main() -> Any:
        async with stub(*answers) as coze, client_of(coze.base_url, limits=limits, **credentials) as client:
            return await scene(client, coze)

    return asyncio.run(main())


def response(
    body: bytes, *, status: str = "200 OK", headers: str = "", mime: str = "application/json"
) -> list[bytes]:
    """A whole response, its length declared; `headers` end in CRLF."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {mime}\r\nX-Tt-Logid: {LOG_ID}\r\n{headers}"
    return [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body]


def envelope(data: Any = None, *, code: int | str = 0, msg: str = "", **beside: Any) -> list[bytes]:
    """A response in Coze's envelope."""
    fields = {"code": code, "msg": msg, "detail": {"logid": "from-detail"}, **beside}
    if data is not None:
        fields["data"] = data
    return response(json.dumps(fields, ensure_ascii=False).encode())


STREAM_HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Tt-Logid: {LOG_ID}\r\n".encode()


def chunked(*parts: bytes | Step, ended: bool = True) -> list[bytes | Step]:
    """A stream in chunks, each part one chunk; not `ended`, the closing chunk is missing."""
    head = STREAM_HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks: list[bytes | Step] = [
        b"%x\r\n%b\r\n" % (len(part), part) if isinstance(part, bytes) else part for part in parts
    ]
    return [head, *chunks, *([b"0\r\n\r\n"] if ended else [])]


def until_close(*parts: bytes | Step) -> list[bytes | Step]:
    """A stream that ends where the connection ends."""
    return [STREAM_HEAD + b"Connection: close\r\n\r\n", *parts]


def too_short(body: bytes) -> list[bytes | Step]:
    """A stream of which one byte of the declared length never comes."""
    return [STREAM_HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (len(body) + 1), body]


def event(name: str, data: Any) -> bytes:
    """One event of a stream."""
    return f"event: {name}\ndata: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def delta(content: str, *, message_id: str = "id_2222", **more: Any) -> bytes:
    """A piece of an answer, in raw UTF-8 as Coze sends it."""
    fields = {"id": message_id, "conversation_id": "conv_111111111", "role": "assistant", "type": "answer"}
    text = json.dumps({**fields, "content": content, "content_type": "text", **more}, ensure_ascii=False)
    return f"event: conversation.message.delta\ndata: {text}\n\n".encode()


CREATED = event("conversation.chat.created", {"id": "id_1111", "conversation_id": "conv_111111111"})
COMPLETED = event(
    "conversation.chat.completed",
    {
        "id": "id_1111",
        "conversation_id": "conv_111111111",
        "last_error": {"code": 0, "msg": ""},
        "status": "completed",
        "usage": {"token_count": 32, "output_count": 11, "input_count": 21},
    },
)
DONE = event("done", {"debug_url": "https://www.coze.cn/work_flow?execute_id=1"})
