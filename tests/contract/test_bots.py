"""Bots through the SDK (conformance 14 to 16 and 19)."""

import asyncio
import json
import time
from typing import Any

import pytest

from .sdk import Sdk, async_coze, cozepy, refusal, said

Event = cozepy.ChatEventType
Question = cozepy.Message.build_user_question_text
DELTA, COMPLETED = Event.CONVERSATION_MESSAGE_DELTA, Event.CONVERSATION_MESSAGE_COMPLETED


def check_events(events: list[Any], *, bot_id: str) -> None:
    kinds = [event.event for event in events]
    assert kinds[:2] == [Event.CONVERSATION_CHAT_CREATED, Event.CONVERSATION_CHAT_IN_PROGRESS]
    assert set(kinds[2:-3]) == {DELTA}
    assert kinds[-3:] == [COMPLETED, COMPLETED, Event.CONVERSATION_CHAT_COMPLETED]
    assert said(iter(events)) == events[-3].message.content
    chats = [event.chat for event in (*events[:2], events[-1])]
    assert [chat.status for chat in chats] == ["created", "in_progress", "completed"]
    assert {chat.bot_id for chat in chats} == {bot_id} == {events[-3].message.bot_id}
    usage = chats[-1].usage
    assert usage.token_count == usage.input_count + usage.output_count > 0


def wait(coze: Any, chat: Any, *, beyond: str = "in_progress") -> Any:
    deadline = time.monotonic() + 10
    while chat.status == beyond:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        chat = coze.chat.retrieve(conversation_id=chat.conversation_id, chat_id=chat.id)
    return chat


def test_a_bot_is_asked_polled_and_read(sdk: Sdk) -> None:
    coze, bot_id = sdk.coze(), sdk.credentials.bot_id
    conversation_id = coze.conversations.create(bot_id=bot_id).id
    chat = coze.chat.create(
        bot_id=bot_id,
        user_id="u",
        conversation_id=conversation_id,
        additional_messages=[Question("count to 3")],
        meta_data={"k": "v"},
    )
    assert (chat.conversation_id, chat.bot_id, chat.status) == (conversation_id, bot_id, "in_progress")
    done = wait(coze, chat)
    assert (done.status, done.last_error.code, done.meta_data) == ("completed", 0, {"k": "v"})
    assert done.completed_at >= done.created_at
    assert done.usage.output_count == 3
    messages = coze.chat.messages.list(conversation_id=conversation_id, chat_id=chat.id)
    assert [message.type for message in messages] == ["answer", "verbose"]
    assert messages[0].content == "1 2 3"


def test_create_and_poll_brings_chat_and_messages(sdk: Sdk) -> None:
    poll = sdk.coze().chat.create_and_poll(
        bot_id=sdk.credentials.bot_id,
        user_id="u",
        additional_messages=[Question("count to 2")],
        poll_timeout=30,
    )
    assert poll.chat.status == cozepy.ChatStatus.COMPLETED
    assert poll.messages[0].content == "1 2"


def test_a_running_chat_is_canceled_once_and_leaves_no_trace_in_the_context(sdk: Sdk) -> None:
    coze, bot_id = sdk.coze(), sdk.credentials.bot_id
    conversation_id = coze.conversations.create(bot_id=bot_id).id
    place = {"bot_id": bot_id, "user_id": "u", "conversation_id": conversation_id}
    chat = coze.chat.create(**place, additional_messages=[Question("我叫张三。慢慢数到100")])
    busy = refusal(lambda: coze.chat.create(**place, additional_messages=[Question("hi")]))
    assert busy.code == 4016
    canceled = coze.chat.cancel(conversation_id=conversation_id, chat_id=chat.id)
    assert (canceled.status, canceled.last_error.code) == (cozepy.ChatStatus.CANCELED, 0)
    again = refusal(lambda: coze.chat.cancel(conversation_id=conversation_id, chat_id=chat.id))
    assert again.code == 4104
    assert wait(coze, chat).status == "canceled"
    events = list(coze.chat.stream(**place, additional_messages=[Question("我叫什么名字?")]))
    assert "张三" not in said(iter(events))


