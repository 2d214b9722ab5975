"""Runs of workflows: given the values of a form, streamed, waited for; what fails, and who may not."""

import pytest

from conversations.models import Message, Step
from cozechat import database
from cozechat.emulator import seed
from cozechat.usage.models import UsageRecord
from tests.conversations import runs

TRIP = {"city": "Lisbon", "days": 2, "interests": ["tiles", "food"]}


async def fill(page, name="Trip planner", *, values=None, **more):
    assistant = await database.run(runs.named, name)
    return await page.ask("", assistant=assistant, parameters=TRIP if values is None else values, **more)


async def refusal(page, **fields):
    await page.send(
        "turn.start", client_id="6a1f1f86-1111-4222-8333-444455556666", conversation=None, **fields
    )
    return await page.until("error", "turn.accepted")


async def test_a_form_is_run_and_its_values_are_the_question(coze, alice, tab):
    async with tab(alice) as page:
        asked = await fill(page)
        await asked.end()
    assert asked.last["type"] == "turn.completed"
    assert "Looking into **Lisbon**, with an eye on tiles, food." in asked.text
    assert "## 2 days in Lisbon" in asked.text
    assert asked.last["usage"]["total_tokens"] > 0
    question = await database.run(Message.objects.get, turn=asked.turn, role="user")
    assert question.content == "City · 城市: Lisbon\nDays · 天数: 2\nInterests · 兴趣: tiles, food"
    turn = await database.run(runs.stored, asked.turn)
    assert turn.parameters == TRIP
    assert turn.execute_id.isdigit()


async def test_each_node_is_a_step_with_its_time_and_tokens(coze, alice, tab):
    async with tab(alice) as page:
        asked = await fill(page)
        await asked.end()
    steps = [each["step"] for each in page.seen if each["type"] == "turn.step"]
    last = {step["title"]: step for step in steps}
    assert list(last) == ["Research", "Write the plan", "End"]
    assert {step["status"] for step in last.values()} == {"completed"}
    assert last["Research"]["tokens"] > 0
    assert last["Write the plan"]["seconds"] > 0
    assert asked.last["steps"] == 3
    kept = await database.run(lambda: [step.described() for step in Step.objects.filter(turn=asked.turn)])
    assert kept == list(last.values())


async def test_a_run_that_is_waited_for_shows_its_output(coze, alice, tab):
    async with tab(alice) as page:
        asked = await fill(page, "waited")
        await asked.end()
    assert asked.last["type"] == "turn.completed"
    assert "- **city**: Lisbon" in asked.text
    assert "#### schedule\n\n```json\n[" in asked.text


async def test_words_alone_are_the_one_text_that_a_run_wants(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.ask("count to 3", assistant=await database.run(runs.named, "plain"))
        await asked.end()
    assert asked.text == "1 2 3"


async def test_a_node_that_fails_is_named(coze, alice, tab):
    async with tab(alice) as page:
        asked = await fill(page, values={"city": "Atlantis"})
        await asked.end()
        await page.send("conversation.open", conversation=asked.conversation)
        state = await page.until("conversation.state")
    assert asked.last["type"] == "turn.failed"
    assert asked.last["error"]["step"] == "Write the plan"
    assert state["messages"][1]["error"]["step"] == "Write the plan"
    assert [step["status"] for step in state["messages"][1]["steps"]] == ["completed", "failed"]


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({}, {"city"}),
        ({"city": "  "}, {"city"}),
        ({"city": 5}, {"city"}),
        ({"city": "x" * 2001}, {"city"}),
        ({"city": "Oslo", "days": 2.5}, {"days"}),
        ({"city": "Oslo", "days": "two", "style": "wild"}, {"days", "style"}),
        ({"city": "Oslo", "days": True}, {"days"}),
        ({"city": "Oslo", "days": 10**30}, {"days"}),
        ({"city": "Oslo", "interests": "food"}, {"interests"}),
        ({"city": "Oslo", "interests": [["food"]]}, {"interests"}),
        ({"city": "Oslo", "password": "x"}, {"password"}),
    ],
)
async def test_values_that_do_not_fit_are_named_field_by_field(coze, alice, tab, values, fields):
    assistant = await database.run(runs.named, "Trip planner")
    async with tab(alice) as page:
        error = await refusal(page, content="", assistant=assistant, parameters=values)
    assert (error["type"], error["code"]) == ("error", "bad_parameters")
    assert set(error["fields"]) == fields
    assert all(error["fields"].values())
    assert await database.run(Message.objects.count) == 0


@pytest.mark.parametrize(
    "rubbish", [{"answers": 1}, {"look_up": "x"}, {"parameters": []}, {"parameters": "x"}]
)
async def test_rubbish_is_a_bad_frame(coze, alice, tab, rubbish):
    async with tab(alice) as page:
        error = await refusal(page, content="hi", **rubbish)
        assert (error["type"], error["code"]) == ("error", "bad_frame")


async def test_without_words_and_without_a_form_there_is_nothing_to_send(coze, alice, tab):
    assistant = await database.run(runs.named, "Trip planner")
    async with tab(alice) as page:
        error = await refusal(page, content=" ", assistant=assistant)
        assert error["code"] == "empty"
        error = await refusal(page, content=" ", parameters={})
        assert error["code"] == "empty"


async def test_a_run_is_asked_once_whatever_breaks(coze, alice, tab):
    coze.arm("truncate", after=3, path="/v1/workflow/stream_run")
    async with tab(alice) as page:
        asked = await fill(page)
        await asked.end()
    assert asked.last["error"]["code"] == "truncated"
    requests = coze.ledger()["requests"]
    assert sum(count for path, count in requests.items() if "stream_run" in path) == 1


async def test_a_run_is_written_down_like_a_chat(coze, alice, tab):
    async with tab(alice) as page:
        await (await fill(page)).end()
    record = await database.run(UsageRecord.objects.get)
    assert (record.kind, record.status) == ("workflow_run", "completed")
    assert record.execute_id
    assert record.input_tokens + record.output_tokens > 0


async def test_the_conversation_says_who_answers(coze, alice, tab):
    async with tab(alice) as page:
        asked = await fill(page)
        await asked.end()
        await page.send("conversation.open", conversation=asked.conversation)
        state = await page.until("conversation.state")
    told = state["conversation"]["assistant"]
    assert (told["name"], told["kind"]) == ("Trip planner", "workflow_run")
    assert state["messages"][0]["parameters"] == TRIP


async def test_runs_remember_nothing_and_need_no_conversation_at_coze(coze, alice, tab):
    async with tab(alice) as page:
        asked = await fill(page)
        await asked.end()
        again = await fill(page, values={"city": "Oslo"}, conversation=asked.conversation)
        await again.end()
    assert "Oslo" in again.text
    assert again.conversation == asked.conversation
    assert not [path for path in coze.ledger()["requests"] if "conversation/create" in path]


async def test_a_stopped_run_keeps_what_was_said(coze, alice, tab):
    coze.arm("stall", after=3, seconds=20, path="/v1/workflow/stream_run")
    async with tab(alice) as page:
        asked = await fill(page)
        await asked.words()
        await page.send("turn.stop", turn=asked.turn)
        await asked.end()
    assert asked.last["type"] == "turn.canceled"
    assert asked.text


def test_the_emulators_workflows_are_those_of_the_demo(coze, alice):
    assert runs.named("Order")
    assert seed.ORDER_WORKFLOW_ID in seed.PUBLISHED
