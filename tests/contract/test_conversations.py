"""Conversations and messages through the SDK (conformance 5 to 9 and 13)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from cozepy.conversations.message.feedback import FeedbackType

from .sdk import Sdk, async_coze, cozepy, refusal

TEXT, USER = cozepy.MessageContentType.TEXT, cozepy.MessageRole.USER


def test_conversations_are_created_with_everything_nothing_or_messages(sdk: Sdk) -> None:
    coze = sdk.coze()
    full = coze.conversations.create(bot_id=sdk.credentials.bot_id, name="n", meta_data={"k": "v"})
    assert (full.name, full.meta_data, full.connector_id) == ("n", {"k": "v"}, "1024")
    assert coze.conversations.create().meta_data == {}
    question = cozepy.Message.build_user_question_text("x")
    asked = coze.conversations.create(messages=[question])
    assert [message.content for message in coze.conversations.messages.list(conversation_id=asked.id)] == [
        "x"
    ]


def test_a_list_is_walked_through_its_pages(sdk: Sdk) -> None:
    coze, bot_id = sdk.coze(), sdk.credentials.bot_id
    made = [coze.conversations.create(bot_id=bot_id).id for _ in range(5)]
    listed = coze.conversations.list(bot_id=bot_id, page_num=1, page_size=2)
    assert [conversation.id for conversation in listed] == made[::-1]
    assert refusal(lambda: coze.conversations.list(bot_id=bot_id, page_num=1, page_size=51)).code == 4000


def test_a_conversation_is_retrieved_renamed_cleared_and_deleted(sdk: Sdk) -> None:
    coze = sdk.coze()
    made = coze.conversations.create(name="old")
    assert coze.conversations.retrieve(conversation_id=made.id).last_section_id == made.last_section_id
    assert coze.conversations.update(conversation_id=made.id, name="z").name == "z"
    section = coze.conversations.clear(conversation_id=made.id)
    found = coze.conversations.retrieve(conversation_id=made.id)
    assert section.conversation_id == made.id
    assert found.last_section_id == section.id != made.last_section_id
    coze.conversations.delete(conversation_id=made.id)
    assert refusal(lambda: coze.conversations.retrieve(conversation_id=made.id)).code == 4002


def fill(coze: Any, conversation_id: str, count: int = 5) -> list[str]:
    return [
        coze.conversations.messages.create(
            conversation_id=conversation_id,
            role=USER,
            content=str(number),
            content_type=TEXT,
            meta_data={"a": "b"},
        ).id
        for number in range(count)
    ]


def test_messages_are_listed_in_both_orders_and_from_a_place(sdk: Sdk) -> None:
    coze = sdk.coze()
    conversation_id = coze.conversations.create().id
    made = fill(coze, conversation_id)

    def listed(**options: Any) -> list[str]:
        page = coze.conversations.messages.list(conversation_id=conversation_id, limit=2, **options)
        return [message.id for message in page]

    assert listed() == made[::-1]
    assert listed(order="asc") == made
    assert listed(order="asc", after_id=made[2]) == made[3:]
    assert listed(order="desc", after_id=made[2]) == made[:2][::-1]
    before = coze.conversations.messages.list(conversation_id=conversation_id, before_id=made[2])
    assert [message.id for message in before.items] == made[3:][::-1]


def test_a_message_is_retrieved_changed_and_deleted(sdk: Sdk) -> None:
    coze = sdk.coze()
    conversation_id = coze.conversations.create().id
    place = {"conversation_id": conversation_id, "message_id": fill(coze, conversation_id, 1)[0]}
    messages = coze.conversations.messages
    found = messages.retrieve(**place)
    assert (found.content, found.meta_data, found.type) == ("0", {"a": "b"}, cozepy.MessageType.QUESTION)
    assert messages.update(**place, content="x", content_type=TEXT).content == "x"
    assert messages.delete(**place).id == place["message_id"]
    assert refusal(lambda: messages.retrieve(**place)).code == 4005


def test_feedback_is_given_and_taken_back(sdk: Sdk) -> None:
    coze = sdk.coze()
    conversation_id = coze.conversations.create().id
    place = {"conversation_id": conversation_id, "message_id": fill(coze, conversation_id, 1)[0]}
    feedback = coze.conversations.messages.feedback
    feedback.create(**place, feedback_type=FeedbackType.LIKE, reason_types=["r"], comment="c")
    feedback.delete(**place)


ATTEMPTS: dict[str, Callable[[Any, Sdk, str, str], Any]] = {
    "retrieve": lambda bob, sdk, c, m: bob.conversations.retrieve(conversation_id=c),
    "rename": lambda bob, sdk, c, m: bob.conversations.update(conversation_id=c, name="mine"),
    "clear": lambda bob, sdk, c, m: bob.conversations.clear(conversation_id=c),
    "delete": lambda bob, sdk, c, m: bob.conversations.delete(conversation_id=c),
    "create a message": lambda bob, sdk, c, m: fill(bob, c, 1),
    "list messages": lambda bob, sdk, c, m: bob.conversations.messages.list(conversation_id=c),
    "retrieve a message": lambda bob, sdk, c, m: bob.conversations.messages.retrieve(
        conversation_id=c, message_id=m
    ),
    "change a message": lambda bob, sdk, c, m: bob.conversations.messages.update(
        conversation_id=c, message_id=m, content="x", content_type=TEXT
    ),
    "delete a message": lambda bob, sdk, c, m: bob.conversations.messages.delete(
        conversation_id=c, message_id=m
    ),
    "chat": lambda bob, sdk, c, m: sdk.stream(bob, "我是李四", c),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_bob_gets_nowhere_in_alices_conversation_and_changes_nothing(sdk: Sdk, attempt: str) -> None:
    alice, bob = sdk.coze(), sdk.coze()
    made = alice.conversations.create(name="diary")
    (message_id,) = fill(alice, made.id, 1)
    error = refusal(lambda: ATTEMPTS[attempt](bob, sdk, made.id, message_id))
    missing = refusal(lambda: ATTEMPTS[attempt](bob, sdk, "7000000000000000001", message_id))
    assert (error.code, error.msg) == (missing.code, missing.msg)
    assert error.code == 4002
    kept = alice.conversations.retrieve(conversation_id=made.id)
    assert (kept.name, kept.last_section_id) == ("diary", made.last_section_id)
    listed = alice.conversations.messages.list(conversation_id=made.id)
    assert [message.content for message in listed] == ["0"]


def test_the_async_client_walks_the_same_way(sdk: Sdk) -> None:
    async def main() -> None:
        async with async_coze(sdk, sdk.token("async")) as coze:
            conversations = coze.conversations
            made = await conversations.create(bot_id=sdk.credentials.bot_id, name="n", meta_data={"k": "v"})
            assert (await conversations.update(conversation_id=made.id, name="z")).name == "z"
            place = {"conversation_id": made.id}
            for number in range(3):
                await conversations.messages.create(
                    **place, role=USER, content=str(number), content_type=TEXT
                )
            page = await conversations.messages.list(**place, order="asc", limit=2)
            assert [message.content async for message in page] == ["0", "1", "2"]
            listed = await conversations.list(bot_id=sdk.credentials.bot_id, page_size=2)
            assert [conversation.id async for conversation in listed] == [made.id]
            section = await conversations.clear(**place)
            assert (await conversations.retrieve(**place)).last_section_id == section.id
            await conversations.delete(**place)

    asyncio.run(main())
