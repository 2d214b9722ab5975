"""Every call of the client against a whole Coze: bots, tools, runs, files, feedback, lists."""

from typing import Any

import pytest

from cozechat.coze import errors
from cozechat.coze.chat_records import BotChat
from cozechat.coze.client import CozeClient
from cozechat.coze.listings import each
from cozechat.coze.meanings import AnswersFinished, FollowUp, ToolCalled
from cozechat.coze.messages import Feedback
from cozechat.coze.parts import ImagePart, TextPart
from cozechat.coze.refusals import AlreadyEnded, FileRefused
from cozechat.coze.run_events import Heartbeat, RunDone, RunInterrupted, RunMessage
from cozechat.coze.run_records import WorkflowRun
from cozechat.coze.statuses import Status
from cozechat.coze.tools import ToolOutput
from cozechat.coze.types import (
    ActionRequired,
    Caller,
    ChatCompleted,
    ChatCreated,
    MessageCompleted,
    MessageDelta,
    WorkflowChat,
)
from cozechat.emulator.process import RunningEmulator
from tests.coze.people import BRISK, people

WORKSPACE = "7480012345678901003"


async def asked(client: CozeClient, caller: Caller, question: Any, **changes: Any) -> BotChat:
    """A question to the usual bot, in a new conversation."""
    conversation = await client.conversations.create(caller)
    return BotChat(
        **{"bot_id": "7480012345678904001", "question": question} | changes, conversation_id=conversation.id
    )


async def heard(opened: Any) -> list[Any]:
    async with opened as stream:
        return [event async for event in stream]


def text(events: list[Any]) -> str:
    return "".join(event.content for event in events if isinstance(event, MessageDelta))


