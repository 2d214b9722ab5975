"""A browser's tab as a test sees it: a socket with a log-in, frames out and frames in."""

import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from accounts.models import User
from cozechat import database

HOST = "127.0.0.1:8000"
TERMINAL = {"turn.completed", "turn.failed", "turn.canceled", "turn.interrupted", "turn.requires_action"}
PATIENCE = 20


class Tab:
    """One socket; `seen` keeps every frame that came."""

    def __init__(self, communicator: Any, session_key: str) -> None:
        self.communicator = communicator
        self.session_key = session_key
        self.seen: list[dict[str, Any]] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.communicator.send_to(text_data=json.dumps({"type": kind, **fields}, default=str))

    async def frame(self, *, timeout: float = PATIENCE) -> dict[str, Any]:
        """The next frame, whatever it is."""
        frame = json.loads(await self.communicator.receive_from(timeout=timeout))
        self.seen.append(frame)
        return frame

    async def until(self, *kinds: str, turn: str | None = None, timeout: float = PATIENCE) -> dict[str, Any]:
        """The next frame of one of these kinds (and turn); what comes before it is kept in `seen`."""
        while True:
            frame = await self.frame(timeout=timeout)
            if frame["type"] in kinds and turn in (None, frame.get("turn")):
                return frame

    async def close_code(self, *, timeout: float = PATIENCE) -> int:
        """The code with which the server closes the socket, after the frames that still come."""
        while True:
            message = await self.communicator.receive_output(timeout)
            if message["type"] == "websocket.close":
                return int(message["code"])
            self.seen.append(json.loads(message["text"]))

    async def quiet(self, *, seconds: float = 0.2) -> bool:
        """Whether nothing comes for a while."""
        return bool(await self.communicator.receive_nothing(timeout=seconds))

    async def ask(self, content: str, *, conversation: str | None = None, **fields: Any) -> "Asked":
        """Ask as the page does, ready to wait for the answer before, and wait for `turn.accepted`."""
        client_id = str(uuid.uuid4())
        question = {"conversation": conversation, "content": content, "queue": True} | fields
        await self.send("turn.start", client_id=client_id, **question)
        accepted = await self.until("turn.accepted")
        assert accepted["client_id"] == client_id
        return Asked(self, accepted["turn"], accepted["conversation"], client_id)

    async def say(self, content: str, *, conversation: str | None = None) -> "Asked":
        """Ask and wait for the end."""
        asked = await self.ask(content, conversation=conversation)
        await asked.end()
        return asked


class Asked:
    """A question that was accepted, and its answer as this tab sees it."""

    def __init__(self, tab: Tab, turn: str, conversation: str, client_id: str) -> None:
        self.tab, self.turn, self.conversation, self.client_id = tab, turn, conversation, client_id
        self.last: dict[str, Any] = {}

    async def end(self, *, timeout: float = PATIENCE) -> dict[str, Any]:
        self.last = await self.tab.until(*TERMINAL, turn=self.turn, timeout=timeout)
        return self.last

    async def words(self) -> dict[str, Any]:
        """The first delta."""
        return await self.tab.until("turn.delta", turn=self.turn)

    @property
    def text(self) -> str:
        """The answer, put together as a page does it."""
        return assemble(self.tab.seen, self.turn)


def assemble(frames: list[dict[str, Any]], turn: str) -> str:
    """Apply a turn's frames in order; deltas must neither skip nor repeat."""
    text, seq, pieces = "", 0, []
    for frame in frames:
        if frame.get("turn") != turn:
            continue
        if frame["type"] == "turn.delta":
            assert frame["seq"] == seq + 1, f"delta {frame['seq']} after {seq}"
            text, seq = text + frame["content"], frame["seq"]
        elif frame["type"] == "turn.sync":
            pieces = [*([] if frame["offset"] == 0 else pieces), frame["content"]]
            if frame["last"]:
                text, seq = "".join(pieces), frame["seq"]
        elif frame["type"] in TERMINAL:
            assert frame["seq"] == seq
            assert frame["length"] == len(text.encode("utf-16-le")) // 2
            assert frame["digest"] == hashlib.sha256(text.encode()).hexdigest()
    return text


def log_in(user: User) -> str:
    """A session for this user; returns its key."""
    client = Client()
    client.force_login(user)
    return str(client.session.session_key)


def headers(session_key: str, **more: str) -> list[tuple[bytes, bytes]]:
    fields = {
        "host": HOST,
        "origin": f"http://{HOST}",
        "cookie": f"{settings.SESSION_COOKIE_NAME}={session_key}",
        "accept-language": "en",
        **more,
    }
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]


@asynccontextmanager
async def open_tab(user: User | None, *, session_key: str = "", **more: str) -> AsyncIterator[Tab]:
    from cozechat.asgi import application

    if user is not None and not session_key:
        session_key = await database.run(log_in, user)
    communicator = WebsocketCommunicator(application, "/ws/chat/", headers=headers(session_key, **more))
    connected, _code = await communicator.connect(timeout=PATIENCE)
    assert connected
    try:
        yield Tab(communicator, session_key)
    finally:
        await communicator.disconnect(timeout=PATIENCE)
