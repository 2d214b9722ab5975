"""Whose session_name goes to Coze: the owner's, in every call, from the server alone; and no browser sees it."""

import asyncio
import json
import uuid

from conversations import urls
from conversations.models import Conversation, Message, Turn
from cozechat import database
from tests.conversations.intrusion import SECRET, address, ids_of, signed_in


async def test_the_session_name_is_the_owners_in_every_call_whatever_a_frame_claims(coze, alice, bob, tab):
    names = ("session_name", "user", "user_id", "owner", "owner_id", "session_key")
    claims = dict.fromkeys(names, alice.session_name)
    async with tab(alice) as alices, tab(bob) as bobs:
        told = await alices.say(SECRET)
        alices_id = await database.run(lambda: Conversation.objects.get().coze_conversation_id)
        coze.reset_ledger()
        asked = await bobs.ask("what is the secret word?", **claims | {"coze_conversation_id": alices_id})
        await asked.end()
        later = await bobs.say("hello", conversation=asked.conversation)
        await database.run(rename, bob, asked.conversation)
        await asyncio.sleep(1.5)  # Coze is told of it
    ledger = coze.ledger()

    assert "zebra" not in asked.text
    assert later.last["type"] == "turn.completed"
    assert ledger["exchanges"] == {bob.session_name: 1}
    assert ledger["chats_per_session"] == {bob.session_name: 2}
    assert alices_id not in ledger["chats"]
    assert ledger["session_name_mismatches"] == []
    assert ledger["without_body_session_name"] == 0
    assert [call for call in ledger["requests"] if call.startswith("PUT /v1/conversations")]
    owners = await database.run(lambda: dict(Conversation.objects.values_list("pk", "owner_id")))
    assert owners == {uuid.UUID(told.conversation): alice.pk, uuid.UUID(asked.conversation): bob.pk}


def rename(owner, conversation: str) -> None:
    path = f"/api/conversations/{conversation}/"
    signed_in(owner).patch(path, '{"title": "of coffee"}', content_type="application/json")


async def test_parameters_reach_the_flow_but_never_take_the_place_of_the_session_name(coze, alice, bob, tab):
    async with tab(bob) as bobs:
        asked = await bobs.ask(
            "hello",
            parameters={"session_name": alice.session_name, "USER_INPUT": "x", "conversation_id": "1"},
        )
        assert (await asked.end())["type"] == "turn.completed"
    ledger = coze.ledger()
    assert ledger["session_name_mismatches"] == []
    assert set(ledger["chats_per_session"]) == {bob.session_name}


async def test_coze_answering_in_a_foreign_conversation_shows_and_stores_nothing(coze, alice, tab):
    async with tab(alice) as page:
        first = await page.say("hello")
        coze.arm("wrong-conversation", path="/v1/workflows/chat")
        asked = await page.say("hello again", conversation=first.conversation)
    answer = await database.run(Message.objects.get, turn_id=asked.turn, role="assistant")
    assert (asked.last["type"], asked.last["error"]["code"]) == ("turn.failed", "internal")
    assert answer.content == asked.text == ""


async def test_no_frame_page_or_json_holds_a_session_name_or_an_id_of_cozes(coze, alice, tab):
    async with tab(alice) as page, tab(alice) as other:
        asked = await page.say(SECRET)
        await other.send("conversation.open", conversation=asked.conversation)
        await other.send("turn.resume", turn=asked.turn, seq=0)
        await other.until("turn.completed")
        coze.arm("chat-failed")
        await page.say("again", conversation=asked.conversation)
        again = await page.ask("", conversation=asked.conversation, regenerates=asked.turn)
        await again.end()
        seen = json.dumps([page.seen, other.seen])
    shown = await database.run(everything_shown_to, alice, asked.conversation)
    hidden = await database.run(everything_hidden_of, alice)

    assert len(shown) > 12
    for name, text in {"the socket": seen, **shown}.items():
        assert [secret for secret in hidden if secret in text] == [], name


def everything_hidden_of(owner) -> set[str]:
    hidden = {owner.session_name, owner.password}
    for conversation in Conversation.objects.filter(owner=owner):
        hidden.add(conversation.coze_conversation_id)
        hidden |= set(conversation.branches.values_list("coze_conversation_id", flat=True))
    for turn in Turn.objects.filter(owner=owner):
        hidden |= {turn.coze_chat_id, str(turn.lease)} - {"None"}
    assert all(len(secret) > 8 for secret in hidden)
    return hidden


def everything_shown_to(owner, conversation: str) -> dict[str, str]:
    """Every page and every JSON of conversations, and the account's own pages."""
    client = signed_in(owner)
    paths = [
        address(pattern.name, ids_of(owner) | {"CONVERSATION": conversation}) + query
        for pattern in urls.urlpatterns
        for query in ("", "?q=zebra", "?format=json", "?limit=1")
    ]
    return {
        path: client.get(path).content.decode() for path in [*paths, "/accounts/profile/", "/accounts/email/"]
    }
