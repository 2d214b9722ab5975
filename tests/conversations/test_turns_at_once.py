"""One user's answers leave streams to everybody else's."""

import asyncio
import uuid
from importlib import import_module

import pytest

from conversations import turns
from conversations.frames import TurnStart
from conversations.models import Conversation, Turn
from conversations.turns import queueing
from cozechat import database

# The package has a function of the same name.
engines = import_module("conversations.turns.engine")
pytestmark = pytest.mark.django_db(transaction=True)


async def full(page, coze, settings) -> list:
    """As many answers as may run at once, each in its conversation; they come to no end."""
    coze.arm("stall", after=1, seconds=600, times=settings.TURNS_AT_ONCE)
    running = []
    for _each in range(settings.TURNS_AT_ONCE):
        running.append(await page.ask("count to 9"))
        await running[-1].words()
    return running


async def stop(page, asked) -> None:
    await page.send("turn.stop", turn=asked.turn)
    assert (await asked.end())["type"] == "turn.canceled"


async def refusal(page, **question) -> dict:
    fields = {
        "client_id": str(uuid.uuid4()),
        "conversation": None,
        "content": "hello",
        "queue": True,
    } | question
    await page.send("turn.start", **fields)
    return await page.until("error", "turn.accepted")


async def test_a_ninth_answer_does_not_begin_and_the_same_question_may_be_sent_again(
    coze, alice, tab, settings
):
    async with tab(alice) as page:
        running = await full(page, coze, settings)
        client_id = str(uuid.uuid4())
        refused = await refusal(page, client_id=client_id)
        message = refused.pop("message")
        assert refused == {"type": "error", "code": "rate_limited", "client_id": client_id, "retry_after": 5}
        assert "answers" in message
        assert await database.run(Conversation.objects.count) == settings.TURNS_AT_ONCE
        await stop(page, running[0])
        accepted = await refusal(page, client_id=client_id)
        assert (accepted["type"], accepted["client_id"]) == ("turn.accepted", client_id)
        for asked in running[1:]:
            await stop(page, asked)


async def test_the_eighth_is_the_last_in_a_conversation_that_rests_too(coze, alice, tab, settings):
    async with tab(alice) as page:
        resting = await page.say("hello")
        running = await full(page, coze, settings)
        assert (await refusal(page, conversation=resting.conversation))["code"] == "rate_limited"
        for asked in running:
            await stop(page, asked)


async def test_a_question_behind_a_running_answer_still_waits_there(coze, alice, tab, settings):
    async with tab(alice) as page:
        running = await full(page, coze, settings)
        behind = await refusal(page, conversation=running[0].conversation)
        assert (behind["type"], behind["queued"]) == ("turn.accepted", True)
        await stop(page, running[0])
        assert (await page.until("turn.started", turn=behind["turn"]))["turn"] == behind["turn"]
        for asked in running[1:]:
            await stop(page, asked)


async def test_bobs_eight_do_not_keep_alice_waiting(coze, alice, bob, tab, settings):
    async with tab(bob) as bobs, tab(alice) as alices:
        running = await full(bobs, coze, settings)
        assert (await refusal(bobs))["code"] == "rate_limited"
        assert (await alices.say("hello")).last["type"] == "turn.completed"
        for asked in running:
            await stop(bobs, asked)


async def test_the_sites_own_questions_are_not_counted_against(coze, alice, tab, settings):
    async with tab(alice) as page:
        running = await full(page, coze, settings)
        frame = TurnStart(client_id=uuid.uuid4(), conversation=None, content="hello")
        assert (await turns.ask(alice, frame=frame)).status == "completed"
        for asked in running:
            await stop(page, asked)


async def test_a_queued_question_whose_turn_comes_waits_on_and_then_begins(
    coze, alice, tab, settings, monkeypatch
):
    monkeypatch.setattr(engines, "QUEUES_EVERY", 0.2)
    settings.TURNS_AT_ONCE = 2
    async with tab(alice) as page:
        first, second = await full(page, coze, settings)
        behind = await page.ask("count to 3", conversation=first.conversation)
        settings.TURNS_AT_ONCE = 1
        await stop(page, first)
        assert await database.run(queueing.idle) == []
        assert await database.run(queueing.begin_next, uuid.UUID(behind.conversation)) is None
        await asyncio.sleep(0.5)
        assert await database.run(Turn.objects.queued().filter(pk=behind.turn).exists)
        await stop(page, second)
        await page.until("turn.started", turn=behind.turn)
