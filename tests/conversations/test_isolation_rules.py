"""Bob tries every frame with Alice's ids: each answer is the one for something that never was."""

import asyncio
import json
import uuid

import pytest

from conversations import frames
from conversations.models import Conversation, Turn
from cozechat import database
from tests.conversations.intrusion import SECRET, everything_of, filled, ids_of, ids_of_nobody, neutral

PONG = '{"type":"pong"}'

# What Bob says with an id of Alice's, for each type of frame; every type of the code must have its rows.
TRIED_FRAMES = {
    "turn.start": [
        {"client_id": "NEW", "conversation": "CONVERSATION", "content": "what is the secret word?"},
        {"client_id": "NEW", "conversation": "CONVERSATION", "content": ""},
        {"client_id": "NEW", "conversation": "CONVERSATION", "content": "x", "assistant": 999_999},
        {"client_id": "ALICES", "conversation": "CONVERSATION", "content": "again"},
        {"client_id": "NEW", "conversation": "TURN", "content": "x"},
        {"client_id": "NEW", "conversation": "CONVERSATION", "content": "x", "edits": "TURN"},
        {"client_id": "NEW", "conversation": "CONVERSATION", "content": "x", "edits": "QUEUED"},
        {"client_id": "NEW", "conversation": "CONVERSATION", "regenerates": "TURN"},
        {"client_id": "NEW", "conversation": "CONVERSATION", "content": "x", "continues": "TURN"},
        {"client_id": "NEW", "conversation": "CONVERSATION", "content": "", "edits": "TURN"},
        {"client_id": "NEW", "conversation": None, "content": "x", "edits": "TURN"},
    ],
    "turn.stop": [{"turn": "TURN"}, {"turn": "QUEUED"}, {"turn": "CONVERSATION"}],
    "turn.resume": [
        {"turn": "TURN", "seq": 0},
        {"turn": "TURN", "seq": 10_000},
        {"turn": "QUEUED", "seq": 0},
    ],
    "turn.edit": [
        {"turn": "TURN", "content": "hers no more"},
        {"turn": "QUEUED", "content": "hers no more"},
        {"turn": "QUEUED", "content": ""},
        {"turn": "CONVERSATION", "content": "x"},
    ],
    "conversation.open": [{"conversation": "CONVERSATION"}, {"conversation": "TURN"}],
    "ping": [{"conversation": "CONVERSATION", "turn": "TURN"}],
}


def test_every_type_of_frame_is_tried_here():
    assert set(TRIED_FRAMES) == set(frames._PARSERS)


async def answers(page, frame: str, *, ids: dict[str, str]) -> list[str]:
    """All that comes back for one frame, as bytes would travel; a `ping` behind it says when that was all."""
    await page.communicator.send_to(text_data=filled(frame, ids))
    await page.send("ping")
    heard: list[str] = []
    pongs = 2 if json.loads(frame)["type"] == "ping" else 1
    while heard.count(PONG) < pongs:
        heard.append(neutral(await page.communicator.receive_from(timeout=20), ids))
    return heard[:-1]


@pytest.mark.parametrize("kind", TRIED_FRAMES)
async def test_a_frame_with_foreign_ids_is_answered_as_if_they_never_were(coze, alice, intruder, tab, kind):
    async with tab(alice) as alices, tab(intruder) as page:
        done = await alices.say(SECRET)
        running = await alices.ask("count to 300 slowly", conversation=done.conversation)
        await running.words()
        queued = await alices.ask(f"{SECRET} still", conversation=done.conversation)
        real = await database.run(ids_of, alice)
        none = ids_of_nobody(real)
        for fields in TRIED_FRAMES[kind]:
            client_id = str(uuid.uuid4())
            frame = json.dumps({"type": kind, **fields}).replace("NEW", client_id)
            if "ALICES" in frame:
                continue
            foreign = await answers(page, frame, ids=real)
            missing = await answers(page, frame, ids=none)
            assert foreign == missing, fields
            assert len(foreign) == 1
            assert "zebra" not in foreign[0]
        assert (real["TURN"], real["QUEUED"]) == (running.turn, queued.turn)
        assert await page.quiet()
        await alices.send("conversation.open", conversation=done.conversation)
        (waiting,) = (await alices.until("conversation.state"))["queued"]
        assert waiting["question"]["content"] == f"{SECRET} still"
        for each in (queued, running):
            await alices.send("turn.stop", turn=each.turn)
            assert (await each.end())["type"] == "turn.canceled"
        assert await database.run(Turn.objects.filter(owner=intruder).count) == 0
        assert await database.run(Turn.objects.filter(owner=alice).count) == 3
        assert {frame["type"] for frame in alices.seen} <= {
            *("turn.accepted", "turn.delta", "turn.html", "turn.completed", "turn.canceled", "turn.sync"),
            *("turn.queued", "conversation.updated", "conversation.state"),
        }


