"""An answer that its owner has had already is given again, to that owner alone, and costs nothing."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from conversations import turns
from conversations.frames import TurnStart
from conversations.models import Conversation, Message, Step, Turn
from conversations.turns import recalling
from cozechat import counters, database
from cozechat.usage.models import UsageRecord
from tests.conversations.metering_steps import CREDIT, balance, give, set_price
from tests.faults.steps import CHAT, requests_to

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "count to 30"


@pytest.fixture(autouse=True)
def remembering(settings):
    settings.ANSWER_CACHE_SECONDS = 300


def chats(coze) -> int:
    return requests_to(coze, CHAT)


def counted(name: str) -> int:
    return counters.counted().get(name, 0)


async def is_cached(asked) -> bool:
    return bool(await database.run(Turn.objects.filter(pk=asked.turn, cached=True).exists))


async def test_the_same_first_question_is_answered_once_by_coze(coze, alice, tab):
    hits, misses = counted("answer_cache_hits"), counted("answer_cache_misses")
    async with tab(alice) as page:
        first, again = await page.say(QUESTION), await page.say(QUESTION)
    assert again.text == first.text != ""
    assert again.conversation != first.conversation
    assert (first.last["type"], again.last["type"]) == ("turn.completed", "turn.completed")
    assert again.last["usage"] == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    assert again.last["cached"] is True
    assert "cached" not in first.last
    assert not await is_cached(first)
    assert await is_cached(again)
    assert chats(coze) == 1
    assert counted("answer_cache_hits") == hits + 1
    assert counted("answer_cache_misses") == misses + 1


async def test_it_streams_as_deltas_and_is_stored_like_any_answer(coze, alice, tab):
    async with tab(alice) as page:
        first, again = await page.say("show me everything"), await page.say("show me everything")
        deltas = [
            frame for frame in page.seen if frame["type"] == "turn.delta" and frame["turn"] == again.turn
        ]
        await page.send("conversation.open", conversation=again.conversation)
        messages = (await page.until("conversation.state"))["messages"]
    assert deltas
    assert messages[-1]["content"] == first.text
    assert messages[-1]["cached"] is True
    stored = await database.run(list, Message.objects.filter(role="assistant").order_by("pk"))
    assert stored[0].html == stored[1].html != ""
    assert stored[0].breaks == stored[1].breaks


async def test_bob_and_a_visitor_who_ask_the_same_reach_coze(coze, alice, bob, visitor, tab):
    for count, person in enumerate((alice, bob, visitor), 1):
        async with tab(person) as page:
            asked = await page.say("my name is Alice and I like tea" if person is alice else QUESTION)
            asked = await page.say(QUESTION)
            assert await is_cached(asked) is (person is not alice)
        del count
    assert chats(coze) == 4


async def test_what_alice_was_told_is_never_bobs(coze, alice, bob, tab):
    async with tab(alice) as alices:
        await alices.say(QUESTION)
        # A secret in a row of hers that only its owner may ever be shown.
        secret = "alices secret"
        answers = Message.objects.filter(role="assistant", conversation__owner=alice)
        await database.run(answers.update, content=secret)
        assert (await alices.say(QUESTION)).text == secret
    async with tab(bob) as bobs:
        asked = await bobs.say(QUESTION)
        assert secret not in asked.text
        assert not [frame for frame in bobs.seen if secret in str(frame)]
    assert chats(coze) == 2


async def test_even_with_a_conversation_in_the_wrong_hands(coze, alice, bob, tab):
    """Turn and conversation must both be the owner's."""
    async with tab(alice) as alices:
        asked = await alices.say(QUESTION)
    await database.run(Turn.objects.filter(pk=asked.turn).update, owner=bob)
    for person in (alice, bob):
        async with tab(person) as page:
            assert not await is_cached(await page.say(QUESTION))


async def test_off_is_the_default_and_asks_every_time(coze, alice, tab, settings):
    settings.ANSWER_CACHE_SECONDS = 0
    async with tab(alice) as page:
        await page.say(QUESTION)
        assert not await is_cached(await page.say(QUESTION))
    assert chats(coze) == 2


@pytest.mark.parametrize(
    "change", ["words", "parameters", "history", "time", "stopped", "empty", "deleted", "case"]
)
async def test_anything_else_goes_to_coze(coze, alice, tab, change):
    async with tab(alice) as page:
        first = await page.say(QUESTION)
        rows = Turn.objects.filter(pk=first.turn)
        fields: dict = {}
        if change == "time":
            await database.run(rows.update, ended_at=timezone.now() - timedelta(seconds=301))
        elif change == "stopped":
            await database.run(rows.update, status="canceled")
        elif change == "empty":
            await database.run(Message.objects.filter(turn=first.turn, role="assistant").update, content="")
        elif change == "deleted":
            await database.run(
                turns.delete_conversation, alice, conversation_id=uuid.UUID(first.conversation)
            )
        elif change == "history":
            fields = {"conversation": first.conversation}
        elif change == "parameters":
            fields = {"parameters": {"tone": "kind"}}
        question = {"words": "count to 31", "case": "Count to 30"}.get(change, QUESTION)
        again = await page.ask(question, **fields)
        await again.end()
    assert not await is_cached(again)
    assert chats(coze) == 2