async def test_a_bot_is_asked_and_heard(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        chat = await asked(client, alice, "count to 5")
        events = await heard(client.chats.stream(alice, chat))
        assert text(events) == "1 2 3 4 5"
        kinds = [type(event) for event in events]
        assert kinds[0] is ChatCreated
        assert AnswersFinished in kinds
        assert next(event for event in events if isinstance(event, ChatCompleted)).usage.output_tokens == 5
        again = BotChat(chat.bot_id, "count to 2", chat.conversation_id)
        assert text(await heard(client.chats.stream(alice, again))) == "1 2"
        page = await client.messages.list(alice, chat.conversation_id)
        assert [message.type for message in page.items] == ["answer", "question"] * 2


async def test_a_bot_is_asked_and_its_answer_fetched(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        chat = await client.chats.create(
            alice, await asked(client, alice, "count to 3", meta_data={"k": "v"})
        )
        assert chat.status is Status.IN_PROGRESS
        place = (chat.conversation_id, chat.id)
        ended = await client.chats.until_ended(alice, *place, pace=BRISK).last()
        assert (ended.status, ended.usage.output_tokens, ended.meta_data) == (Status.COMPLETED, 3, {"k": "v"})
        messages = await client.chats.list_messages(alice, *place)
        assert [message.content for message in messages if message.type == "answer"] == ["1 2 3"]
        with pytest.raises(AlreadyEnded):
            await client.chats.cancel(alice, *place)


async def test_a_chat_that_fails_says_why_and_lists_nothing(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        emulator.arm("chat-failed", code=4028, msg="quota", session_name=alice.session_name, times=1)
        emulator.arm("omit-data", session_name=alice.session_name, times=1)
        chat = await client.chats.create(alice, await asked(client, alice, "count to 9"))
        ended = await client.chats.until_ended(alice, chat.conversation_id, chat.id, pace=BRISK).last()
        assert (ended.status, type(ended.error)) == (Status.FAILED, errors.QuotaExceeded)
        assert await client.chats.list_messages(alice, chat.conversation_id, chat.id) == ()


async def test_a_running_chat_makes_the_next_one_wait_and_can_be_canceled(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        question = await asked(client, alice, "count to 100000")
        chat = await client.chats.create(alice, question)
        with pytest.raises(errors.ConversationBusy):
            await client.chats.create(alice, question)
        canceled = await client.chats.cancel(alice, chat.conversation_id, chat.id)
        assert canceled.status is Status.CANCELED
        ended = await client.chats.until_ended(alice, chat.conversation_id, chat.id).last()
        assert ended.status is Status.CANCELED


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_bot_has_its_tools_run_for_it(emulator: RunningEmulator, streamed: bool):
    async with people(emulator) as (client, alice, _):
        bot_id = emulator.credentials.tool_bot_id
        events = await heard(
            client.chats.stream(alice, await asked(client, alice, "espresso?", bot_id=bot_id))
        )
        waiting = next(event for event in events if isinstance(event, ActionRequired))
        (wanted,) = waiting.tool_calls
        assert (wanted.name, wanted.type) == ("coffee_knowledge_query", "function")
        used = next(event for event in events if isinstance(event, ToolCalled))
        assert used.call.arguments == wanted.arguments
        place = (used.message.conversation_id, waiting.chat_id)
        outputs = [ToolOutput(wanted.id, '{"found":"fine grind"}')]
        if streamed:
            rest = await heard(client.chats.stream_tool_outputs(alice, *place, outputs=outputs))
            assert "fine grind" in text(rest)
            return
        assert (await client.chats.retrieve(alice, *place)).tool_calls == waiting.tool_calls
        await client.chats.submit_tool_outputs(alice, *place, outputs=outputs)
        assert (await client.chats.until_ended(alice, *place, pace=BRISK).last()).status is Status.COMPLETED
        answer = [m.content for m in await client.chats.list_messages(alice, *place) if m.type == "answer"]
        assert "fine grind" in answer[0]


async def test_thinking_and_suggestions_are_kept_apart_from_the_answer(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        for fault in ("reasoning", "follow-ups", "several-answers", "unknown-event"):
            emulator.arm(fault, session_name=alice.session_name, times=1)
        chat = await asked(client, alice, "count to 3")
        async with client.chats.stream(alice, chat) as stream:
            events = [event async for event in stream]
        assert any(event.reasoning_content for event in events if isinstance(event, MessageDelta))
        assert len([event for event in events if isinstance(event, FollowUp)]) == 3
        answers = [event.message.id for event in events if type(event) is MessageCompleted]
        assert len(set(answers)) == 3
        assert stream.unknown == {"PING": 1, "conversation.message.sparkle": 1}


async def test_a_picture_goes_with_the_words(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        file = await client.files.upload(
            alice, name="猫.png", content=b"\x89PNG" * 200_000, media_type="image/png"
        )
        assert (file.name, file.size) == ("猫.png", 800_000)
        assert await client.files.retrieve(alice, file.id) == file
        parts = [TextPart("what is it?"), ImagePart(file_id=file.id)]
        assert text(await heard(client.chats.stream(alice, await asked(client, alice, parts))))
        wrong = await asked(client, alice, [TextPart("and this?"), ImagePart(file_id="1")])
        with pytest.raises(errors.BadRequest):
            await heard(client.chats.stream(alice, wrong))


async def test_an_empty_file_is_refused(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        with pytest.raises(FileRefused):
            await client.files.upload(alice, name="a.txt", content=b"")


async def test_a_workflow_runs_at_once(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        run = WorkflowRun(emulator.credentials.run_workflow_id, {"input": "count to 3", "url": ""})
        result = await client.runs.run(alice, run)
        assert result.output.value == {"output": "1 2 3"}
        assert result.usage.output_tokens == 3
        assert f"execute_id={result.execute_id}&" in result.debug_url


async def test_a_workflow_runs_for_later_and_is_waited_for(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        workflow_id = emulator.credentials.run_workflow_id
        begun = await client.runs.start(alice, WorkflowRun(workflow_id, {"input": "count to 3"}))
        polling = client.runs.until_ended(alice, workflow_id, begun.execute_id, pace=BRISK)
        emulator.arm("html-502", session_name=alice.session_name, times=2, path="/v1/workflows/")
        states = [found.status async for found in polling]
        assert (states[-1], polling.failures) == (Status.COMPLETED, 2)
        history = await client.runs.history(alice, workflow_id, begun.execute_id)
        assert history.output.value == {"output": "1 2 3"}
        start, end = history.nodes
        assert (start.title, end.title) == ("Start", "End")
        found = await client.runs.node_output(
            alice, workflow_id, begun.execute_id, node_execute_uuid=end.execute_uuid
        )
        assert (found.is_finished, found.output.value) == (True, {"output": "1 2 3"})


async def test_a_run_that_fails_says_why_at_once_and_later(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        workflow_id = emulator.credentials.run_workflow_id
        emulator.arm("run-failed", session_name=alice.session_name, times=2)
        with pytest.raises(errors.UpstreamFailed) as caught:
            await client.runs.run(alice, WorkflowRun(workflow_id))
        assert (caught.value.code, "execute_id=" in caught.value.debug_url) == (720701013, True)
        begun = await client.runs.start(alice, WorkflowRun(workflow_id))
        history = await client.runs.until_ended(alice, workflow_id, begun.execute_id, pace=BRISK).last()
        assert (history.status, history.error and history.error.code) == (Status.FAILED, 720701013)


async def test_a_workflow_streams_its_nodes(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        run = WorkflowRun(emulator.credentials.run_workflow_id, {"input": "count to 5"})
        emulator.arm("ping", session_name=alice.session_name, times=1)
        events = await heard(client.runs.stream(alice, run))
        spoken = [event for event in events if isinstance(event, RunMessage)]
        assert "".join(event.content for event in spoken if event.node_title == "Message") == "1 2 3 4 5"
        assert [event.sequence for event in spoken] == ["0", "1", "2", "3", "4", "0"]
        assert Heartbeat() in events
        done = events[-1]
        assert isinstance(done, RunDone)
        history = await client.runs.history(alice, run.workflow_id, done.execute_id)
        assert history.status is Status.COMPLETED


async def test_an_interrupted_run_goes_on_with_the_answer(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        run = WorkflowRun(emulator.credentials.question_workflow_id, {"input": "hi"})
        events = await heard(client.runs.stream(alice, run))
        assert [type(event) for event in events] == [RunMessage, RunInterrupted]
        interrupt = events[1].interrupt
        assert (interrupt.kind, interrupt.question) == (2, events[0].content)
        given = {"interrupt": interrupt, "answer": "tea"}
        rest = await heard(client.runs.stream_resume(alice, run.workflow_id, **given))
        assert "**tea**" in "".join(event.content for event in rest if isinstance(event, RunMessage))
        with pytest.raises(AlreadyEnded):
            await heard(client.runs.stream_resume(alice, run.workflow_id, **given))
        waiting = await client.runs.run(alice, run)
        assert waiting.interrupt is not None
        place = (alice, run.workflow_id, waiting.execute_id)
        assert (await client.runs.until_ended(*place).last()).status is Status.REQUIRES_ACTION
        result = await client.runs.resume(
            alice, run.workflow_id, interrupt=waiting.interrupt, answer="coffee"
        )
        assert "**coffee**" in result.output.value["output"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("error-event", errors.UpstreamFailed),
        ("truncate", errors.Truncated),
        ("half-frame", errors.Truncated),
        ("no-done", errors.Truncated),
        ("json-error", errors.UpstreamFailed),
        ("reset", errors.Truncated),
    ],
)
async def test_a_broken_run_fails_under_its_name(emulator: RunningEmulator, fault: str, kind: type):
    async with people(emulator) as (client, alice, _):
        emulator.arm(fault, session_name=alice.session_name, times=1)
        run = WorkflowRun(emulator.credentials.run_workflow_id, {"input": "count to 30"})
        with pytest.raises(errors.CozeError) as caught:
            await heard(client.runs.stream(alice, run))
        assert type(caught.value) is kind


async def test_messages_are_made_read_changed_judged_and_deleted(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        conversation = (await client.conversations.create(alice)).id
        made = await client.messages.create(alice, conversation, content="q", meta_data={"a": "b"})
        assert await client.messages.retrieve(alice, conversation, made.id) == made
        changed = await client.messages.update(alice, conversation, made.id, content="x")
        assert (changed.content, changed.meta_data) == ("x", {"a": "b"})
        place = (alice, conversation, made.id)
        await client.messages.set_feedback(*place, feedback=Feedback.LIKE, reasons=["r"], comment="c")
        await client.messages.remove_feedback(*place)
        assert (await client.messages.delete(*place)).id == made.id
        with pytest.raises(errors.NotFound):
            await client.messages.retrieve(*place)


async def test_what_the_account_has_is_listed(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        assert (await client.account.me(alice)).name == "emulator"
        assert [item.id for item in (await client.account.workspaces(alice)).items] == [WORKSPACE]
        new = [
            bot
            async for bot in each(
                lambda page: client.bots.list(alice, workspace_id=WORKSPACE, page=page, page_size=1)
            )
        ]
        old = (await client.bots.list_published(alice, workspace_id=WORKSPACE)).items
        assert [(bot.id, bot.name) for bot in new] == [(bot.id, bot.name) for bot in old]
        assert len(new) == 2
        bot = await client.bots.retrieve(alice, new[0].id)
        assert bot == await client.bots.retrieve_online(alice, new[0].id)
        assert (bot.prologue, bot.model_name) == ("Hello!", "emulator")
        assert (await client.account.apps(alice, workspace_id=WORKSPACE)).items[0].is_published
        flows = (await client.account.workflows(alice, workspace_id=WORKSPACE, mode="chatflow")).items
        assert emulator.credentials.workflow_id in [flow.id for flow in flows]
        assert emulator.credentials.run_workflow_id not in [flow.id for flow in flows]
        assert (await client.account.workflow(alice, flows[0].id)).name == flows[0].name


async def test_variables_keep_their_values(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        bot_id = emulator.credentials.bot_id
        await client.variables.update(alice, {"city": "杭州", "tea": "green"}, bot_id=bot_id)
        await client.variables.update(alice, {"tea": "black"}, bot_id=bot_id)
        found = await client.variables.retrieve(alice, bot_id=bot_id)
        assert {item.keyword: item.value for item in found} == {"city": "杭州", "tea": "black"}
        (one,) = await client.variables.retrieve(alice, bot_id=bot_id, keywords=["tea"])
        assert one.value == "black"


async def test_a_refused_token_is_named_on_every_kind_of_call(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, _):
        chat = await asked(client, alice, "hi")
        nobody = Caller("czs_nobody", alice.session_name)
        run = WorkflowRun(emulator.credentials.run_workflow_id)
        workflow = WorkflowChat(
            emulator.credentials.workflow_id, "hi", chat.conversation_id, app_id=emulator.credentials.app_id
        )
        for call in (
            lambda: client.chats.create(nobody, chat),
            lambda: heard(client.chats.stream(nobody, chat)),
            lambda: heard(client.workflow_chat(nobody, workflow)),
            lambda: client.runs.run(nobody, run),
            lambda: heard(client.runs.stream(nobody, run)),
            lambda: client.files.upload(nobody, name="a", content=b"a"),
            lambda: client.account.me(nobody),
        ):
            with pytest.raises(errors.TokenRefused):
                await call()