async def test_nothing_of_alices_changes_by_anything_that_bob_says(coze, alice, intruder, tab):
    async with tab(alice) as alices, tab(intruder) as page:
        await alices.say(SECRET)
        await alices.until("conversation.updated")
        await asyncio.sleep(1.2)  # Coze is told the title in the meantime
        real = await database.run(ids_of, alice)
        before = await database.run(everything_of, alice)
        for kind, tries in TRIED_FRAMES.items():
            for fields in tries:
                await answers(
                    page, json.dumps({"type": kind, **fields}).replace("NEW", str(uuid.uuid4())), ids=real
                )
        assert await database.run(everything_of, alice) == before
        assert await alices.quiet()


async def test_the_same_client_id_of_two_people_is_two_turns(coze, alice, intruder, tab):
    client_id = str(uuid.uuid4())
    async with tab(alice) as alices, tab(intruder) as page:
        for each, content in ((alices, SECRET), (page, "what is the secret word?")):
            await each.send("turn.start", client_id=client_id, conversation=None, content=content)
        one, other = await alices.until("turn.completed"), await page.until("turn.completed")
        assert one["turn"] != other["turn"]
        assert one["conversation"] != other["conversation"]

        # The same again: each is led to their own.
        await page.send("turn.start", client_id=client_id, conversation=one["conversation"], content="x")
        assert (await page.until("turn.accepted"))["turn"] == other["turn"]
        await page.until("turn.completed", turn=other["turn"])
        assert "zebra" not in json.dumps(page.seen)
    assert await database.run(Turn.objects.count) == 2


async def test_ids_guessed_before_they_exist_let_nobody_listen(coze, alice, intruder, tab, monkeypatch):
    """Bob opens, resumes and stops the ids that Alice's conversation and turn will have."""
    to_come = uuid.uuid4(), uuid.uuid4()
    monkeypatch.setattr(Conversation._meta.get_field("id"), "_get_default", lambda: to_come[0])
    monkeypatch.setattr(Turn._meta.get_field("id"), "_get_default", lambda: to_come[1])
    ids = {"CONVERSATION": str(to_come[0]), "TURN": str(to_come[1]), "ALICES": str(uuid.uuid4())}
    ids["QUEUED"] = ids["TURN"]
    async with tab(intruder) as page, tab(alice) as alices:
        for kind in ("conversation.open", "turn.resume", "turn.stop"):
            for fields in TRIED_FRAMES[kind]:
                (refused,) = await answers(page, json.dumps({"type": kind, **fields}), ids=ids)
                assert json.loads(refused)["code"] == "not_found"
        asked = await alices.ask("count to 50")
        assert (asked.conversation, asked.turn) == (ids["CONVERSATION"], ids["TURN"])
        await page.send("conversation.open", conversation=asked.conversation)
        assert (await asked.end())["type"] == "turn.completed"
        heard = await page.frame()
        assert (heard["type"], heard["code"]) == ("error", "not_found")
        assert await page.quiet()


async def test_two_people_and_a_visitor_in_all_tabs_hear_only_of_their_own(coze, alice, bob, visitor, tab):
    people = {alice: "alpaca", bob: "badger", visitor: "vulture"}

    async def live(user, word) -> tuple[str, list]:
        async with tab(user) as one, tab(user) as other:
            asked = await one.say(f"the secret word is {word}")
            await other.send("conversation.open", conversation=asked.conversation)
            await other.until("conversation.state")
            again = await one.say("what is the secret word?", conversation=asked.conversation)
            await other.until("turn.completed", turn=again.turn)
            assert word in again.text
            return word, [*one.seen, *other.seen]

    heard = dict(await asyncio.gather(*(live(user, word) for user, word in people.items())))
    for word, seen in heard.items():
        assert [other for other in people.values() if other in json.dumps(seen)] == [word]
    ids = [
        {frame["conversation"] for frame in seen if frame["type"] == "turn.accepted"}
        for seen in heard.values()
    ]
    assert len(set().union(*ids)) == sum(map(len, ids)) == 3
    assert {user.session_name: 2 for user in people} == coze.ledger()["chats_per_session"]
