"""U7, U8, U12: a Coze that stops speaking, or only keeps the connection open. What came is kept."""

import asyncio
import os
import signal
from itertools import repeat

import pytest

from cozechat import database
from cozechat.emulator import process
from tests.coze.wire import CREATED, Step, chunked, delta, event
from tests.faults.steps import Stopwatch, raw_coze, stored_answer, turn_row

LIMIT = 1.0


@pytest.fixture(autouse=True)
def a_site_of_little_patience(settings):
    settings.COZE_SILENCE_SECONDS = LIMIT
    settings.COZE_CONTENT_SECONDS = LIMIT


def test_the_limits_are_a_minute_and_two():
    from cozechat import settings as shipped

    assert (shipped.COZE_SILENCE_SECONDS, shipped.COZE_CONTENT_SECONDS) == (60, 120)


async def ends_as_timed_out(page, *, text: str) -> None:
    watch = Stopwatch()
    asked = await page.say("hello")
    told = asked.last["error"]
    assert (asked.last["type"], told["code"], told["retryable"]) == ("turn.failed", "timeout", True)
    assert LIMIT <= watch.seconds < LIMIT + 2
    assert asked.text == await database.run(stored_answer, asked.turn) == text
    assert (await database.run(turn_row, asked.turn)).status == "failed"


async def test_silence_within_an_answer_ends_it_and_its_connection(coze, alice, tab, settings):
    # What is written later finds out that nobody is there any more.
    later = [Step(seconds=LIMIT + 0.5), b": still there\n", Step(seconds=0.1)] * 2
    async with raw_coze(settings, chunked(CREATED, delta("So far."), *later)) as raw, tab(alice) as page:
        await ends_as_timed_out(page, text="So far.")
        for _each in range(150):
            if raw.open_connections <= 1:
                break
            await asyncio.sleep(0.02)
        # The one that is kept is that of the calls.
        assert raw.open_connections == 1
        assert len(raw.requests) == raw.connections + 1 == 3


@pytest.mark.parametrize(
    "sign",
    [b": ping\n\n", event("PING", {}), b"id: 1\n", event("conversation.chat.in_progress", {"id": "1"})],
    ids=["comments", "unknown events", "half an event", "in progress"],
)
async def test_signs_of_life_without_content_are_waited_for_in_vain_only_so_long(
    coze, alice, tab, settings, sign
):
    drip = [piece for _each in repeat(None, 60) for piece in (sign, Step(seconds=0.1))]
    async with raw_coze(settings, chunked(CREATED, delta("So far."), *drip)), tab(alice) as page:
        await ends_as_timed_out(page, text="So far.")


async def test_content_that_comes_slowly_is_no_silence(coze, alice, tab, settings):
    from tests.coze.wire import COMPLETED, DONE

    slow = [piece for _each in range(5) for piece in (delta("a"), Step(seconds=0.4))]
    async with raw_coze(settings, chunked(CREATED, *slow, COMPLETED, DONE)), tab(alice) as page:
        asked = await page.say("hello")
    assert (asked.last["type"], asked.text) == ("turn.completed", "aaaaa")


async def test_a_coze_that_froze_is_noticed_and_found_again(coze, alice, tab, settings, tmp_path):
    """U8: its machine is gone, and no FIN was sent."""
    with process.start(tmp_path, in_memory=True, pace=50) as frozen:
        settings.COZE_API_BASE, settings.COZE_EMULATOR_DIR = frozen.base_url, tmp_path
        async with tab(alice) as page:
            asked = await page.ask("count to 300")
            await asked.words()
            os.kill(frozen.pid, signal.SIGSTOP)
            watch = Stopwatch()
            try:
                end = await asked.end(timeout=5)
            finally:
                os.kill(frozen.pid, signal.SIGCONT)
            assert LIMIT * 0.5 <= watch.seconds < LIMIT + 2
            assert (end["type"], end["error"]["code"]) == ("turn.failed", "timeout")
            assert asked.text == await database.run(stored_answer, asked.turn) != ""
            assert (await page.say("count to 3")).last["type"] == "turn.completed"
