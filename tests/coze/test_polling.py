"""Waiting for an end by asking again and again, on a clock that a test moves."""

import asyncio
import gc
import json
from dataclasses import replace
from typing import Any

import pytest

from cozechat.coze import errors
from cozechat.coze.client import CozeClient
from cozechat.coze.polling import Pace, PollsSpent
from cozechat.coze.statuses import Status
from tests.coze.asking import PATIENT
from tests.coze.wire import ALICE, CozeStub, Script, Step, envelope, response, run

WORKFLOW, EXECUTION = "7480012345678902005", "7480012345678909001"


class Clock:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    async def sleep(self, seconds: float, /, *, until: "asyncio.Future[None]") -> None:
        self.pauses.append(round(seconds, 3))
        self.now += seconds

    def pace(self, **changes: Any) -> Pace:
        return replace(Pace(clock=lambda: self.now, sleep=self.sleep), **changes)


def state(word: str) -> Script:
    return envelope([{"execute_id": EXECUTION, "execute_status": word, "output": ""}])


RUNNING, SUCCESS = state("Running"), state("Success")
BROKEN: Script = [b"", Step(reset=True)]


def poll(*answers: Script, **changes: Any) -> tuple[list[Status], errors.CozeError | None, Clock, int, int]:
    """States that were seen, the error after them, the clock, how many polls there were, how many failed."""
    clock = Clock()

    async def scene(client: CozeClient, coze: CozeStub) -> Any:
        polling = client.runs.until_ended(ALICE, WORKFLOW, EXECUTION, pace=clock.pace(**changes))
        seen: list[Status] = []
        error = None
        try:
            async for found in polling:
                seen.append(found.status)  # noqa: PERF401 - those before an error count
        except errors.CozeError as caught:
            error = caught
        assert len(coze.requests) == polling.attempts
        return seen, error, clock, polling.attempts, polling.failures

    return run(scene, *answers, limits=PATIENT)


def test_the_first_poll_comes_at_once_and_the_others_every_two_seconds():
    seen, error, clock, attempts, _ = poll(RUNNING, RUNNING, SUCCESS)
    assert seen == [Status.IN_PROGRESS, Status.IN_PROGRESS, Status.COMPLETED]
    assert (error, clock.pauses, attempts) == (None, [2.0, 2.0], 3)


def test_after_150_polls_it_is_enough():
    seen, error, clock, attempts, failures = poll(RUNNING)
    assert type(error) is PollsSpent
    assert (error.kind, error.retryable) == ("timeout", True)
    assert (len(seen), attempts, failures) == (150, 150, 0)
    assert sum(clock.pauses) == 149 * 2


def test_a_failed_poll_takes_an_attempt_and_does_not_end_it():
    html = response(b"<html>", mime="text/html", status="502 Bad Gateway")
    nonsense = state("Dreaming")
    seen, error, clock, attempts, failures = poll(RUNNING, BROKEN, html, nonsense, SUCCESS)
    assert seen == [Status.IN_PROGRESS, Status.COMPLETED]
    assert (error, attempts, failures) == (None, 5, 3)
    assert clock.pauses == [2.0] * 4


def test_polls_that_all_fail_are_spent_and_the_last_reason_is_kept():
    seen, error, _, attempts, failures = poll(BROKEN, attempts=3)
    assert (seen, attempts, failures) == ([], 3, 3)
    assert type(error) is PollsSpent
    assert isinstance(error.__cause__, errors.ConnectionLost)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(4314, errors.NotFound), (4100, errors.TokenRefused), (4101, errors.PermissionDenied)],
)
def test_a_refusal_is_not_asked_for_again(code: int, kind: type):
    seen, error, _, attempts, _ = poll(RUNNING, envelope(code=code, msg="no"))
    assert (seen, type(error), attempts) == ([Status.IN_PROGRESS], kind, 2)


@pytest.mark.parametrize(("asked", "kept"), [("7", 7.0), ("1", 2.0), ("3000", 30.0)])
def test_a_pause_that_coze_asks_for_is_kept_within_reason(asked: str, kept: float):
    slow = response(b'{"code":4020,"msg":"slow"}', headers=f"Retry-After: {asked}\r\n")
    _, error, clock, _, failures = poll(slow, SUCCESS)
    assert (error, clock.pauses, failures) == (None, [kept], 1)


@pytest.mark.parametrize(
    "answer",
    [
        state("Fail"),
        state("Canceled"),
        envelope([{"execute_status": "Running", "interrupt_data": {"event_id": "1/2", "type": 2}}]),
    ],
)
def test_whatever_does_not_go_on_by_itself_is_an_end(answer: Script):
    seen, error, _, attempts, _ = poll(answer, RUNNING)
    assert (len(seen), error, attempts) == (1, None, 1)


