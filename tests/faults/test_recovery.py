"""Coze goes away and comes back: it is left alone meanwhile, and people are answered again within half a minute."""

import asyncio
import gc

import pytest

from cozechat.coze import breaker
from cozechat.emulator import process
from tests.coze.wire import ALICE, Step, client_of, stub
from tests.faults.steps import Stopwatch, quiet_port


@pytest.mark.slow
async def test_people_are_answered_within_half_a_minute_of_cozes_return(
    coze, alice, bob, tab, settings, monkeypatch, tmp_path
):
    """The breaker begins with its longest rest, as after a long absence: so this is the worst case."""
    monkeypatch.setattr(breaker, "REST", breaker.LONGEST_REST)
    port = quiet_port()
    settings.COZE_API_BASE, settings.COZE_EMULATOR_DIR = f"http://127.0.0.1:{port}", tmp_path
    async with tab(alice) as page, tab(bob) as bobs:
        with process.start(tmp_path, port=port, pace=400):
            first = await page.say("My name is Alice")
            assert first.last["type"] == "turn.completed"

        for _each in range(breaker.THRESHOLD):
            gone = await page.say("hello", conversation=first.conversation)
            assert gone.last["error"]["code"] == "unreachable"
        watch = Stopwatch()
        spared = await bobs.say("hello")
        assert watch.seconds < 0.5
        assert 0 < spared.last["error"]["retry_after"] <= breaker.LONGEST_REST

        with process.start(tmp_path, port=port, pace=400) as back:
            watch = Stopwatch()
            while True:
                again = await page.say("What is my name?", conversation=first.conversation)
                if again.last["type"] == "turn.completed":
                    break
                await asyncio.sleep(0.5)
            assert watch.seconds < 30
            assert (await bobs.say("hello")).last["type"] == "turn.completed"
            asked = await page.say("What is my name?", conversation=first.conversation)
            assert "Alice" in asked.text
            # While it was left alone nothing but the one probe knocked.
            assert back.ledger()["requests"]["POST /v1/workflows/chat"] <= 5


async def test_what_fails_after_everybody_has_left_is_no_report_of_an_error_nobody_looked_at():
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    silent = [Step(seconds=0.3), Step(reset=True)]
    async with stub([b"", *silent]) as raw, client_of(raw.base_url) as client:
        leaving = [client.retrieve_conversation(ALICE, "1") for _each in range(3)]
        tasks = [asyncio.create_task(call) for call in leaving]
        left_in_mid_air = client.retrieve_conversation(ALICE, "1")
        left_in_mid_air.send(None)
        await asyncio.sleep(0.1)
        left_in_mid_air.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.5)
        gc.collect()
        await asyncio.sleep(0)
    assert [context["message"] for context in reported] == []
