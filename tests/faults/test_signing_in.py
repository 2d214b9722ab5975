"""U3, U17: tokens that are refused, and a token endpoint that is odd."""

import asyncio
import json

import pytest

from accounts import tokens
from cozechat import database
from cozechat.coze import breaker
from tests.coze.wire import COMPLETED, CREATED, DONE, chunked, delta, response, stub
from tests.faults.steps import CHAT, EXCHANGE, MADE, Stopwatch, requests_to, turn_row

ANSWER = chunked(CREATED, delta("Here I am."), COMPLETED, DONE)


async def test_a_coze_that_refuses_every_token_is_left_alone_and_asked_again_later(
    coze, alice, bob, tab, monkeypatch
):
    monkeypatch.setattr(breaker, "REST", 1.0)
    coze.arm("unauthorized", path=CHAT)
    async with tab(alice) as page, tab(bob) as bobs:
        for _each in range(breaker.THRESHOLD):
            asked = await page.say("hello")
            assert asked.last["error"]["code"] == "auth"
        sent, exchanged = requests_to(coze, CHAT), requests_to(coze, EXCHANGE)
        assert sent == 2 * breaker.THRESHOLD

        for other in (page, bobs):
            watch = Stopwatch()
            asked = await other.say("hello")
            assert watch.seconds < 0.5
            told = asked.last["error"]
            assert (told["code"], told["retryable"]) == ("auth", False)
            assert 0 < told["retry_after"] <= 1
        assert (requests_to(coze, CHAT), requests_to(coze, EXCHANGE)) == (sent, exchanged)

        coze.disarm()
        watch = Stopwatch()
        while (await bobs.say("count to 3")).last["type"] != "turn.completed":
            assert watch.seconds < 5
            await asyncio.sleep(0.1)
        assert (await page.say("count to 3")).last["type"] == "turn.completed"


async def test_a_token_of_one_user_that_is_refused_does_not_keep_others_out(coze, alice, bob, tab):
    coze.arm("unauthorized", path=CHAT, session_name=alice.session_name)
    async with tab(alice) as page, tab(bob) as bobs:
        for _each in range(breaker.THRESHOLD + 1):
            assert (await page.say("hello")).last["error"]["code"] == "auth"
            assert (await bobs.say("hello")).last["type"] == "turn.completed"


async def test_a_token_endpoint_that_fails_is_asked_once_in_five_seconds(coze, alice, tab):
    coze.arm("html-502", path=EXCHANGE)
    async with tab(alice) as page:
        for _each in range(4):
            asked = await page.say("hello")
            assert (asked.last["type"], asked.last["error"]["code"]) == ("turn.failed", "upstream_error")
        assert 0 < asked.last["error"]["retry_after"] <= tokens.FAILURE_SECONDS == 5
    assert requests_to(coze, EXCHANGE) == 1


async def test_a_token_endpoint_that_takes_its_time_is_waited_for_once(coze, alice, tab):
    coze.arm("slow-first-byte", path=EXCHANGE, seconds=1)
    async with tab(alice) as one, tab(alice) as other:
        first, second = await one.ask("hello"), await other.ask("hello")
        assert (await first.end())["type"] == (await second.end())["type"] == "turn.completed"
    assert requests_to(coze, EXCHANGE) == 1


@pytest.mark.parametrize(
    ("lifetime", "ends"),
    [
        (3600, "turn.completed"),
        ("3600", "turn.completed"),
        (4_000_000_000, "turn.completed"),
        (0, "turn.failed"),
        (-1, "turn.failed"),
        (None, "turn.failed"),
        ("soon", "turn.failed"),
    ],
)
async def test_an_odd_lifetime_is_understood_or_refused_in_words_and_never_asked_for_in_a_loop(
    coze, alice, tab, settings, lifetime, ends
):
    granted = {"access_token": "czs_canary", "expires_in": lifetime}
    token = response(json.dumps(granted).encode())
    answers = [token, MADE, ANSWER] if ends == "turn.completed" else [token]
    async with stub(*answers) as raw, tab(alice) as page:
        settings.COZE_API_BASE = raw.base_url
        first = await page.say("hello")
        second = await page.say("hello", conversation=first.conversation)
        assert {first.last["type"], second.last["type"]} == {ends}
        assert sum(request.target.startswith(EXCHANGE) for request in raw.requests) == 1
    if ends == "turn.failed":
        assert first.last["error"]["code"] == "bad_response"
        assert "canary" not in (await database.run(turn_row, first.turn)).coze_error


@pytest.mark.parametrize("seconds", [-300, 300])
async def test_a_clock_five_minutes_off_does_no_harm(coze, alice, tab, seconds):
    coze.arm("clock-skew", seconds=seconds)
    async with tab(alice) as page:
        first = await page.say("hello")
        second = await page.say("hello", conversation=first.conversation)
    assert (first.last["type"], second.last["type"]) == ("turn.completed", "turn.completed")
    assert requests_to(coze, EXCHANGE) == 1