def test_a_bot_streams_what_it_says(sdk: Sdk) -> None:
    coze, bot_id = sdk.coze(), sdk.credentials.bot_id
    events = list(
        coze.chat.stream(
            bot_id=bot_id, user_id="u", additional_messages=[Question("写一首诗")], enable_card=False
        )
    )
    check_events(events, bot_id=bot_id)
    assert coze.conversations.retrieve(conversation_id=events[0].chat.conversation_id)


def test_a_bot_streams_asynchronously_too(sdk: Sdk) -> None:
    bot_id = sdk.credentials.bot_id

    async def main() -> None:
        async with async_coze(sdk, sdk.token("async bot")) as coze:
            stream = coze.chat.stream(bot_id=bot_id, user_id="u", additional_messages=[Question("hi")])
            check_events([event async for event in stream], bot_id=bot_id)
            chat = await coze.chat.create(bot_id=bot_id, user_id="u", additional_messages=[Question("hi")])
            while chat.status == "in_progress":
                await asyncio.sleep(0.01)
                chat = await coze.chat.retrieve(conversation_id=chat.conversation_id, chat_id=chat.id)
            place = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
            assert (await coze.chat.messages.list(**place))[0].type == "answer"
            with pytest.raises(cozepy.CozeAPIError):
                await coze.chat.cancel(**place)

    asyncio.run(main())


def test_pictures_and_words_go_together(sdk: Sdk) -> None:
    coze = sdk.coze()
    file = coze.files.upload(file=("cat.png", b"\x89PNG"))
    parts = [
        cozepy.MessageObjectString.build_text("what is this?"),
        cozepy.MessageObjectString.build_image(file_id=file.id),
    ]
    place = {"bot_id": sdk.credentials.bot_id, "user_id": "u"}
    shown = cozepy.Message.build_user_question_objects(parts)
    assert "what is this?" in said(coze.chat.stream(**place, additional_messages=[shown]))
    for wrong in (parts[:1], parts[1:], [parts[0], *parts]):
        message = cozepy.Message.build_user_question_objects(wrong)
        error = refusal(lambda message=message: coze.chat.create(**place, additional_messages=[message]))
        assert error.code == 4000
    picture = cozepy.Message.build_user_question_objects(parts[1:])
    assert said(coze.chat.stream(**place, additional_messages=[picture, Question("what is this?")]))


@pytest.mark.parametrize("stream", [True, False])
def test_a_tool_is_asked_for_and_its_output_goes_into_the_answer(sdk: Sdk, stream: bool) -> None:
    coze, bot_id = sdk.coze(), sdk.credentials.tool_bot_id
    first = list(
        coze.chat.stream(bot_id=bot_id, user_id="u", additional_messages=[Question("手冲咖啡怎么做?")])
    )
    assert [event.event for event in first[2:]] == [COMPLETED, Event.CONVERSATION_CHAT_REQUIRES_ACTION]
    assert first[2].message.type == cozepy.MessageType.FUNCTION_CALL
    chat = first[-1].chat
    (call,) = chat.required_action.submit_tool_outputs.tool_calls
    assert (call.type, call.function.name) == (cozepy.ChatToolCallType.FUNCTION, "coffee_knowledge_query")
    assert json.loads(call.function.arguments) == {"query": "手冲咖啡怎么做?"}
    output = cozepy.ToolOutput(tool_call_id=call.id, output='{"answer": "水温92度"}')
    place = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
    if stream:
        rest = list(coze.chat.submit_tool_outputs(**place, tool_outputs=[output], stream=True))
        assert "水温92度" in said(iter(rest))
        assert rest[2].message.type == cozepy.MessageType.TOOL_RESPONSE
        assert (rest[-1].chat.id, rest[-1].chat.status) == (chat.id, "completed")
    else:
        resumed = coze.chat.submit_tool_outputs(**place, tool_outputs=[output], stream=False)
        assert (resumed.id, wait(coze, resumed).status) == (chat.id, "completed")
    types = [message.type for message in coze.chat.messages.list(**place)]
    assert types == ["function_call", "tool_response", "answer", "verbose"]
    again = refusal(lambda: coze.chat.submit_tool_outputs(**place, tool_outputs=[output], stream=False))
    assert again.code == 4000


