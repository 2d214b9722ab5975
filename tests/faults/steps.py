"""What the tests of faults share: raw bytes in Coze's place, rows, requests by path."""

import asyncio
import json
import random
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from conversations.models import Conversation, Message, Turn
from cozechat import database
from tests.coze.wire import CozeStub, Script, envelope, response, stub

CHAT = "/v1/workflows/chat"
CREATE = "/v1/conversation/create"
RETRIEVE = "/v1/conversation/retrieve"
EXCHANGE = "/api/permission/oauth2"

TOKEN = response(json.dumps({"access_token": "czs_canary", "expires_in": 3600}).encode())
MADE = envelope({"id": "conv_111111111", "created_at": 1, "meta_data": {}, "last_section_id": "1"})


@asynccontextmanager
async def raw_coze(settings: Any, *chats: Script) -> AsyncIterator[CozeStub]:
    """A Coze that grants a token, makes a conversation, and then answers each chat with these bytes."""
    async with stub(TOKEN, MADE, *chats) as coze:
        settings.COZE_API_BASE = coze.base_url
        yield coze


def quiet_port() -> int:
    """A free port below those that the kernel gives to clients.

    Whoever knocks again and again at a closed port above may be given that very port, and then talks to himself.
    """
    for _each in range(100):
        port = random.randint(10_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def chats_of(coze: CozeStub) -> int:
    """How many chats the raw Coze was asked."""
    return sum(request.target.startswith(CHAT) for request in coze.requests)


def requests_to(emulator: Any, path: str, *, method: str = "POST") -> int:
    """How often the emulator was asked there, whatever it answered."""
    return sum(
        count
        for route, count in emulator.ledger()["requests"].items()
        if route.startswith(f"{method} {path}")
    )


def turn_row(turn: str) -> Turn:
    return Turn.objects.get(pk=turn)


def stored_answer(turn: str) -> str:
    return Message.objects.get(turn_id=turn, role="assistant").content


def coze_id_of(conversation: str) -> str:
    return Conversation.objects.get(pk=conversation).coze_conversation_id


async def on_every_database_thread(act: Callable[[], object]) -> None:
    """Do something once on each of the threads, which wait for one another."""
    threads = database._threads._max_workers
    together = threading.Barrier(threads)

    def each() -> None:
        together.wait(10)
        act()

    await asyncio.gather(*(database.run(each) for _each in range(threads)))


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began
