"""Stands in for Coze at speed: token exchange, new conversations, streamed workflow chats.

`/v1/chat/completions` streams the same deltas at the same pace in OpenAI's shape, for gateways that stand beside ours;
a question that says "3 deltas" gets three; `/lag` tells how late the deltas were since it was last asked.

A raw asyncio protocol, so that it is never the bottleneck. Every delta's text begins with the monotonic clock in
microseconds and its number, so that a receiver on this machine can tell what the system between them added.

    python -m tests.load.upstream --deltas 200 --rate 50 --form plain
"""

import argparse
import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from tests.load import fastest_loop

_JSON = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nX-Tt-Logid: bench\r\nContent-Length: %d\r\n\r\n%s"
_SSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nX-Tt-Logid: bench\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_CHARACTERS = 24
_PARAGRAPH = 8
_WANTED = re.compile(rb"(\d+) deltas")

# Never the same twice, in another run of this program neither: CozeChat would refuse a conversation it knows.
_ids = itertools.count(time.time_ns())


class Answers:
    """What every answer of this run looks like."""

    def __init__(self, *, deltas: int, rate: float, form: str) -> None:
        self.deltas = deltas
        self.interval = 1 / rate
        self.form = form
        self.late: list[float] = []

    def wanted(self, body: bytes) -> int:
        """How many deltas a question asks for."""
        said = _WANTED.search(body)
        return int(said[1]) if said else self.deltas

    def lag(self) -> dict[str, float]:
        """By how many milliseconds deltas came after their time, since this was last asked."""
        late, self.late = sorted(self.late) or [0.0], []
        return {"p50_ms": 1000 * late[len(late) // 2], "p99_ms": 1000 * late[int(len(late) * 0.99)]}

    def text(self, number: int) -> str:
        """One delta's text: the clock, its number, and filling; in Markdown with a paragraph now and then."""
        text = f"@{time.monotonic_ns() // 1000}#{number} ".ljust(_CHARACTERS, "x")
        if self.form == "markdown" and number % _PARAGRAPH == _PARAGRAPH - 1:
            text += " **so** `it` goes.\n\n"
        return text


class Connection(asyncio.Protocol):
    """One connection of a client: requests one after the other, a stream at its own pace."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._received = b""
        self._task: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._room.set()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._room.set()
        if self._task:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            lines = head.split(b"\r\n")
            fields = dict(line.lower().split(b":", 1) for line in lines[1:])
            size = int(fields.get(b"content-length", 0))
            if len(rest) < size:
                return
            body, self._received = rest[:size], rest[size:]
            self._answer(lines[0].split(b" ")[1].decode().partition("?")[0], body)

    def _answer(self, path: str, body: bytes) -> None:
        if path == "/v1/workflows/chat":
            self._begin(self._chat(json.loads(body), wanted=self._answers.wanted(body)))
        elif path == "/v1/chat/completions":
            self._begin(self._completion(json.loads(body), wanted=self._answers.wanted(body)))
        elif path == "/lag":
            self._reply(self._answers.lag())
        elif path == "/api/permission/oauth2/token":
            expires = int(time.time()) + 3600
            self._reply({"access_token": f"czs_{next(_ids)}", "expires_in": expires, "token_type": "Bearer"})
        elif path == "/v1/conversation/create":
            data = {"id": str(next(_ids)), "created_at": int(time.time()), "meta_data": {}}
            self._reply({"code": 0, "msg": "", "data": data, "detail": {"logid": "bench"}})
        else:
            self._reply({"code": 0, "msg": "", "data": {}})

    def _begin(self, stream: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(stream)

    def _reply(self, answer: Any) -> None:
        body = json.dumps(answer).encode()
        self._transport.write(_JSON % (b"200 OK", len(body), body))

    def _chunk(self, data: bytes) -> None:
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def _completion(self, asked: dict[str, Any], *, wanted: int) -> None:
        head = {
            "id": f"chatcmpl-{next(_ids)}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
        }
        head["model"] = asked["model"]

        def chunk(delta: dict[str, str], finish_reason: str | None = None) -> None:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
            self._chunk(b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n")

        self._transport.write(_SSE)
        chunk({"role": "assistant", "content": ""})
        if await self._pace(lambda number: chunk({"content": self._answers.text(number)}), wanted=wanted):
            chunk({}, "stop")
            self._chunk(b"data: [DONE]\n\n")
            self._transport.write(b"0\r\n\r\n")

    async def _chat(self, asked: dict[str, Any], *, wanted: int) -> None:
        chat_id, message_id = str(next(_ids)), str(next(_ids))
        conversation_id = asked.get("conversation_id") or str(next(_ids))
        chat = {"id": chat_id, "conversation_id": conversation_id, "created_at": int(time.time())}
        chat |= {"bot_id": "0", "last_error": {"code": 0, "msg": ""}}
        message = {"id": message_id, "conversation_id": conversation_id, "chat_id": chat_id, "bot_id": "0"}
        message |= {"role": "assistant", "type": "answer", "content_type": "text", "section_id": "1"}
        self._transport.write(_SSE)
        self._chunk(
            _event("conversation.chat.created", chat | {"status": "created"})
            + _event("conversation.chat.in_progress", chat | {"status": "in_progress"})
        )
        said: list[str] = []

        def delta(number: int) -> None:
            said.append(self._answers.text(number))
            self._chunk(_event("conversation.message.delta", message | {"content": said[-1]}))

        if await self._pace(delta, wanted=wanted):
            usage = {"token_count": 2, "output_count": 1, "input_count": 1}
            self._chunk(
                _event("conversation.message.completed", message | {"content": "".join(said)})
                + _event("conversation.chat.completed", chat | {"status": "completed", "usage": usage})
                + b'event:done\ndata:"[DONE]"\n\n'
            )
            self._transport.write(b"0\r\n\r\n")

    async def _pace(self, delta: Callable[[int], None], *, wanted: int) -> bool:
        """Send every delta at its time; False when the client is gone."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in range(wanted):
            due = begun + number * self._answers.interval
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            self._answers.late.append(loop.time() - due)
            await self._room.wait()
            if self._transport.is_closing():
                return False
            delta(number)
        return True


def _event(name: str, data: dict[str, Any]) -> bytes:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return b"event:" + name.encode() + b"\ndata:" + text.encode() + b"\n\n"


async def _serve(answers: Answers) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(answers), "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deltas", type=int, default=200)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--form", choices=("plain", "markdown"), default="plain")
    options = parser.parse_args()
    answers = Answers(deltas=options.deltas, rate=options.rate, form=options.form)
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(_serve(answers))


if __name__ == "__main__":
    main()