def test_a_bots_question_is_answered_like_a_tool_call(sdk: Sdk) -> None:
    coze, bot_id = sdk.coze(), sdk.credentials.bot_id
    asked = list(coze.chat.stream(bot_id=bot_id, user_id="u", additional_messages=[Question("问我一个问题")]))
    chat = asked[-1].chat
    (call,) = chat.required_action.submit_tool_outputs.tool_calls
    assert call.type == cozepy.ChatToolCallType.REPLY_MESSAGE
    output = cozepy.ToolOutput(tool_call_id=call.id, output="咖啡")
    place = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
    rest = coze.chat.submit_tool_outputs(**place, tool_outputs=[output], stream=True)
    assert "**咖啡**" in said(rest)


WRONG: dict[str, tuple[dict[str, Any], int]] = {
    "unknown bot": ({"bot_id": "7480012345678904999"}, 4006),
    "unpublished bot": ({"bot_id": "7480012345678904003"}, 4015),
    "too many messages": ({"additional_messages": [Question("x")] * 101}, 4004),
    "last one not a question": ({"additional_messages": [cozepy.Message.build_assistant_answer("x")]}, 4000),
    "no messages": ({"additional_messages": []}, 4000),
    "too much meta data": ({"meta_data": {str(number): "v" for number in range(17)}}, 4003),
    "foreign conversation": ({"conversation_id": "7000000000000000001"}, 4002),
    "unsaved and unwatched": ({"auto_save_history": False}, 4007),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_request_is_refused(sdk: Sdk, wrong: str) -> None:
    changes, code = WRONG[wrong]
    given = {"bot_id": sdk.credentials.bot_id, "user_id": "u", "additional_messages": [Question("x")]}
    error = refusal(lambda: sdk.coze().chat.create(**(given | changes)))
    assert (error.code, bool(error.logid)) == (code, True)


ATTEMPTS: dict[str, Any] = {
    "create": lambda coze, place, bot_id: coze.chat.create(
        bot_id=bot_id,
        user_id="u",
        conversation_id=place["conversation_id"],
        additional_messages=[Question("hi")],
    ),
    "retrieve": lambda coze, place, bot_id: coze.chat.retrieve(**place),
    "messages": lambda coze, place, bot_id: coze.chat.messages.list(**place),
    "cancel": lambda coze, place, bot_id: coze.chat.cancel(**place),
    "submit": lambda coze, place, bot_id: coze.chat.submit_tool_outputs(
        **place, tool_outputs=[cozepy.ToolOutput(tool_call_id="1", output="x")], stream=False
    ),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_bob_gets_nowhere_with_alices_chat_and_learns_nothing(sdk: Sdk, attempt: str) -> None:
    alice, bob, bot_id = sdk.coze(), sdk.coze(), sdk.credentials.bot_id
    chat = alice.chat.create(
        bot_id=bot_id, user_id="u", additional_messages=[Question("slowly count to 100")]
    )
    place = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
    error = refusal(lambda: ATTEMPTS[attempt](bob, place, bot_id))
    nowhere = {"conversation_id": "7000000000000000001", "chat_id": "7000000000000000002"}
    missing = refusal(lambda: ATTEMPTS[attempt](bob, nowhere, bot_id))
    assert (error.code, error.msg) == (missing.code, missing.msg)
    assert error.code == 4002
    assert alice.chat.retrieve(**place).status == "in_progress"
    own = {**place, "conversation_id": bob.conversations.create().id}
    if attempt != "create":
        assert refusal(lambda: ATTEMPTS[attempt](bob, own, bot_id)).code == 4001
    alice.chat.cancel(**place)


def test_a_chat_that_fails_unwatched_shows_it_when_polled(sdk: Sdk) -> None:
    sdk.emulator.arm("chat-failed", code=4028, msg="quota", session_name="unlucky", times=1)
    coze = sdk.coze(sdk.token("unlucky"))
    chat = coze.chat.create(bot_id=sdk.credentials.bot_id, user_id="u", additional_messages=[Question("hi")])
    failed = wait(coze, chat)
    assert (failed.status, failed.last_error.code, failed.last_error.msg) == ("failed", 4028, "quota")
    place = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
    assert list(coze.chat.messages.list(**place)) == []
    sdk.emulator.arm("omit-data", session_name="unlucky", times=1)
    with pytest.raises(Exception, match="validation error"):
        coze.chat.messages.list(**place)
