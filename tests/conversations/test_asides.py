"""What goes with an answer: its thoughts, follow-up questions, what its reader says of it – and nobody else's."""

import json

import pytest
from django.test import Client

from accounts.models import User
from conversations.models import Feedback
from conversations.turns import verdicts
from cozechat import database

pytestmark = pytest.mark.django_db(transaction=True)
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root", password="chat-with-me")


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def place(asked) -> str:
    return f"/api/conversations/{asked.conversation}/turns/{asked.turn}/feedback"


def put(client: Client, path: str, **said):
    return client.put(path, json.dumps(said), content_type="application/json")


def thoughts_in(page, turn: str) -> tuple[str, float | None]:
    """As a page puts the frames together."""
    text, seconds = "", None
    for frame in page.seen:
        if frame["type"] == "turn.reasoning" and frame["turn"] == turn:
            assert frame["offset"] <= len(text)
            text = text[: frame["offset"]] + frame["content"]
            seconds = frame.get("seconds")
    return text, seconds


async def items(user, conversation: str) -> list[dict]:
    def read() -> list[dict]:
        return client_of(user).get(f"/api/conversations/{conversation}/messages").json()["items"]

    return await database.run(read)


async def test_thoughts_come_before_the_answer_are_kept_and_are_no_part_of_it(coze, alice, tab):
    coze.arm("reasoning")
    async with tab(alice) as page:
        asked = await page.say("count to 3")
    text, seconds = thoughts_in(page, asked.turn)
    kinds = [frame["type"] for frame in page.seen if frame.get("turn") == asked.turn]
    answer = (await items(alice, asked.conversation))[-1]

    assert text
    assert seconds is not None
    assert text not in asked.text
    assert kinds.index("turn.reasoning") < kinds.index("turn.delta")
    assert answer["reasoning"] == {"content": text, "seconds": seconds}
    assert answer["content"] == asked.text
    assert asked.last["reasoning"] == len(text)


async def test_a_tab_that_comes_in_the_middle_gets_all_thoughts_so_far(coze, alice, tab):
    coze.arm("reasoning")
    async with tab(alice) as page, tab(alice) as other:
        asked = await page.ask("count to 300 slowly")
        await asked.words()
        await other.send("conversation.open", conversation=asked.conversation)
        await other.until("turn.sync")
        await page.send("turn.stop", turn=asked.turn)
        await asked.end()
        await other.until("turn.canceled")
    assert thoughts_in(other, asked.turn) == thoughts_in(page, asked.turn)
    assert thoughts_in(other, asked.turn)[0]


async def test_a_conversation_s_state_is_not_filled_with_thoughts(coze, alice, tab):
    coze.arm("reasoning")
    async with tab(alice) as page:
        asked = await page.say("count to 3")
        await page.send("conversation.open", conversation=asked.conversation)
        state = await page.until("conversation.state")
    assert "reasoning" not in state["messages"][-1]


async def test_what_coze_suggests_next_is_kept_with_its_answer(coze, alice, tab):
    coze.arm("follow-ups", count=3)
    async with tab(alice) as page:
        asked = await page.say("count to 3")
        suggested = await page.until("turn.suggestions")
        await page.send("conversation.open", conversation=asked.conversation)
        state = await page.until("conversation.state")
    assert state["messages"][-1]["suggestions"] == suggested["items"]
    assert (await items(alice, asked.conversation))[-1]["suggestions"] == suggested["items"]


