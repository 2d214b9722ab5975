"""One call of the client to a Coze of raw bytes: what it returns or raises, and what it asked."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest

from cozechat.coze import errors
from cozechat.coze.client import CozeClient
from tests.coze.wire import HASTY, CozeStub, Received, Script, run

# Where no time-out is the matter, a busy machine shall not be one.
PATIENT = replace(HASTY, connect_timeout=10, read_timeout=10, pool_timeout=10)
Act = Callable[[CozeClient], Awaitable[Any]]
Open = Callable[[CozeClient], AbstractAsyncContextManager[AsyncIterator[Any]]]


def ask(act: Act, *answers: Script, **options: Any) -> tuple[Any, Received]:
    """What a call returns, and the one request that it made."""

    async def scene(client: CozeClient, coze: CozeStub) -> Any:
        found = await act(client)
        (request,) = coze.requests
        return found, request

    return run(scene, *answers, **{"limits": PATIENT, **options})


def refusal(act: Act, *answers: Script, **options: Any) -> errors.CozeError:
    """What a call raises."""

    async def scene(client: CozeClient, coze: CozeStub) -> errors.CozeError:
        with pytest.raises(errors.CozeError) as caught:
            await act(client)
        return caught.value

    return run(scene, *answers, **{"limits": PATIENT, **options})


def hear(opened: Open, script: Script) -> tuple[list[Any], errors.CozeError | None, Received]:
    """The events of a stream, the error after them, and the one request that it took."""

    async def scene(client: CozeClient, coze: CozeStub) -> Any:
        events: list[Any] = []
        error = None
        try:
            async with opened(client) as stream:
                async for item in stream:
                    events.append(item)  # noqa: PERF401 - those before an error count
        except errors.CozeError as caught:
            error = caught
        (request,) = coze.requests
        return events, error, request

    return run(scene, script, limits=PATIENT)


def unsent(act: Act) -> errors.CozeError:
    """What a call raises before anything is sent."""

    async def scene(client: CozeClient, coze: CozeStub) -> errors.CozeError:
        with pytest.raises(errors.CozeError) as caught:
            await act(client)
        assert coze.requests == []
        return caught.value

    return run(scene, [b""], limits=PATIENT)


def names(events: list[Any]) -> list[str]:
    return [type(event).__name__ for event in events]
