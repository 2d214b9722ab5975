"""Runs and chats that ask back: the question is kept as a form, answered once, from anywhere, by its owner alone."""

import json

import pytest
from django.test import Client

from conversations.models import Turn
from cozechat import database
from tests.conversations import runs
from tests.tabs import log_in

CLIENT_ID = "6a1f1f86-1111-4222-8333-444455556666"


async def order(page, name="Order", drink="latte"):
    assistant = await database.run(runs.named, name)
    asked = await page.ask("", assistant=assistant, parameters={"drink": drink})
    await asked.end()
    return asked


async def answer(page, asked, content="", **fields):
    replied = await page.ask(content, conversation=asked.conversation, **fields)
    await replied.end()
    return replied


def state_of(turn):
    return runs.stored(turn).interrupt_state


@pytest.fixture(autouse=True)
def quick_polls(settings):
    settings.TURN_POLL_SECONDS = 0.1


@pytest.mark.parametrize("name", ["Order", "waited-order", "long-order"])
async def test_options_and_then_inputs_are_asked_and_answered(coze, alice, tab, name):
    async with tab(alice) as page:
        asked = await order(page, name)
        assert asked.last["type"] == "turn.requires_action"
        assert asked.last["interrupt"] == {
            "question": "What size should your latte be?",
            "options": ["Small", "Medium", "Large"],
            "inputs": [],
            "state": "open",
        }
        sized = await answer(page, asked, "Medium")
        assert sized.last["type"] == "turn.requires_action"
        wanted = {
            each["name"]: (each["type"], each["required"]) for each in sized.last["interrupt"]["inputs"]
        }
        assert wanted == {
            "name": ("text", True),
            "minutes": ("integer", False),
            "receipt": ("boolean", False),
        }
        values = {"name": "Ada", "minutes": 5, "receipt": True}
        done = await answer(page, asked, answers=sized.turn, parameters=values)
    assert done.last["type"] == "turn.completed"
    assert "- **drink**: latte\n- **size**: Medium" in done.text
    assert '"name": "Ada"' in done.text
    assert [await database.run(state_of, each.turn) for each in (asked, sized, done)] == ["answered"] * 2 + [
        ""
    ]


async def test_the_next_message_answers_in_plain_words_too(coze, alice, tab):
    async with tab(alice) as page:
        assistant = await database.run(runs.named, "ask")
        asked = await page.ask("hi", assistant=assistant)
        await asked.end()
        assert asked.last["type"] == "turn.requires_action"
        assert asked.text == asked.last["interrupt"]["question"] != ""
        replied = await answer(page, asked, "tea")
    assert replied.last["type"] == "turn.completed"
    assert "**tea**" in replied.text
    assert (await database.run(runs.stored, replied.turn)).answers_id is not None


async def test_the_form_is_there_after_a_reload_and_is_answered_from_another_device(coze, alice, tab):
    async with tab(alice) as desk:
        asked = await order(desk)
    async with tab(alice) as phone:
        await phone.send("conversation.open", conversation=asked.conversation)
        state = await phone.until("conversation.state")
        kept = state["messages"][1]
        assert (kept["status"], kept["interrupt"]["state"]) == ("requires_action", "open")
        assert kept["interrupt"]["options"] == ["Small", "Medium", "Large"]
        await answer(phone, asked, "Large", answers=kept["turn"])
        await phone.send("conversation.open", conversation=asked.conversation)
        state = await phone.until("conversation.state")
    assert state["messages"][1]["interrupt"]["state"] == "answered"


async def test_an_answer_is_given_once(coze, alice, tab):
    async with tab(alice) as page:
        asked = await order(page)
        await answer(page, asked, "Small", answers=asked.turn)
        await page.send(
            "turn.start",
            client_id=CLIENT_ID,
            conversation=asked.conversation,
            content="Large",
            answers=asked.turn,
        )
        error = await page.until("error")
    assert error["code"] == "not_found"
    assert sum(count for path, count in coze.ledger()["requests"].items() if "stream_resume" in path) == 1


async def test_typed_answers_are_checked_field_by_field(coze, alice, tab):
    async with tab(alice) as page:
        asked = await order(page)
        sized = await answer(page, asked, "Small")
        for values, fields in (
            ({}, {"name"}),
            ({"name": "Ada", "minutes": "soon", "x": 1}, {"minutes", "x"}),
        ):
            await page.send(
                "turn.start", client_id=CLIENT_ID, conversation=asked.conversation, content="",
                answers=sized.turn, parameters=values,
            )  # fmt: skip
            error = await page.until("error")
            assert (error["code"], set(error["fields"])) == ("bad_parameters", fields)
        assert await database.run(state_of, sized.turn) == "open"


async def test_an_answer_that_did_not_arrive_can_be_given_again(coze, alice, tab):
    async with tab(alice) as page:
        asked = await order(page)
        coze.arm("json-error", code=4013, msg="busy", path="/v1/workflow/stream_resume", times=2)
        failed = await answer(page, asked, "Small")
        assert failed.last["type"] == "turn.failed"
        assert await database.run(state_of, asked.turn) == "open"
        again = await answer(page, asked, "Small", answers=asked.turn)
    assert again.last["type"] == "turn.requires_action"