async def test_the_same_parameters_in_another_order_are_the_same(coze, alice, tab):
    async with tab(alice) as page:
        for parameters in ({"a": 1, "b": [2]}, {"b": [2], "a": 1}):
            asked = await page.ask(QUESTION, parameters=parameters)
            await asked.end()
    assert await is_cached(asked)


async def test_an_answer_that_is_asked_for_again_is_a_new_one(coze, alice, tab):
    async with tab(alice) as page:
        await page.say(QUESTION)
        again = await page.say(QUESTION)
        anew = await page.ask("", conversation=again.conversation, regenerates=again.turn)
        assert (await anew.end())["type"] == "turn.completed"
        assert await is_cached(again)
        assert not await is_cached(anew)
    assert chats(coze) == 2


async def test_the_page_says_so_without_a_script_too(coze, alice, tab, client):
    async with tab(alice) as page:
        first, again = await page.say(QUESTION), await page.say(QUESTION)
    await database.run(client.force_login, alice)
    words = "the answer you got a moment ago"

    def shown(asked) -> str:
        page = client.get(f"/c/{asked.conversation}/").content.decode()
        return page.partition('<template id="strings">')[0]

    assert words not in await database.run(shown, first)
    assert words in await database.run(shown, again)


async def test_another_assistant_is_asked(coze, alice, tab):
    async with tab(alice) as page:
        first = await page.say(QUESTION)
        conversation = await database.run(Conversation.objects.get, pk=first.conversation)
        assistant = conversation.assistant_id
        other = await database.run(_another_assistant, assistant)
        again = await page.ask(QUESTION, assistant=other)
        await again.end()
    assert not await is_cached(again)


def _another_assistant(pk: int) -> int:
    from cozechat.catalog.models import Assistant

    other = Assistant.objects.get(pk=pk)
    other.pk, other.name, other.gateway_name = None, "Another", ""
    other.save()
    return other.pk


async def test_a_remembered_answer_is_not_remembered_for_longer(coze, alice, tab):
    async with tab(alice) as page:
        first, again = await page.say(QUESTION), await page.say(QUESTION)
        assert await is_cached(again)
        old = timezone.now() - timedelta(seconds=301)
        await database.run(Turn.objects.filter(pk=first.turn).update, ended_at=old)
        assert not await is_cached(await page.say(QUESTION))


def _use_a_tool(turn: str) -> None:
    Step.objects.create(turn_id=turn, tool="clock", title="Clock", started_at=timezone.now())


async def test_an_answer_that_tools_helped_with_is_asked_anew(coze, kai, alice, tab):
    async with tab(alice) as page:
        first = await page.say(QUESTION)
        await database.run(_use_a_tool, first.turn)
        assert not await is_cached(await page.say(QUESTION))


async def test_a_conversation_that_began_so_goes_on_at_coze_with_what_was_said(coze, alice, tab):
    async with tab(alice) as page:
        await page.say("my name is Alice")
        again = await page.say("my name is Alice")
        assert await is_cached(again)
        asked = await page.say("what is my name?", conversation=again.conversation)
    assert "Alice" in asked.text
    assert chats(coze) == 2


async def test_the_isolation_check_always_asks_coze(coze, alice):
    for _each in range(2):
        frame = TurnStart(client_id=uuid.uuid4(), conversation=None, content=QUESTION)
        assert (await turns.ask(alice, frame=frame)).status == "completed"
    assert chats(coze) == 2


async def test_it_costs_nothing_and_counts_as_a_question_of_the_day(coze, alice, tab, settings):
    settings.CHARGE_CHAT, settings.TURNS_PER_DAY = True, 5
    await database.run(set_price)
    await database.run(give, alice.username, limit=50 * CREDIT)
    async with tab(alice) as page:
        await page.say(QUESTION)
        paid = await database.run(balance, alice.username)
        assert await is_cached(await page.say(QUESTION))
    assert await database.run(balance, alice.username) == paid
    costs = await database.run(list, UsageRecord.objects.order_by("pk").values_list("cost", flat=True))
    assert costs[0] > 0
    assert sum(costs[1:]) == 0
    assert (await database.run(turns.turns_today, alice.pk))["used"] == 2


async def test_a_stop_in_the_middle_ends_it(coze, alice, tab, monkeypatch):
    monkeypatch.setattr(recalling, "_PIECE", 1)
    async with tab(alice) as page:
        await page.say("count to 400")
        again = await page.ask("count to 400")
        await page.send("turn.stop", turn=again.turn)
        assert (await again.end())["type"] in {"turn.canceled", "turn.completed"}
    assert chats(coze) == 1
