"""Streamed chatflows through the SDK (conformance 10 to 12)."""

import asyncio
from typing import Any

import pytest

from .sdk import Sdk, async_coze, cozepy, refusal, said

Event = cozepy.ChatEventType
DELTA, COMPLETED = Event.CONVERSATION_MESSAGE_DELTA, Event.CONVERSATION_MESSAGE_COMPLETED


def check_events(events: list[Any], *, conversation_id: str) -> None:
    kinds = [event.event for event in events]
    assert kinds[:2] == [Event.CONVERSATION_CHAT_CREATED, Event.CONVERSATION_CHAT_IN_PROGRESS]
    assert set(kinds[2:-3]) == {DELTA}
    assert kinds[-3:] == [COMPLETED, COMPLETED, Event.CONVERSATION_CHAT_COMPLETED]
    answer, verbose = events[-3].message, events[-2].message
    assert (answer.type, verbose.type) == (cozepy.MessageType.ANSWER, cozepy.MessageType.VERBOSE)
    assert said(iter(events)) == answer.content
    chats = [event.chat for event in (*events[:2], events[-1])]
    assert {chat.conversation_id for chat in chats} == {conversation_id}
    assert [chat.status for chat in chats] == ["created", "in_progress", "completed"]
    usage = chats[-1].usage
    assert usage.token_count == usage.input_count + usage.output_count > 0
    assert all(event.response.logid for event in events)


def test_a_chat_goes_through_its_events_in_order(sdk: Sdk) -> None:
    coze = sdk.coze()
    conversation = coze.conversations.create()
    stream = sdk.stream(coze, "hi", conversation.id, parameters={}, ext={"user_id": "1"})
    check_events(list(stream), conversation_id=conversation.id)


def test_an_async_chat_does_too(sdk: Sdk) -> None:
    async def main() -> None:
        async with async_coze(sdk, sdk.token("async chat")) as coze:
            conversation = await coze.conversations.create()
            request = sdk.chat("写一首诗", conversation.id, parameters={}, ext={"user_id": "1"})
            events = [event async for event in coze.workflows.chat.stream(**request)]
        check_events(events, conversation_id=conversation.id)

    asyncio.run(main())


def test_a_bot_chat_without_a_conversation_makes_one_that_only_its_user_sees(sdk: Sdk) -> None:
    alice, bob = sdk.coze(), sdk.coze()
    stream = sdk.stream(alice, "hi", app_id=None, bot_id=sdk.credentials.bot_id)
    made = next(event.chat.conversation_id for event in list(stream) if event.chat)
    assert alice.conversations.retrieve(conversation_id=made).id == made
    assert refusal(lambda: bob.conversations.retrieve(conversation_id=made)).code == 4002


WRONG: dict[str, tuple[dict[str, Any], int]] = {
    "neither app nor bot": ({"app_id": None}, 4000),
    "app and bot": ({"bot_id": "7480012345678904001"}, 4000),
    "unknown workflow": ({"workflow_id": "7480012345678909999"}, 4200),
    "unpublished workflow": ({"workflow_id": "7480012345678902002"}, 4200),
    "too many messages": ({"additional_messages": [cozepy.Message.build_user_question_text("x")] * 51}, 4004),
    "last one not a question": ({"additional_messages": [cozepy.Message.build_assistant_answer("x")]}, 4000),
    "no messages": ({"additional_messages": None}, 4000),
    "not only text": (
        {
            "additional_messages": [
                cozepy.Message.build_user_question_objects([cozepy.MessageObjectString.build_text("t")])
            ]
        },
        4000,
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_request_is_refused_by_the_call_itself(sdk: Sdk, wrong: str) -> None:
    changes, code = WRONG[wrong]
    error = refusal(lambda: sdk.stream(sdk.coze(), "hi", **changes))
    assert (error.code, bool(error.logid)) == (code, True)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_request_is_refused_at_the_first_event_asynchronously(sdk: Sdk, wrong: str) -> None:
    changes, code = WRONG[wrong]

    async def main() -> None:
        async with async_coze(sdk, sdk.token("wrong")) as coze:
            stream = coze.workflows.chat.stream(**sdk.chat("hi", **changes))
            with pytest.raises(cozepy.CozeAPIError) as caught:
                await anext(aiter(stream))
            assert caught.value.code == code

    asyncio.run(main())


def test_a_second_chat_in_a_busy_conversation_is_4016(sdk: Sdk) -> None:
    coze = sdk.coze()
    conversation = coze.conversations.create()
    first = sdk.stream(coze, "count to 600", conversation.id)
    assert refusal(lambda: sdk.stream(coze, "hi", conversation.id)).code == 4016
    assert said(first).endswith(" 600")
    assert said(sdk.stream(coze, "count to 3", conversation.id)) == "1 2 3"


def test_the_story_of_the_isolation_check(sdk: Sdk) -> None:
    alice, bob = sdk.coze(), sdk.coze()
    mine, theirs = alice.conversations.create().id, bob.conversations.create().id
    said(sdk.stream(alice, "你好,我叫张三,我25岁", mine))
    said(sdk.stream(bob, "你好,我叫李四,我是程序员", theirs))
    told = said(sdk.stream(alice, "我叫什么名字?我多大?", mine))
    assert "张三" in told
    assert "25" in told
    assert "程序员" not in said(sdk.stream(alice, "李四是谁?", mine))
    assert "25" not in said(sdk.stream(bob, "张三是谁?", theirs))


def test_a_question_node_shows_as_verbose_messages(sdk: Sdk) -> None:
    coze = sdk.coze()
    conversation = coze.conversations.create()
    events = list(sdk.stream(coze, "ask me a question", conversation.id))
    assert [event.event for event in events[2:]] == [COMPLETED] * 3
    assert '"interrupt"' in events[3].message.content
    assert "**coffee**" in said(sdk.stream(coze, "coffee", conversation.id))


def test_thoughts_and_suggestions_are_told_from_the_answer(sdk: Sdk) -> None:
    coze = sdk.coze()
    workflow_id = sdk.credentials.reasoning_workflow_id
    conversation_id = coze.conversations.create().id
    events = list(sdk.stream(coze, "count to 3", conversation_id, workflow_id=workflow_id))
    deltas = [event.message for event in events if event.event == DELTA]
    thoughts = "".join(message.reasoning_content or "" for message in deltas)
    assert (said(iter(events)), bool(thoughts)) == ("1 2 3", True)
    whole = [event.message for event in events if event.event == COMPLETED]
    assert [message.type for message in whole] == ["answer", "verbose", *["follow_up"] * 3]
    assert whole[0].reasoning_content == thoughts
    stored = list(coze.conversations.messages.list(conversation_id=conversation_id))
    assert [message.type for message in stored] == ["answer", "question"]


def test_a_question_node_asks_and_takes_the_next_message_for_its_answer(sdk: Sdk) -> None:
    coze = sdk.coze()
    workflow_id = sdk.credentials.question_workflow_id
    conversation_id = coze.conversations.create().id
    asked = list(sdk.stream(coze, "hi", conversation_id, workflow_id=workflow_id))
    assert '"interrupt"' in asked[3].message.content
    assert "**tea**" in said(sdk.stream(coze, "tea", conversation_id, workflow_id=workflow_id))


def test_a_plain_workflow_cannot_be_chatted_with(sdk: Sdk) -> None:
    coze = sdk.coze()
    plain = {"workflow_id": sdk.credentials.run_workflow_id}
    assert refusal(lambda: sdk.stream(coze, "hi", **plain)).code == 4200
