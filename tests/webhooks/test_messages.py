"""A message that somebody tells us of appears once, in the right conversation, in its owner's tabs alone."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversations.models import Conversation, Message, Turn
from conversations.turns.arrivals import Arrivals
from cozechat import database
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.webhooks.models import Event
from tests.conversations import rows
from tests.tabs import Tab
from tests.webhooks.telling import coze_event, message_event

COZE_ID = "7400000000000000001"


def make_thread(owner: Any, *, coze_id: str = COZE_ID, assistant: Assistant | None = None) -> Conversation:
    """A conversation of this owner's with the default assistant."""
    assistant = assistant or default_assistant()
    assert assistant
    return Conversation.objects.create(owner=owner, assistant=assistant, coze_conversation_id=coze_id)


async def thread_of(owner: Any, **fields: Any) -> Conversation:
    return await database.run(make_thread, owner, **fields)


async def messages_in(thread: Conversation) -> list[str]:
    return [message.content async for message in Message.objects.filter(conversation=thread).order_by("pk")]


async def the_event() -> Event:
    return await Event.objects.order_by("-pk").afirst()  # type: ignore[return-value]


async def opened(tab: Tab, thread: Conversation) -> Tab:
    await tab.send("conversation.open", conversation=thread.pk)
    await tab.until("conversation.state")
    return tab


async def test_a_message_appears_in_every_open_tab_of_its_owner(
    alice: Any, bob: Any, tab: Any, tell: Any
) -> None:
    thread, bobs_thread = await thread_of(alice), await thread_of(bob, coze_id="7400000000000000002")
    async with tab(alice) as first, tab(alice) as second, tab(alice) as elsewhere, tab(bob) as bobs:
        await opened(first, thread)
        await opened(second, thread)
        await opened(bobs, bobs_thread)
        # Bob asks for hers, and is told what he would be told of one that does not exist.
        for strange in (thread.pk, uuid.uuid4()):
            await bobs.send("conversation.open", conversation=strange)
            assert (await bobs.until("error"))["code"] == "not_found"
        assert (await tell(message_event(COZE_ID, "**News**"))).status_code == 202
        for alices in (first, second):
            frame = await alices.until("message.created")
            assert frame["conversation"] == str(thread.pk)
            message = frame["message"]
            assert (message["role"], message["content"], message["turn"]) == ("assistant", "**News**", None)
            assert (message["status"], message["html"].strip()) == (
                "completed",
                "<p><strong>News</strong></p>",
            )
        updated = await elsewhere.until("conversation.updated")
        assert updated["conversation"]["id"] == str(thread.pk)
        assert await bobs.quiet(seconds=1.5)
    assert await messages_in(thread) == ["**News**"]
    assert await messages_in(bobs_thread) == []
    event = await the_event()
    assert (event.state, event.conversation_id) == ("handled", thread.pk)


async def test_each_tab_is_told_once(alice: Any, tab: Any, tell: Any) -> None:
    thread = await thread_of(alice)
    async with tab(alice) as alices:
        await opened(alices, thread)
        await tell(message_event(COZE_ID))
        await alices.until("message.created")
        # Longer than a round of looking.
        while not await alices.quiet(seconds=1.5):
            await alices.frame()
        assert [frame["type"] for frame in alices.seen].count("message.created") == 1


async def test_opening_the_conversation_later_shows_it(alice: Any, tab: Any, tell: Any, handled: Any) -> None:
    thread = await thread_of(alice)
    await tell(message_event(COZE_ID, "while you were away"))
    await handled()
    async with tab(alice) as alices:
        await alices.send("conversation.open", conversation=thread.pk)
        state = await alices.until("conversation.state")
        assert [message["content"] for message in state["messages"]] == ["while you were away"]


async def test_a_message_without_a_hint_is_found_in_the_rows(alice: Any, tab: Any) -> None:
    """As one that another process has stored, where no Redis carries hints."""
    thread = await thread_of(alice)
    async with tab(alice) as alices:
        await opened(alices, thread)
        await Message.objects.acreate(
            conversation=thread, role="assistant", content="from elsewhere", coze_message_id="m-1"
        )
        await Conversation.objects.filter(pk=thread.pk).aupdate(active_at=timezone.now())
        frame = await alices.until("message.created")
        assert frame["message"]["content"] == "from elsewhere"