async def test_a_run_that_waits_no_more_says_so(coze, alice, tab):
    async with tab(alice) as page:
        asked = await order(page)
        coze.arm("json-error", code=4315, msg="finished", path="/v1/workflow/stream_resume", times=1)
        late = await answer(page, asked, "Small")
        assert late.last["error"]["code"] == "not_found"
        assert "does not wait" in late.last["error"]["message"]
        assert await database.run(state_of, asked.turn) == "over"


async def test_a_new_form_passes_the_question_over(coze, alice, tab):
    async with tab(alice) as page:
        asked = await order(page)
        again = await page.ask("", conversation=asked.conversation, parameters={"drink": "espresso"})
        await again.end()
    assert "espresso" in again.last["interrupt"]["question"]
    assert await database.run(state_of, asked.turn) == "over"
    assert await database.run(state_of, again.turn) == "open"


async def test_what_waited_in_the_queue_answers_what_was_asked_meanwhile(coze, alice, tab):
    async with tab(alice) as page:
        assistant = await database.run(runs.named, "ask")
        coze.arm("slow-first-byte", seconds=1, path="/v1/workflow/stream_run", times=1)
        asked = await page.ask("hi", assistant=assistant)
        queued = await page.ask("tea", conversation=asked.conversation)
        await asked.end()
        await queued.end()
    assert queued.last["type"] == "turn.completed"
    assert "**tea**" in queued.text


async def test_a_queued_form_is_not_reworded(coze, alice, tab):
    async with tab(alice) as page:
        coze.arm("stall", after=1, seconds=3, path="/v1/workflow/stream_run", times=1)
        assistant = await database.run(runs.named, "Trip planner")
        asked = await page.ask("", assistant=assistant, parameters={"city": "Oslo"})
        queued = await page.ask("", conversation=asked.conversation, parameters={"city": "Rome"})
        await page.send("turn.edit", turn=queued.turn, content="Paris")
        assert (await page.until("error"))["code"] == "bad_frame"
        await page.send("turn.stop", turn=asked.turn)
        await queued.end()
    assert "Rome" in queued.text


async def test_a_chat_that_asks_back_keeps_its_question_and_its_answer(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("ask me a question")
        assert asked.last["type"] == "turn.requires_action"
        assert asked.last["interrupt"]["state"] == "open"
        replied = await page.say("green tea", conversation=asked.conversation)
        assert replied.last["type"] == "turn.completed"
    assert await database.run(state_of, asked.turn) == "answered"


async def test_bob_cannot_answer_for_alice(coze, alice, bob, tab):
    async with tab(alice) as alices, tab(bob) as bobs:
        asked = await order(alices)
        own = await order(bobs)
        for conversation in (asked.conversation, own.conversation, None):
            await bobs.send(
                "turn.start",
                client_id=CLIENT_ID,
                conversation=conversation,
                content="Small",
                answers=asked.turn,
            )
            assert (await bobs.until("error"))["code"] == "not_found"
    assert await database.run(state_of, asked.turn) == "open"
    assert await database.run(Turn.objects.filter(owner=bob).count) == 1


async def test_the_api_tells_the_form_to_its_owner_alone(coze, alice, bob, tab):
    async with tab(alice) as page:
        asked = await order(page)
    path = f"/api/conversations/{asked.conversation}/messages"
    for user, status in ((alice, 200), (bob, 404)):
        client = Client()
        await database.run(client.force_login, user)
        reply = await database.run(client.get, path)
        assert reply.status_code == status
        if status == 200:
            assert json.loads(reply.content)["items"][1]["interrupt"]["state"] == "open"
    assert log_in


async def test_a_question_that_was_deleted_is_answered_by_nothing_that_comes_after(coze, alice, tab):
    async with tab(alice) as page:
        asked = await order(page)
        address = f"/api/conversations/{asked.conversation}/turns/{asked.turn}"
        client = Client()
        await database.run(client.force_login, alice)
        assert (await database.run(client.delete, address)).status_code == 204
        again = await answer(page, asked, "espresso")
    assert again.last["interrupt"]["question"] == "What size should your espresso be?"
    erased = await database.run(runs.stored, asked.turn)
    assert (erased.interrupt, erased.suggestions) == ({}, [])


async def test_a_run_that_was_deleted_is_not_looked_up_again(coze, alice, tab):
    async with tab(alice) as page:
        asked = await order(page, "long-order")
        await database.run(Turn.objects.filter(pk=asked.turn).update, status=Turn.Status.INTERRUPTED)
        client = Client()
        await database.run(client.force_login, alice)
        address = f"/api/conversations/{asked.conversation}/turns/{asked.turn}"
        assert (await database.run(client.delete, address)).status_code == 204
        await page.send(
            "turn.start", client_id=CLIENT_ID, conversation=asked.conversation, look_up=asked.turn
        )
        assert (await page.until("error"))["code"] == "not_found"
