"""What the asynchronous SDK does beyond the walks in the other files: tools, resumed runs, faults, Bob."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pydantic
import pytest
from cozepy.conversations.message.feedback import FeedbackType

from .sdk import Sdk, async_coze, cozepy, said

Event, Kind = cozepy.ChatEventType, cozepy.WorkflowEventType
Question = cozepy.Message.build_user_question_text


def run(sdk: Sdk, walk: Callable[[Any], Awaitable[None]], *, session_name: str = "") -> None:
    """Walks with a client of a session of its own."""

    async def main() -> None:
        async with async_coze(sdk, sdk.token(session_name or f"u_{secrets.token_hex(8)}")) as coze:
            await walk(coze)

    asyncio.run(main())


async def gather(stream: AsyncIterator[Any]) -> list[Any]:
    return [event async for event in stream]


def test_messages_are_retrieved_changed_praised_and_deleted(sdk: Sdk) -> None:
    async def walk(coze: Any) -> None:
        messages = coze.conversations.messages
        place = {"conversation_id": (await coze.conversations.create()).id}
        made = await messages.create(
            **place, role=cozepy.MessageRole.USER, content="q", content_type=cozepy.MessageContentType.TEXT
        )
        place["message_id"] = made.id
        assert (await messages.retrieve(**place)).content == "q"
        changed = await messages.update(
            **place, content="x", content_type=cozepy.MessageContentType.TEXT, meta_data={"a": "b"}
        )
        assert (changed.content, changed.meta_data) == ("x", {"a": "b"})
        await messages.feedback.create(
            **place, feedback_type=FeedbackType.LIKE, reason_types=["r"], comment="c"
        )
        await messages.feedback.delete(**place)
        assert (await messages.delete(**place)).id == made.id
        with pytest.raises(cozepy.CozeAPIError) as gone:
            await messages.retrieve(**place)
        assert gone.value.code == 4005

    run(sdk, walk)


def test_a_tool_is_run_and_reported(sdk: Sdk) -> None:
    async def walk(coze: Any) -> None:
        bot = {"bot_id": sdk.credentials.tool_bot_id, "user_id": "u"}
        first = await gather(coze.chat.stream(**bot, additional_messages=[Question("espresso?")]))
        chat = first[-1].chat
        (call,) = chat.required_action.submit_tool_outputs.tool_calls
        output = cozepy.ToolOutput(tool_call_id=call.id, output="nine bars")
        place = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
        rest = await gather(coze.chat.submit_tool_outputs_stream(**place, tool_outputs=[output]))
        assert rest[-1].event == Event.CONVERSATION_CHAT_COMPLETED
        assert "nine bars" in said(iter(rest))

    run(sdk, walk)


def test_an_interrupted_run_is_resumed_and_looked_up(sdk: Sdk) -> None:
    async def walk(coze: Any) -> None:
        runs, place = coze.workflows.runs, {"workflow_id": sdk.credentials.question_workflow_id}
        first = await gather(runs.stream(**place))
        event_id = first[-1].interrupt.interrupt_data.event_id
        rest = await gather(runs.resume(**place, event_id=event_id, resume_data="tea", interrupt_type=2))
        assert "**tea**" in json.loads(rest[-1].message.content)["output"]
        history = await runs.run_histories.retrieve(**place, execute_id=event_id.partition("/")[0])
        node = history.node_execute_status["End"].node_execute_uuid
        found = await runs.run_histories.execute_nodes.retrieve(
            **place, execute_id=history.execute_id, node_execute_uuid=node
        )
        assert found.is_finish

    run(sdk, walk)


def chat_of(coze: Any, sdk: Sdk, conversation_id: str) -> Awaitable[Any]:
    return anext(aiter(coze.workflows.chat.stream(**sdk.chat("hi", conversation_id))))


ATTEMPTS: dict[str, Any] = {
    "retrieve": lambda coze, sdk, one: coze.conversations.retrieve(conversation_id=one),
    "rename": lambda coze, sdk, one: coze.conversations.update(conversation_id=one, name="x"),
    "clear": lambda coze, sdk, one: coze.conversations.clear(conversation_id=one),
    "delete": lambda coze, sdk, one: coze.conversations.delete(conversation_id=one),
    "messages": lambda coze, sdk, one: coze.conversations.messages.list(conversation_id=one),
    "chat": chat_of,
    "ask a bot": lambda coze, sdk, one: coze.chat.create(
        bot_id=sdk.credentials.bot_id, user_id="u", conversation_id=one, additional_messages=[Question("x")]
    ),
    "look up a chat": lambda coze, sdk, one: coze.chat.retrieve(conversation_id=one, chat_id="1"),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_bob_gets_nowhere(sdk: Sdk, attempt: str) -> None:
    mine = sdk.coze().conversations.create(name="diary").id

    async def walk(bob: Any) -> None:
        answers = []
        for one in (mine, "7000000000000000001"):
            with pytest.raises(cozepy.CozeAPIError) as refused:
                await ATTEMPTS[attempt](bob, sdk, one)
            answers.append((refused.value.code, refused.value.msg))
        assert answers[0] == answers[1]
        assert answers[0][0] == 4002

    run(sdk, walk)


@pytest.mark.parametrize(
    ("fault", "details", "expected"),
    [
        ("error-event", {"code": 4000}, Exception),
        ("chat-failed-bare", {}, pydantic.ValidationError),
        ("json-error", {"code": 720701013}, cozepy.CozeAPIError),
        ("html-502", {}, cozepy.CozeAPIError),
        ("rate-limited", {}, cozepy.CozeAPIError),
        ("line-separators", {}, Exception),
    ],
)
def test_a_fault_is_an_exception(sdk: Sdk, fault: str, details: dict[str, Any], expected: type) -> None:
    name = f"u_{secrets.token_hex(8)}"

    async def walk(coze: Any) -> None:
        request = sdk.chat("count to 9", (await coze.conversations.create()).id)
        sdk.emulator.arm(fault, session_name=name, times=1, **details)
        with pytest.raises(expected):
            await gather(coze.workflows.chat.stream(**request))

    run(sdk, walk, session_name=name)


@pytest.mark.parametrize(
    ("fault", "count"), [("truncate", 5), ("unknown-event", 14), ("slow-first-byte", 12)]
)
def test_a_fault_is_no_exception(sdk: Sdk, fault: str, count: int) -> None:
    name = f"u_{secrets.token_hex(8)}"
    details = {"seconds": 0.1} if fault == "slow-first-byte" else {"after": 3}

    async def walk(coze: Any) -> None:
        request = sdk.chat("count to 7", (await coze.conversations.create()).id)
        sdk.emulator.arm(fault, session_name=name, times=1, **details)
        assert len(await gather(coze.workflows.chat.stream(**request))) == count

    run(sdk, walk, session_name=name)
