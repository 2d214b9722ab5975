"""Servers that a tool client may meet: the demo's, and some that answer in raw bytes."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cozechat.kai import Kai


@pytest.fixture
def connect() -> Callable[..., Any]:
    """`async with connect(url, key="…") as kai:` closes it in the end."""

    @asynccontextmanager
    async def opened(url: str, **options: Any) -> AsyncIterator[Kai]:
        kai = Kai(url, **options)
        try:
            yield kai
        finally:
            await kai.aclose()

    return opened


class RawServer:
    """Answers every request with the same bytes; `requests` keeps what it was sent.

    `@ID@` in an answer becomes the id of the request, four characters wide.
    """

    def __init__(self, answer: bytes | None) -> None:
        self.answer, self.requests = answer, list[bytes]()
        self._server: Any = None

    async def __aenter__(self) -> "RawServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/mcp"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await reader.read(65536))
            if self.answer is None:
                await asyncio.sleep(30)
            elif self.answer:
                asked = re.search(rb'"id":(\d+)', self.requests[-1])
                writer.write(self.answer.replace(b"@ID@", asked[1].rjust(4) if asked else b"null"))
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@pytest.fixture
def answering() -> type[RawServer]:
    return RawServer
