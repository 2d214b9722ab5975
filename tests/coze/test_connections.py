"""Connections to Coze: read at a pace, closed at once, known to be dead before they are used."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpcore
import pytest

from cozechat.coze.connections import PACE, PLENTY, Backend

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def connected(talk: Talk, *, pace: float = PACE) -> AsyncIterator[httpcore.AsyncNetworkStream]:
    served: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        await talk(reader, writer)
        writer.close()
        await asyncio.wait({asyncio.ensure_future(writer.wait_closed())})

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = await Backend(pace=pace).connect_tcp(host="127.0.0.1", port=port, timeout=5)
    try:
        yield connection
    finally:
        await connection.aclose()
        await asyncio.gather(*served, return_exceptions=True)
        server.close()
        await server.wait_closed()


async def read_all(connection: httpcore.AsyncNetworkStream) -> list[bytes]:
    reads = []
    while data := await connection.read(65536, timeout=5):
        reads.append(data)
    return reads


async def trickle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for number in range(40):
        writer.write(b"%02d " % number)
        await asyncio.sleep(0.005)


async def test_small_pieces_are_read_together_in_order_and_completely():
    async with connected(trickle) as connection:
        reads = await read_all(connection)
    assert b"".join(reads) == b"".join(b"%02d " % number for number in range(40))
    assert len(reads) <= 10


async def test_without_a_pace_nothing_waits():
    async with connected(trickle, pace=0.0) as connection:
        reads = await read_all(connection)
    assert len(reads) > 20


async def test_a_piece_after_a_silence_does_not_wait():
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"first")
        await asyncio.sleep(5 * PACE)
        writer.write(str(time.monotonic()).encode())

    async with connected(talk) as connection:
        assert await connection.read(65536, timeout=5) == b"first"
        sent = float(await connection.read(65536, timeout=5))
    assert time.monotonic() - sent < PACE


async def test_much_at_once_is_not_slowed_down():
    whole = b"x" * (100 * PLENTY)

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(whole)
        await writer.drain()

    begun = time.monotonic()
    async with connected(talk) as connection:
        assert b"".join(await read_all(connection)) == whole
    assert time.monotonic() - begun < 20 * PACE


async def test_closing_wakes_a_read_that_rests():
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"first")
        await asyncio.sleep(0.1)

    async with connected(talk, pace=30) as connection:
        assert await connection.read(65536, timeout=5) == b"first"
        resting = asyncio.ensure_future(connection.read(65536, timeout=5))
        await asyncio.sleep(0.05)
        assert not resting.done()
        await connection.aclose()
        with pytest.raises(httpcore.ReadError):
            await asyncio.wait_for(resting, 5)


async def test_a_connection_that_the_other_side_has_closed_says_so():
    closed = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        closed.set()

    async with connected(talk) as connection:
        assert not connection.get_extra_info("is_readable")
        await connection.write(b"x")
        await closed.wait()
        await asyncio.sleep(0.05)
        assert connection.get_extra_info("is_readable")