async def test_a_long_message_fits_into_a_frame(alice: Any, tab: Any, tell: Any) -> None:
    thread = await thread_of(alice)
    async with tab(alice) as alices:
        await opened(alices, thread)
        await tell(message_event(COZE_ID, "你好" * 50_000))
        frame = await alices.until("message.created")
        assert frame["message"]["truncated"] is True
        assert len(str(frame).encode()) < 64 * 1024
    assert await messages_in(thread) == ["你好" * 50_000]


async def test_the_same_message_in_several_events_is_stored_once(alice: Any, tell: Any, handled: Any) -> None:
    thread = await thread_of(alice)
    for _each in range(3):
        await tell(message_event(COZE_ID, "once", message_id="m-1"))
    await handled()
    assert await messages_in(thread) == ["once"]
    assert {event.state async for event in Event.objects.all()} == {"handled"}


async def test_coze_s_form_of_an_event_is_understood(alice: Any, tell: Any, handled: Any) -> None:
    thread = await thread_of(alice)
    said = {"conversation_id": int(COZE_ID), "message_id": "m-1", "role": "user", "content": "hello"}
    await tell(coze_event("conversation.message", said))
    await handled()
    message = await Message.objects.aget(conversation=thread)
    assert (message.role, message.content, message.coze_message_id) == ("user", "hello", "m-1")


async def test_a_message_without_an_id_counts_by_its_event(alice: Any, tell: Any, handled: Any) -> None:
    thread = await thread_of(alice)
    for event_id in ("a", "a", "b"):
        await tell(message_event(COZE_ID, "again", id=event_id, message={"id": None}))
    await handled()
    assert await messages_in(thread) == ["again", "again"]


# Turns of our own


async def test_what_a_turn_has_brought_does_not_appear_twice(
    alice: Any, coze: Any, tab: Any, tell: Any, handled: Any
) -> None:
    async with tab(alice) as alices:
        asked = await alices.say("count to 5")
        turn = await Turn.objects.select_related("conversation").aget(pk=asked.turn)
        coze_id = turn.conversation.coze_conversation_id
        question = {"role": "user", "content": "count to 5"}
        await tell(message_event(coze_id, "1 2 3 4 5", chat_id=turn.coze_chat_id))
        await tell(message_event(coze_id, "", chat_id=turn.coze_chat_id, message=question))
        # Without the chat's id it is known by its words.
        await tell(message_event(coze_id, "1 2 3 4 5"))
        await handled()
        assert await messages_in(turn.conversation) == ["count to 5", "1 2 3 4 5"]
        reasons = {event.reason async for event in Event.objects.all()}
        assert reasons == {"A turn has brought this message already."}
        await tell(message_event(coze_id, "something else"))
        await handled()
        assert len(await messages_in(turn.conversation)) == 3


async def test_while_a_turn_runs_its_messages_wait(alice: Any, tell: Any, handled: Any) -> None:
    thread = await thread_of(alice)
    turn = await database.run(rows.turn, thread, "hello", "", status="in_progress")
    await tell(message_event(COZE_ID, "Good day"))
    await tell(message_event(COZE_ID, "Good day", chat_id="c-1"))
    await handled()
    events = [event async for event in Event.objects.all()]
    assert {(event.state, event.attempts, event.reason) for event in events} == {
        ("waiting", 0, "A turn runs.")
    }
    await Turn.objects.filter(pk=turn.pk).aupdate(
        status="completed", ended_at=timezone.now(), coze_chat_id="c-1"
    )
    await Message.objects.filter(turn=turn, role="assistant").aupdate(content="Good day")
    await Event.objects.aupdate(due_at=timezone.now())
    await handled()
    assert await messages_in(thread) == ["hello", "Good day"]


async def test_a_message_of_another_chat_does_not_wait_for_a_turn(
    alice: Any, tell: Any, handled: Any
) -> None:
    thread = await thread_of(alice)
    await database.run(rows.turn, thread, "hello", "", status="in_progress", coze_chat_id="c-1")
    await tell(message_event(COZE_ID, "news", chat_id="c-2"))
    await handled()
    assert await messages_in(thread) == ["hello", "", "news"]


