"""U4: Coze says that it is too much. It is waited for as long as it asks, once, and only while nothing has run."""

import asyncio

import pytest

from conversations.turns import retrying
from cozechat import database
from tests.faults.steps import CHAT, Stopwatch, requests_to, turn_row


def lease_of(turn: str):
    return turn_row(turn).lease_until


@pytest.mark.parametrize(
    ("form", "seconds", "at_least"),
    [("seconds", 2.0, 2.0), ("date", 2.0, 1.0), ("absent", 0.0, 1.0)],
)
@pytest.mark.slow
async def test_a_limit_is_waited_for_and_the_question_asked_once_more(
    coze, alice, tab, form, seconds, at_least
):
    coze.arm("rate-limited", path=CHAT, times=1, seconds=seconds, retry_after=form)
    watch = Stopwatch()
    async with tab(alice) as page:
        asked = await page.say("count to 3")
    assert asked.last["type"] == "turn.completed"
    assert at_least <= watch.seconds < seconds + 4
    assert requests_to(coze, CHAT) == 2


async def test_a_second_refusal_is_the_end_and_says_when_to_come_back(coze, alice, tab, monkeypatch):
    monkeypatch.setattr(retrying, "SPREAD", 0.0)
    coze.arm("rate-limited", path=CHAT, seconds=0.4)
    async with tab(alice) as page:
        asked = await page.say("hello")
    told = asked.last["error"]
    assert (told["code"], told["retryable"], told["retry_after"]) == ("rate_limited", True, 0.4)
    assert requests_to(coze, CHAT) == 2


@pytest.mark.parametrize("seconds", [31, 3600])
async def test_a_long_limit_is_not_waited_for(coze, alice, tab, seconds):
    coze.arm("rate-limited", path=CHAT, seconds=seconds)
    async with tab(alice) as page:
        watch = Stopwatch()
        asked = await page.say("hello")
    assert watch.seconds < 2
    assert (asked.last["error"]["code"], asked.last["error"]["retry_after"]) == ("rate_limited", seconds)
    assert requests_to(coze, CHAT) == 1


@pytest.mark.parametrize("code", [4009, 4013, 4020])
async def test_a_limit_that_comes_as_a_code_with_http_200_is_waited_for_too(
    coze, alice, tab, monkeypatch, code
):
    monkeypatch.setattr(retrying, "UNKNOWN_WAIT", 0.1)
    monkeypatch.setattr(retrying, "SPREAD", 0.0)
    coze.arm("json-error", path=CHAT, code=code, times=1)
    async with tab(alice) as page:
        asked = await page.say("count to 3")
    assert asked.last["type"] == "turn.completed"
    assert requests_to(coze, CHAT) == 2


@pytest.mark.parametrize("after", [0, 3])
async def test_a_limit_within_an_answer_is_its_end(coze, alice, tab, after):
    coze.arm("error-event", path=CHAT, after=after, code=4020)
    async with tab(alice) as page:
        asked = await page.say("count to 30")
    assert (asked.last["type"], asked.last["error"]["code"]) == ("turn.failed", "rate_limited")
    assert requests_to(coze, CHAT) == 1


async def test_a_turn_that_waits_keeps_its_lease_and_can_be_stopped_at_once(coze, alice, tab):
    coze.arm("rate-limited", path=CHAT, times=1, seconds=20)
    async with tab(alice) as page:
        asked = await page.ask("hello")
        await asyncio.sleep(0.5)
        before = await database.run(lease_of, asked.turn)
        await asyncio.sleep(1.5)
        assert await database.run(lease_of, asked.turn) > before

        watch = Stopwatch()
        await page.send("turn.stop", turn=asked.turn)
        assert (await asked.end())["type"] == "turn.canceled"
        assert watch.seconds < 1
        again = await page.say("count to 3", conversation=asked.conversation)
        assert again.last["type"] == "turn.completed"
    assert requests_to(coze, CHAT) == 2
