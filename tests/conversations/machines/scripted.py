"""Coze's edge in a thread of its own: it says what the machine tells it to, when it is told to, and keeps a book."""

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import jwt

_SSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Tt-Logid: machine\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
# Never the same twice: CozeChat would refuse a conversation that it knows.
_ids = itertools.count(time.time_ns())


@dataclass
class ScriptedChat:
    """One chat that was asked for, and what was said in it so far."""

    id: str
    conversation: str
    question: str
    token_session: str
    body_session: str
    text: str = ""
    status: str = "in_progress"
    writer: asyncio.StreamWriter | None = None


class ScriptedCoze:
    """Answers CozeChat's calls; `say` and `finish` let a chat go on."""

    def __init__(self) -> None:
        self.chats: list[ScriptedChat] = []
        self.base_url = ""
        self._sessions: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self.base_url = self._do(self._listen)
        return self

    def __exit__(self, *_error: object) -> None:
        self._do(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def open_chats(self) -> list[ScriptedChat]:
        """Those that still run at Coze, oldest first."""
        return [chat for chat in list(self.chats) if chat.status == "in_progress"]

    def say(self, chat: ScriptedChat, content: str) -> None:
        """A delta."""

        async def act() -> None:
            chat.text += content
            self._event(chat, "conversation.message.delta", _message(chat, content))

        self._do(act)

    def finish(self, chat: ScriptedChat, *, fails: bool = False) -> None:
        """The end of a chat, with or without its answer."""

        async def act() -> None:
            chat.status = "failed" if fails else "completed"
            if not fails:
                self._event(chat, "conversation.message.completed", _message(chat, chat.text))
            usage = {"token_count": 2, "output_count": 1, "input_count": 1}
            error = {"code": 5000 if fails else 0, "msg": "broken" if fails else ""}
            closing = _chat(chat) | {"usage": usage, "last_error": error}
            self._event(chat, f"conversation.chat.{chat.status}", closing)
            self._write(chat, b'event:done\ndata:"[DONE]"\n\n')
            if chat.writer is not None:
                chat.writer.write(b"0\r\n\r\n")

        self._do(act)

    def _do(self, act: Callable[[], Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(10)

    async def _listen(self) -> str:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=256)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _close(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
                while True:
                    await self._request(reader, writer)
        finally:
            for chat in self.chats:
                chat.writer = None if chat.writer is writer else chat.writer
            writer.close()
            self._tasks.discard(task)

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
        }
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        target = urlsplit(head[0].split(" ")[1])
        bearer = fields.get("authorization", "").removeprefix("Bearer ")
        if target.path == "/v1/workflows/chat":
            self._begin(json.loads(body), session=self._sessions.get(bearer, ""), writer=writer)
            return
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        answer = json.dumps(self._answer(target.path, query, bearer=bearer)).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Tt-Logid: machine\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer)
        )

    def _answer(self, path: str, query: dict[str, str], *, bearer: str) -> dict[str, Any]:
        if path == "/api/permission/oauth2/token":
            name = jwt.decode(bearer, options={"verify_signature": False})["session_name"]
            token = f"czs_{next(_ids)}"
            self._sessions[token] = name
            return {"access_token": token, "expires_in": int(time.time()) + 3600, "token_type": "Bearer"}
        data: Any = {}
        chat = next((chat for chat in self.chats if chat.id == query.get("chat_id")), None)
        if path == "/v1/conversation/create":
            data = {"id": str(next(_ids)), "created_at": int(time.time()), "meta_data": {}}
        elif chat is not None and path == "/v3/chat/retrieve":
            data = _chat(chat)
        elif chat is not None and path == "/v3/chat/message/list":
            data = [_message(chat, chat.text)]
        return {"code": 0, "msg": "", "data": data, "detail": {"logid": "machine"}}

    def _begin(self, asked: dict[str, Any], *, session: str, writer: asyncio.StreamWriter) -> None:
        chat = ScriptedChat(
            id=str(next(_ids)),
            conversation=asked["conversation_id"],
            question=asked["additional_messages"][-1]["content"],
            token_session=session,
            body_session=asked.get("session_name", ""),
            writer=writer,
        )
        self.chats.append(chat)
        writer.write(_SSE)
        self._event(chat, "conversation.chat.created", _chat(chat) | {"status": "created"})
        self._event(chat, "conversation.chat.in_progress", _chat(chat))

    def _event(self, chat: ScriptedChat, name: str, data: dict[str, Any]) -> None:
        text = json.dumps(data, ensure_ascii=False)
        self._write(chat, f"event:{name}\ndata:{text}\n\n".encode())

    def _write(self, chat: ScriptedChat, data: bytes) -> None:
        if chat.writer is not None and not chat.writer.is_closing():
            chat.writer.write(b"%x\r\n%b\r\n" % (len(data), data))


def _chat(chat: ScriptedChat) -> dict[str, Any]:
    return {
        "id": chat.id,
        "conversation_id": chat.conversation,
        "bot_id": "0",
        "created_at": int(time.time()),
        "last_error": {"code": 0, "msg": ""},
        "status": chat.status,
    }


def _message(chat: ScriptedChat, content: str) -> dict[str, Any]:
    return {
        "id": f"{chat.id}1",
        "conversation_id": chat.conversation,
        "chat_id": chat.id,
        "bot_id": "0",
        "role": "assistant",
        "type": "answer",
        "content": content,
        "content_type": "text",
        "section_id": "1",
    }