# Whose it is


async def test_the_owner_is_found_through_the_conversation_alone(
    alice: Any, bob: Any, tell: Any, handled: Any
) -> None:
    thread, bobs = await thread_of(alice), await thread_of(bob, coze_id="7400000000000000002")
    claims = {"user": "bob", "user_id": bob.pk, "owner": bob.pk, "session_name": bob.session_name}
    await tell(message_event(COZE_ID, "for Alice", **claims))
    await handled()
    assert (await messages_in(thread), await messages_in(bobs)) == (["for Alice"], [])


async def test_an_id_that_two_conversations_have_is_nobody_s(
    alice: Any, bob: Any, tell: Any, handled: Any
) -> None:
    thread = await thread_of(alice)
    second = await Assistant.objects.acreate(
        app_id=(await Assistant.objects.aget(pk=thread.assistant_id)).app_id,
        name="Second",
        workflow_id="9",
        coze_app_id="9",
    )
    bobs = await thread_of(bob, assistant=second)
    await tell(message_event(COZE_ID))
    await handled()
    assert (await messages_in(thread), await messages_in(bobs)) == ([], [])
    assert (await the_event()).state == "ignored"


async def test_the_same_id_at_another_app_is_another_conversation(
    alice: Any, bob: Any, tell: Any, handled: Any
) -> None:
    thread = await thread_of(alice)
    app = await CozeApp.objects.acreate(name="Other", base_url="https://api.coze.com")
    other = await Assistant.objects.acreate(app=app, name="Other", workflow_id="9", coze_app_id="9")
    bobs = await thread_of(bob, assistant=other)
    await tell(message_event(COZE_ID, "here"))
    await tell(message_event(COZE_ID, "there", app="Other"))
    await tell(message_event(COZE_ID, "nowhere", app="Nobody's"))
    await handled()
    assert (await messages_in(thread), await messages_in(bobs)) == (["here"], ["there"])
    assert (await the_event()).state == "ignored"


@pytest.mark.parametrize("gone", ["unknown", "deleted", "without an id"])
async def test_a_conversation_that_is_not_there_gets_nothing(
    gone: str, alice: Any, tell: Any, handled: Any
) -> None:
    thread = await thread_of(alice, coze_id="" if gone == "without an id" else COZE_ID)
    if gone == "deleted":
        await Conversation.objects.filter(pk=thread.pk).aupdate(deleted_at=timezone.now())
    await tell(message_event("740" if gone == "unknown" else COZE_ID))
    await handled()
    assert await messages_in(thread) == []
    event = await the_event()
    assert (event.state, event.reason) == ("ignored", "No conversation here has this id.")


async def test_deleting_the_conversation_deletes_the_message_and_its_event(
    alice: Any, tell: Any, handled: Any
) -> None:
    from conversations import turns

    thread = await thread_of(alice)
    await tell(message_event(COZE_ID))
    await handled()
    await database.run(turns.delete_conversation, alice, conversation_id=thread.pk)
    assert await messages_in(thread) == []
    await Conversation.objects.filter(pk=thread.pk).adelete()
    assert await Event.objects.acount() == 0


async def test_old_sockets_that_are_gone_are_forgotten(alice: Any) -> None:
    """Who was shown what is remembered for open sockets only."""
    from conversations.outboxes import Hub, Outbox

    thread = await thread_of(alice)
    message = await Message.objects.acreate(
        conversation=thread, role="assistant", content="x", coze_message_id="m-1"
    )
    hub = Hub()
    arrivals, outbox = Arrivals(hub), Outbox(owner_id=alice.pk, language="en", session_key="")
    hub.join(outbox)
    hub.follow(outbox, thread.pk, since=(timezone.now() - timedelta(hours=1)).timestamp())
    await arrivals.tell([message.pk])
    await arrivals.tell([message.pk])
    assert len(outbox._waiting) == 1
    hub.leave(outbox)
    del outbox
    assert [len(shown) for shown in arrivals._shown.values()] == [0]