def test_the_time_that_a_poll_takes_is_part_of_the_interval():
    clock = Clock()

    async def scene(client: CozeClient, coze: CozeStub) -> None:
        polling = client.runs.until_ended(ALICE, WORKFLOW, EXECUTION, pace=clock.pace())
        await anext(polling)
        clock.now += 0.5
        await anext(polling)
        clock.now += 10
        await anext(polling)

    run(scene, RUNNING, limits=PATIENT)
    assert clock.pauses == [1.5]


def test_a_chat_is_waited_for_in_the_same_way():
    clock = Clock()

    def chat(status: str) -> Script:
        return response(
            json.dumps({"code": 0, "data": {"id": "2", "conversation_id": "1", "status": status}}).encode()
        )

    async def scene(client: CozeClient, coze: CozeStub) -> Any:
        found = await client.chats.until_ended(ALICE, "1", "2", pace=clock.pace()).last()
        return found.status, len(coze.requests)

    answers = (chat("created"), chat("in_progress"), BROKEN, chat("requires_action"))
    assert run(scene, *answers, limits=PATIENT) == (Status.REQUIRES_ACTION, 4)


def test_the_last_of_polls_that_do_not_suffice_is_an_error():
    async def scene(client: CozeClient, coze: CozeStub) -> None:
        with pytest.raises(PollsSpent):
            await client.runs.until_ended(ALICE, WORKFLOW, EXECUTION, pace=Clock().pace(attempts=2)).last()

    run(scene, RUNNING, limits=PATIENT)


async def close_soon(polling: Any) -> None:
    await asyncio.sleep(0.05)
    await polling.aclose()


def test_closing_ends_the_pause_at_once_and_quietly():
    async def scene(client: CozeClient, coze: CozeStub) -> tuple[int, float]:
        polling = client.runs.until_ended(ALICE, WORKFLOW, EXECUTION, pace=Pace(interval=60))
        loop = asyncio.get_running_loop()
        started = loop.time()
        seen = [await anext(polling)]
        closing = asyncio.create_task(close_soon(polling))
        seen += [found async for found in polling]
        await closing
        await polling.aclose()
        assert [found async for found in polling] == []
        return len(seen), loop.time() - started

    seen, seconds = run(scene, RUNNING, limits=PATIENT)
    assert seen == 1
    assert seconds < 5


def test_closing_ends_a_silent_poll_at_once_and_its_request_is_not_cancelled():
    async def scene(client: CozeClient, coze: CozeStub) -> None:
        polling = client.runs.until_ended(ALICE, WORKFLOW, EXECUTION)
        closing = asyncio.create_task(close_soon(polling))
        assert [found async for found in polling] == []
        await closing
        assert polling.attempts == 1
        pool = client._transport._pools[0]._pool  # type: ignore[attr-defined]
        assert len(pool._requests) == 1
        await asyncio.wait(client._transport._owned)
        assert pool._requests == []
        coze.answers = [RUNNING]
        assert (await client.runs.history(ALICE, WORKFLOW, EXECUTION)).status is Status.IN_PROGRESS

    run(scene, [b"", Step(seconds=1), *RUNNING], limits=PATIENT)


def test_a_poll_that_fails_unheard_leaves_no_complaint():
    async def scene(client: CozeClient, coze: CozeStub) -> list[Any]:
        complaints: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        polling = client.runs.until_ended(ALICE, WORKFLOW, EXECUTION)
        closing = asyncio.create_task(close_soon(polling))
        assert [found async for found in polling] == []
        await closing
        await asyncio.wait(client._transport._owned)
        gc.collect()
        return complaints

    assert run(scene, [b"", Step(seconds=1), *envelope(code=5000, msg="broken")], limits=PATIENT) == []


def test_a_reader_who_is_cancelled_leaves_the_pool_whole():
    async def scene(client: CozeClient, coze: CozeStub) -> None:
        for _ in range(30):
            polling = client.runs.until_ended(ALICE, WORKFLOW, EXECUTION)
            reading = asyncio.create_task(polling.last())
            await asyncio.sleep(0.005)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        coze.answers = [RUNNING]
        await asyncio.gather(*(client.runs.history(ALICE, WORKFLOW, EXECUTION) for _ in range(30)))

    run(scene, [b"", Step(seconds=0.01), *RUNNING], limits=PATIENT)
