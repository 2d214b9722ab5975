"""What an event may say, and what becomes of one that says something else."""

from typing import Any

import pytest

from conversations.models import Message
from cozechat.webhooks.models import Event
from tests.webhooks.telling import coze_event, message_event
from tests.webhooks.test_messages import COZE_ID, messages_in, the_event, thread_of


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"type": "verbose"}, "This kind of message is not shown."),
        ({"type": "function_call"}, "This kind of message is not shown."),
        ({"type": {}}, "This kind of message is not shown."),
        ({"content_type": "object_string"}, "This kind of message is not shown."),
        ({"content": " \u0000 "}, "There is nothing in this message."),
    ],
    ids=str,
)
async def test_what_is_not_for_people_is_ignored(
    message: dict[str, Any], reason: str, alice: Any, tell: Any, handled: Any
) -> None:
    thread = await thread_of(alice)
    await tell(message_event(COZE_ID, message=message))
    await handled()
    event = await the_event()
    assert (event.state, event.reason, await messages_in(thread)) == ("ignored", reason, [])


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"conversation_id": COZE_ID},
        {"conversation_id": COZE_ID, "message": "text"},
        {"conversation_id": COZE_ID, "message": {"content": 5}},
        {"conversation_id": COZE_ID, "message": {"content": "x", "role": "system"}},
        {"conversation_id": COZE_ID, "message": {"content": "x", "role": []}},
        {"conversation_id": [COZE_ID], "message": {"content": "x"}},
        {"conversation_id": "", "message": {"content": "x"}},
        {"conversation_id": COZE_ID, "message": {"content": "x", "id": "x" * 65}},
        {"conversation_id": COZE_ID, "message": {"content": "x", "id": {}}},
        {"conversation_id": COZE_ID, "chat_id": True, "message": {"content": "x"}},
        {"conversation_id": COZE_ID, "app": "x\u0000", "message": {"content": "x"}},
    ],
    ids=str,
)
async def test_what_cannot_be_understood_fails_with_its_reason_and_is_not_tried_again(
    data: dict[str, Any], alice: Any, tell: Any, handled: Any
) -> None:
    thread = await thread_of(alice)
    await tell({"id": "1", "type": "conversation.message", "data": data})
    await handled()
    event = await the_event()
    assert (event.state, event.attempts, await messages_in(thread)) == ("failed", 1, [])
    assert "is missing or wrong" in event.reason


async def test_markup_is_made_safe(alice: Any, tell: Any, handled: Any) -> None:
    thread = await thread_of(alice)
    await tell(message_event(COZE_ID, "<script>alert(1)</script> *hi* \ud83d"))
    await handled()
    message = await Message.objects.aget(conversation=thread)
    assert "<script" not in message.html
    assert "<em>hi</em>" in message.html


async def test_other_types_are_kept_and_ignored(tell: Any, call_back: Any, handled: Any) -> None:
    await tell({"id": "1", "type": "stock.low"})
    await call_back(coze_event("bot.published", {}))
    # Each door has its own types.
    await call_back(message_event(COZE_ID) | coze_event("conversation.message", {}))
    await tell({"id": "2", "type": "benefit.usage"})
    await handled()
    found = {(event.kind, event.state) async for event in Event.objects.all()}
    kinds = {"stock.low", "bot.published", "conversation.message", "benefit.usage"}
    assert found == {(kind, "ignored") for kind in kinds}
