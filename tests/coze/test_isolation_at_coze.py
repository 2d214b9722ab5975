"""Bob tries everything on what is Alice's: each call is refused, in the words for what never was."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cozechat.coze import errors
from cozechat.coze.chat_records import BotChat
from cozechat.coze.client import CozeClient
from cozechat.coze.messages import Feedback
from cozechat.coze.run_records import Interrupt, WorkflowRun
from cozechat.coze.tools import ToolOutput
from cozechat.coze.types import Caller
from cozechat.emulator.process import RunningEmulator
from tests.coze.people import BRISK, people

NOBODYS = "7000000000000000001"
Attempt = Callable[[CozeClient, Caller, dict[str, str]], Awaitable[Any]]


async def alices(client: CozeClient, alice: Caller, emulator: RunningEmulator) -> dict[str, str]:
    """The ids of all that Alice has: a conversation, a message, chats that ended and wait, runs."""
    known = emulator.credentials
    conversation = (await client.conversations.create(alice, bot_id=known.bot_id)).id
    chat = await client.chats.create(alice, BotChat(known.bot_id, "count to 3", conversation))
    await client.chats.until_ended(alice, conversation, chat.id, pace=BRISK).last()
    message = (await client.messages.list(alice, conversation)).items[0].id
    other = (await client.conversations.create(alice)).id
    asking = await client.chats.create(alice, BotChat(known.tool_bot_id, "espresso?", other))
    waiting = await client.chats.until_ended(alice, other, asking.id, pace=BRISK).last()
    run = await client.runs.start(alice, WorkflowRun(known.run_workflow_id, {"input": "x"}))
    history = await client.runs.until_ended(alice, known.run_workflow_id, run.execute_id, pace=BRISK).last()
    asked = await client.runs.run(alice, WorkflowRun(known.question_workflow_id, {"input": "x"}))
    assert asked.interrupt is not None
    return {
        "bot": known.bot_id,
        "workflow": known.run_workflow_id,
        "question": known.question_workflow_id,
        "conversation": conversation,
        "message": message,
        "chat": chat.id,
        "other": other,
        "waiting": waiting.id,
        "call": waiting.tool_calls[0].id,
        "run": run.execute_id,
        "node": history.nodes[1].execute_uuid,
        "asked": asked.execute_id,
        "event": asked.interrupt.event_id,
    }


async def opened(stream: Any) -> None:
    async with stream as events:
        async for _ in events:
            pass


def _interrupt(at: dict[str, str]) -> dict[str, Any]:
    return {"interrupt": Interrupt(at["event"], 2), "answer": "tea"}


ATTEMPTS: dict[str, Attempt] = {
    "rename the conversation": lambda c, who, at: c.conversations.rename(who, at["conversation"], name="x"),
    "clear the conversation": lambda c, who, at: c.conversations.clear(who, at["conversation"]),
    "delete the conversation": lambda c, who, at: c.conversations.delete(who, at["conversation"]),
    "ask a bot in it": lambda c, who, at: c.chats.create(who, BotChat(at["bot"], "x", at["conversation"])),
    "stream a bot in it": lambda c, who, at: opened(
        c.chats.stream(who, BotChat(at["bot"], "x", at["conversation"]))
    ),
    "look up the chat": lambda c, who, at: c.chats.retrieve(who, at["conversation"], at["chat"]),
    "wait for the chat": lambda c, who, at: c.chats.until_ended(who, at["conversation"], at["chat"]).last(),
    "list what it said": lambda c, who, at: c.chats.list_messages(who, at["conversation"], at["chat"]),
    "cancel the chat": lambda c, who, at: c.chats.cancel(who, at["conversation"], at["chat"]),
    "answer its tools": lambda c, who, at: c.chats.submit_tool_outputs(
        who, at["other"], at["waiting"], outputs=[ToolOutput(at["call"], "x")]
    ),
    "answer its tools, streamed": lambda c, who, at: opened(
        c.chats.stream_tool_outputs(who, at["other"], at["waiting"], outputs=[ToolOutput(at["call"], "x")])
    ),
    "add a message": lambda c, who, at: c.messages.create(who, at["conversation"], content="x"),
    "list the messages": lambda c, who, at: c.messages.list(who, at["conversation"]),
    "read a message": lambda c, who, at: c.messages.retrieve(who, at["conversation"], at["message"]),
    "change a message": lambda c, who, at: c.messages.update(
        who, at["conversation"], at["message"], content="x"
    ),
    "delete a message": lambda c, who, at: c.messages.delete(who, at["conversation"], at["message"]),
    "judge a message": lambda c, who, at: c.messages.set_feedback(
        who, at["conversation"], at["message"], feedback=Feedback.UNLIKE
    ),
    "take a judgement back": lambda c, who, at: c.messages.remove_feedback(
        who, at["conversation"], at["message"]
    ),
    "look up the run": lambda c, who, at: c.runs.history(who, at["workflow"], at["run"]),
    "wait for the run": lambda c, who, at: c.runs.until_ended(who, at["workflow"], at["run"]).last(),
    "read a node": lambda c, who, at: c.runs.node_output(
        who, at["workflow"], at["run"], node_execute_uuid=at["node"]
    ),
    "resume the run": lambda c, who, at: c.runs.resume(who, at["question"], **_interrupt(at)),
    "resume the run, streamed": lambda c, who, at: opened(
        c.runs.stream_resume(who, at["question"], **_interrupt(at))
    ),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
async def test_bob_is_told_that_what_is_alices_does_not_exist(emulator: RunningEmulator, attempt: str):
    async with people(emulator) as (client, alice, bob):
        place = await alices(client, alice, emulator)
        kept = {"bot", "workflow", "question", "call", "node"}
        nowhere = {name: value if name in kept else NOBODYS for name, value in place.items()}
        nowhere["event"] = f"{NOBODYS}/1"
        refusals = []
        for at in (place, nowhere):
            with pytest.raises(errors.NotFound) as caught:
                await ATTEMPTS[attempt](client, bob, at)
            refusals.append((type(caught.value), caught.value.code, caught.value.message))
        assert refusals[0] == refusals[1]


async def test_nothing_of_alices_has_changed_after_all_of_bobs_attempts(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, bob):
        place = await alices(client, alice, emulator)

        async def state() -> Any:
            return (
                await client.conversations.retrieve(alice, place["conversation"]),
                await client.messages.list(alice, place["conversation"]),
                await client.chats.retrieve(alice, place["other"], place["waiting"]),
                await client.runs.history(alice, place["workflow"], place["run"]),
                (await client.runs.history(alice, place["question"], place["asked"])).interrupt,
            )

        before = await state()
        for attempt in ATTEMPTS.values():
            with pytest.raises(errors.NotFound):
                await attempt(client, bob, place)
        assert await state() == before


async def test_alices_variables_are_not_bobs(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, bob):
        bot_id = emulator.credentials.bot_id
        await client.variables.update(alice, {"secret": "rosebud"}, bot_id=bot_id)
        assert await client.variables.retrieve(bob, bot_id=bot_id) == ()
        # Even under Alice's name Bob's token finds nothing.
        disguised = Caller(bob.token, alice.session_name)
        assert await client.variables.retrieve(disguised, bot_id=bot_id) == ()


async def test_bobs_list_does_not_show_alices_conversations(emulator: RunningEmulator):
    async with people(emulator) as (client, alice, bob):
        bot_id = emulator.credentials.bot_id
        made = await client.conversations.create(alice, bot_id=bot_id)
        assert made.id in [item.id for item in (await client.conversations.list(alice, bot_id=bot_id)).items]
        assert (await client.conversations.list(bob, bot_id=bot_id)).items == ()


async def test_a_file_belongs_to_the_account_so_its_id_is_what_has_to_be_kept(emulator: RunningEmulator):
    """Coze does not divide files by session: whoever hands out ids has to check whose they are."""
    async with people(emulator) as (client, alice, bob):
        file = await client.files.upload(alice, name="a.txt", content=b"abc")
        assert await client.files.retrieve(bob, file.id) == file
        with pytest.raises(errors.NotFound):
            await client.files.retrieve(bob, NOBODYS)


async def test_a_stream_that_answers_in_another_conversation_is_cut_before_its_words(
    emulator: RunningEmulator,
):
    async with people(emulator) as (client, alice, _):
        emulator.arm("wrong-conversation", session_name=alice.session_name, times=1)
        conversation = (await client.conversations.create(alice)).id
        seen: list[Any] = []
        with pytest.raises(errors.WrongConversation):
            async with client.chats.stream(
                alice, BotChat(emulator.credentials.bot_id, "count to 3", conversation)
            ) as stream:
                async for event in stream:
                    seen.append(event)  # noqa: PERF401 - what came before counts
        assert seen == []
