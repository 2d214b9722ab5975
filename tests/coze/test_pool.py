"""However streams are left, their connections come back: httpx's pool is not worn out."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from cozechat.coze import errors
from cozechat.coze.calls import Limits
from cozechat.coze.client import CozeClient
from tests.coze.wire import (
    ALICE,
    CHAT,
    COMPLETED,
    CREATED,
    DONE,
    CozeStub,
    Step,
    chunked,
    delta,
    envelope,
    run,
)

FEW = Limits(max_connections=10, max_streams=20, connect_timeout=5, read_timeout=5, pool_timeout=5)
ENDLESS = chunked(CREATED, *[delta("x")] * 3, Step(seconds=60))
SHORT = chunked(CREATED, delta("x"), COMPLETED, DONE)
Leave = Callable[[CozeClient], Awaitable[None]]


async def break_off(client: CozeClient) -> None:
    async with client.workflow_chat(ALICE, CHAT) as stream:
        async for _ in stream:
            break


async def raise_out(client: CozeClient) -> None:
    try:
        async with client.workflow_chat(ALICE, CHAT) as stream:
            async for _ in stream:
                raise KeyError
    except KeyError:
        pass


async def never_read(client: CozeClient) -> None:
    async with client.workflow_chat(ALICE, CHAT):
        pass


async def close_from_elsewhere(client: CozeClient) -> None:
    async with client.workflow_chat(ALICE, CHAT) as stream:
        closing = asyncio.create_task(_close_soon(stream.aclose))
        async for _ in stream:
            pass
        await closing


async def _close_soon(aclose: Callable[[], Awaitable[None]]) -> None:
    await asyncio.sleep(0.002)
    await aclose()


async def _read_all(client: CozeClient) -> None:
    async with client.workflow_chat(ALICE, CHAT) as stream:
        async for _ in stream:
            pass


async def be_cancelled(client: CozeClient) -> None:
    """Cancelled once or twice, at a moment that differs from stream to stream."""
    reading = asyncio.create_task(_read_all(client))
    moment = next(_moments)
    for _ in range(moment % 40):
        await asyncio.sleep(0)
    if moment % 3 == 0:
        await asyncio.sleep(0.003)
    reading.cancel()
    await asyncio.sleep(0)
    if moment % 2:
        reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


_moments = iter(range(10**9))


@pytest.mark.parametrize("leave", [break_off, raise_out, never_read, close_from_elsewhere, be_cancelled])
def test_after_a_thousand_streams_left_early_the_pool_still_serves(leave: Leave):
    async def scene(client: CozeClient, coze: CozeStub) -> float:
        async def many() -> None:
            for _ in range(25):
                await leave(client)

        await asyncio.gather(*(many() for _ in range(40)))
        coze.answers = [SHORT]
        coze.requests.clear()
        started = time.monotonic()
        # Twice as many as there are slots, so that every slot is needed.
        await asyncio.gather(*(_read_all(client) for _ in range(40)))
        coze.answers = [envelope()]
        await asyncio.gather(*(client.delete_conversation(ALICE, "1") for _ in range(10)))
        took = time.monotonic() - started
        pool = client._transport._pools[1]._pool  # type: ignore[attr-defined]
        assert pool._requests == []
        assert pool.connections == []
        return took

    # Whoever finds no slot waits for 5 s, and then fails.
    assert run(scene, ENDLESS, limits=FEW) < 5


def test_cancelled_calls_leave_the_pool_whole():
    async def scene(client: CozeClient, coze: CozeStub) -> None:
        async def cancelled(turns: int) -> None:
            call = asyncio.create_task(client.delete_conversation(ALICE, "1"))
            for _ in range(turns % 30):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)

        await asyncio.gather(*(cancelled(turns) for turns in range(300)))
        await asyncio.gather(*(client.delete_conversation(ALICE, "1") for _ in range(30)))

    run(scene, envelope(), limits=FEW)


def test_stopping_from_another_task_ends_a_silent_stream_at_once_and_quietly():
    async def scene(client: CozeClient, coze: CozeStub) -> float:
        async with client.workflow_chat(ALICE, CHAT) as stream:
            started = time.monotonic()
            asyncio.get_running_loop().call_later(
                0.1, lambda: closing.append(asyncio.create_task(stream.aclose()))
            )
            closing: list[asyncio.Task[None]] = []
            events = [event async for event in stream]
            assert len(events) == 4
            await asyncio.gather(*closing)
            return time.monotonic() - started

    assert run(scene, ENDLESS, limits=FEW) < 1


def test_streams_do_not_starve_calls():
    async def scene(client: CozeClient, coze: CozeStub) -> None:
        async with client.workflow_chat(ALICE, CHAT), client.workflow_chat(ALICE, CHAT):
            coze.answers = [envelope()]
            await client.delete_conversation(ALICE, "1")
            with pytest.raises(errors.NoFreeConnection) as caught:
                await break_off(client)
            assert caught.value.nothing_sent
            assert caught.value.kind == "busy"

    run(scene, ENDLESS, limits=replace(FEW, max_streams=2, pool_timeout=0.1))


def test_a_client_closes_in_the_middle_of_everything():
    async def scene(client: CozeClient, coze: CozeStub) -> None:
        reading = asyncio.create_task(_read_all(client))
        await asyncio.sleep(0.1)
        await client.aclose()
        with pytest.raises(errors.Truncated):
            await reading

    run(scene, ENDLESS, limits=FEW)


def test_calls_share_their_connections_and_streams_do_not():
    async def scene(client: CozeClient, coze: CozeStub) -> None:
        for _ in range(5):
            await client.delete_conversation(ALICE, "1")
        assert coze.connections == 1
        coze.answers = [SHORT]
        for _ in range(3):
            await _read_all(client)
        assert coze.connections == 4

    run(scene, envelope(), limits=FEW)


def test_who_waited_in_vain_for_a_slot_leaves_it_to_the_others():
    """Slots become free at the very moment at which those who wait for them give up: the event loop was busy."""
    limits = replace(FEW, max_streams=5, pool_timeout=0.1)
    answer = chunked(CREATED, Step(seconds=0.08), COMPLETED, DONE)

    async def scene(client: CozeClient, coze: CozeStub) -> list[type | None]:
        async def one() -> type | None:
            try:
                await _read_all(client)
            except errors.CozeError as error:
                return type(error)
            return None

        for _each in range(10):
            crowd = [asyncio.create_task(one()) for _one in range(60)]
            await asyncio.sleep(0.07)
            time.sleep(0.1)  # noqa: ASYNC251 - others keep the loop busy
            assert set(await asyncio.gather(*crowd)) <= {None, errors.NoFreeConnection}
        coze.answers = [SHORT]
        return await asyncio.gather(*(one() for _each in range(5)))

    assert run(scene, answer, limits=limits) == [None] * 5