async def test_a_thumb_is_kept_told_to_every_tab_and_to_coze(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
        said = {"rating": "unlike", "reasons": ["wrong", "unclear", "wrong"], "comment": " It is 5 \x07"}
        reply = await database.run(lambda: put(client_of(alice), place(asked), **said))
        told = await page.until("turn.feedback", turn=asked.turn)
        await verdicts.tell_coze()
    kept = {"rating": "unlike", "reasons": ["wrong", "unclear"], "comment": "It is 5"}
    (heard,) = coze.ledger()["feedback"].values()
    row = await database.run(Feedback.objects.get)

    assert (reply.status_code, reply.json()) == (200, {"feedback": kept})
    assert told["feedback"] == kept
    assert (await items(alice, asked.conversation))[-1]["feedback"] == kept
    assert row.told_at is not None
    assert (heard["feedback_type"], heard["comment"]) == ("unlike", "It is 5")
    assert heard["session_name"] == alice.session_name


async def test_a_thumb_that_is_taken_back_goes_at_coze_too(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
        await database.run(lambda: put(client_of(alice), place(asked), rating="like"))
        await verdicts.tell_coze()
        assert len(coze.ledger()["feedback"]) == 1
        reply = await database.run(lambda: client_of(alice).delete(place(asked)))
        assert reply.json() == {"feedback": None}
        assert "feedback" not in (await items(alice, asked.conversation))[-1]
        await verdicts.tell_coze()
    assert coze.ledger()["feedback"] == {}
    assert not await database.run(Feedback.objects.exists)


async def test_where_coze_is_away_it_is_told_later_and_the_last_word_counts(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
        coze.arm("html-502", times=50)
        await database.run(lambda: put(client_of(alice), place(asked), rating="like"))
        await verdicts.tell_coze()
        waiting = await database.run(Feedback.objects.get)
        assert (waiting.told_at, waiting.failures) == (None, 1)
        await verdicts.tell_coze()
        assert coze.ledger()["feedback"] == {}
        coze.disarm()
        await database.run(lambda: put(client_of(alice), place(asked), rating="unlike"))
        await verdicts.tell_coze()
    (heard,) = coze.ledger()["feedback"].values()
    assert heard["feedback_type"] == "unlike"
    assert (await database.run(Feedback.objects.get)).told_at is not None


async def test_one_of_two_processes_tells_it(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
        await database.run(lambda: put(client_of(alice), place(asked), rating="like"))
        first = await database.run(verdicts._take)
        second = await database.run(verdicts._take)
    assert (len(first), len(second)) == (1, 0)


async def test_bob_learns_nothing_and_changes_nothing(coze, alice, bob, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
        await database.run(lambda: put(client_of(alice), place(asked), rating="like"))

    def try_it() -> list[tuple[int, bytes]]:
        bobs, nowhere = client_of(bob), place(asked).replace(asked.turn, NOWHERE)
        replies = [
            *(put(bobs, path, rating="unlike") for path in (place(asked), nowhere)),
            *(put(bobs, path, rating="rubbish") for path in (place(asked), nowhere)),
            *(bobs.delete(path) for path in (place(asked), nowhere)),
            put(Client(), place(asked), rating="unlike"),
        ]
        return [(reply.status_code, reply.content) for reply in replies]

    *bobs, nobody = await database.run(try_it)
    assert {status for status, _body in bobs} == {404}
    assert len({json.dumps(json.loads(body)["error"]["message"]) for _status, body in bobs}) == 1
    assert nobody[0] == 401
    assert (await database.run(Feedback.objects.get)).rating == "like"


@pytest.mark.parametrize(
    "said",
    [
        {},
        [],
        {"rating": ""},
        {"rating": "love"},
        {"rating": ["like"]},
        {"rating": "like", "reasons": "wrong"},
        {"rating": "like", "reasons": ["<b>"]},
        {"rating": "like", "reasons": [{}]},
        {"rating": "like", "comment": "x" * 251},
        {"rating": "like", "comment": 5},
    ],
)
async def test_rubbish_is_refused_and_nothing_is_kept(said, coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")

    def try_it() -> int:
        body = json.dumps(said)
        return client_of(alice).put(place(asked), body, content_type="application/json").status_code

    assert await database.run(try_it) == 400
    assert not await database.run(Feedback.objects.exists)


async def test_an_answer_that_still_runs_is_not_judged(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.ask("count to 300 slowly")
        await asked.words()
        reply = await database.run(lambda: put(client_of(alice), place(asked), rating="like"))
        await page.send("turn.stop", turn=asked.turn)
        await asked.end()
    assert reply.status_code == 404


async def test_what_bob_would_see_of_alices_thumbs_is_nothing(coze, alice, bob, tab):
    async with tab(alice) as page, tab(bob) as bobs:
        asked = await page.say("hello")
        await bobs.send("conversation.open", conversation=asked.conversation)
        await bobs.until("error")
        await database.run(lambda: put(client_of(alice), place(asked), rating="like"))
        await page.until("turn.feedback")
        assert await bobs.quiet()
    assert "turn.feedback" not in {frame["type"] for frame in bobs.seen}


async def test_staff_see_it_in_the_admin_and_no_words_in_the_list(coze, alice, root, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
        said = {"rating": "unlike", "reasons": ["wrong"], "comment": "my secret words"}
        await database.run(lambda: put(client_of(alice), place(asked), **said))

    def look() -> tuple[str, str, int]:
        client, row = client_of(root), Feedback.objects.get()
        listed = client.get("/admin/conversations/feedback/").content.decode()
        page = client.get(f"/admin/conversations/feedback/{row.pk}/change/").content.decode()
        return listed, page, client_of(alice).get("/admin/conversations/feedback/").status_code

    listed, opened, alices = await database.run(look)
    assert f"/admin/conversations/turn/{asked.turn}/change/" in listed
    assert f"/admin/conversations/conversation/{asked.conversation}/change/" in listed
    assert "my secret words" not in listed
    assert "my secret words" in opened
    assert alices == 302


async def test_how_long_it_took_and_coze_s_log_id_go_with_an_answer(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
    answer = (await items(alice, asked.conversation))[-1]
    assert answer["seconds"] >= 0
    assert answer["log_id"]
    assert answer["usage"]["total_tokens"] > 0


async def test_of_an_answer_on_a_branch_coze_is_told_where_that_was_given(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
        again = await page.ask("hello there", conversation=asked.conversation, edits=asked.turn)
        await again.end()
        await database.run(lambda: put(client_of(alice), place(again), rating="like"))
        await verdicts.tell_coze()
    (heard,) = coze.ledger()["feedback"].values()
    assert heard["feedback_type"] == "like"
