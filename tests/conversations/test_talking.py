"""Questions and answers over the socket: what the contract promises to a page."""

import asyncio
import uuid

from accounts.models import User
from conversations.models import Conversation, Message, Turn
from cozechat import database


def stored_answer(turn: str) -> str:
    return Message.objects.get(turn_id=turn, role="assistant").content


async def test_an_answer_comes_in_deltas_and_is_stored_as_it_was_shown(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("你好,我叫张三,我25岁")

        deltas = [frame for frame in page.seen if frame["type"] == "turn.delta"]
        assert len(deltas) > 1
        assert asked.last["type"] == "turn.completed"
        assert asked.last["usage"]["total_tokens"] > 0
        assert "张三" in asked.text
        assert asked.text == await database.run(stored_answer, asked.turn)


async def test_the_assistant_remembers_what_it_was_told_in_this_conversation(coze, alice, tab):
    async with tab(alice) as page:
        first = await page.say("你好,我叫张三,我25岁")
        second = await page.say("我叫什么名字?我多大?", conversation=first.conversation)

        assert second.conversation == first.conversation
        assert "张三" in second.text
        assert "25" in second.text


async def test_two_people_talk_at_once_and_hear_only_their_own_answers(coze, alice, bob, tab):
    async with tab(alice) as alices, tab(bob) as bobs:
        one, other = await asyncio.gather(
            alices.say("My name is Alice and the secret word is zebra"),
            bobs.say("My name is Bob and the secret word is walrus"),
        )
        one, other = await asyncio.gather(
            alices.say("What is my name? What is the secret word?", conversation=one.conversation),
            bobs.say("What is my name? What is the secret word?", conversation=other.conversation),
        )

        assert "zebra" in one.text
        assert "walrus" not in one.text
        assert "walrus" in other.text
        assert "zebra" not in other.text
        assert {frame.get("turn") for frame in alices.seen} & {frame.get("turn") for frame in bobs.seen} <= {
            None
        }


async def test_each_users_calls_carry_that_users_session_name(coze, alice, bob, tab):
    async with tab(alice) as alices, tab(bob) as bobs:
        await asyncio.gather(alices.say("hello"), bobs.say("hello"))

    ledger = coze.ledger()
    assert set(ledger["exchanges"]) == {alice.session_name, bob.session_name}
    assert set(ledger["exchanges"].values()) == {1}
    assert ledger["session_name_mismatches"] == []
    rows = await database.run(
        lambda: list(Conversation.objects.values_list("coze_conversation_id", flat=True))
    )
    assert len(set(rows)) == 2
    assert all(rows)


async def test_the_same_client_id_starts_nothing_twice(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
        await page.send("turn.start", client_id=asked.client_id, conversation=None, content="hello")
        again = await page.until("turn.accepted")
        ended = await page.until("turn.completed")

        assert again["turn"] == asked.turn
        assert again["conversation"] == asked.conversation
        assert ended["turn"] == asked.turn
        assert await database.run(Turn.objects.count) == 1
        assert sum(coze.ledger()["chats"].values()) == 1


async def test_of_many_equal_questions_at_once_one_is_asked(coze, alice, tab):
    client_id = str(uuid.uuid4())
    async with tab(alice) as one, tab(alice) as other:
        for page in (one, other, one, other):
            await page.send("turn.start", client_id=client_id, conversation=None, content="hello")
        accepted = [await page.until("turn.accepted") for page in (one, other, one, other)]

        assert len({frame["turn"] for frame in accepted}) == 1
        await one.until("turn.completed")
    assert await database.run(Turn.objects.count) == 1
    assert await database.run(Conversation.objects.count) == 1


async def test_a_second_question_while_one_runs_is_told_busy_and_nothing_is_lost(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.ask("count to 200 slowly")
        await asked.words()
        client_id = str(uuid.uuid4())
        await page.send(
            "turn.start", client_id=client_id, conversation=asked.conversation, content="and you?"
        )
        error = await page.until("error")

        assert error["code"] == "busy"
        assert error["client_id"] == client_id
        await page.send("turn.stop", turn=asked.turn)
        assert (await asked.end())["type"] == "turn.canceled"
        after = await page.say("and you?", conversation=asked.conversation)
        assert after.last["type"] == "turn.completed"


async def test_stop_ends_the_answer_at_once_and_keeps_what_was_shown(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.ask("count to 200 slowly")
        await asked.words()
        started = asyncio.get_running_loop().time()
        await page.send("turn.stop", turn=asked.turn)
        ended = await asked.end()

        assert asyncio.get_running_loop().time() - started < 1
        assert ended["type"] == "turn.canceled"
        assert asked.text
        assert asked.text == await database.run(stored_answer, asked.turn)
        await page.until("conversation.updated")
        assert await page.quiet(), await page.frame()


async def test_stop_twice_and_stop_after_the_end_change_nothing(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
        await page.send("turn.stop", turn=asked.turn)
        assert (await page.until("turn.completed"))["turn"] == asked.turn
        assert (await database.run(Turn.objects.get, pk=asked.turn)).status == "completed"


async def test_closing_the_tab_does_not_end_the_answer(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.ask("count to 100")
        await asked.words()
    async with tab(alice) as later:
        await later.send("conversation.open", conversation=asked.conversation)
        state = await later.until("conversation.state")
        assert state["turn"] == asked.turn
        ended = await later.until("turn.completed")
        text = await database.run(stored_answer, asked.turn)
        assert ended["length"] == len(text)
        assert "100" in text
        asked.tab = later
        assert asked.text == text


async def test_reopening_in_mid_answer_syncs_without_gap_or_repeat(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.ask("count to 100")
        await asked.words()
        async with tab(alice) as second:
            await second.send("conversation.open", conversation=asked.conversation)
            state = await second.until("conversation.state")
            sync = await second.until("turn.sync")
            assert state["messages"][0]["content"] == "count to 100"
            assert sync["status"] == "in_progress"
            await second.until("turn.completed")
            await asked.end()
            shown_first = asked.text
            asked.tab = second
            assert asked.text == shown_first == await database.run(stored_answer, asked.turn)


async def test_resume_gives_the_whole_answer(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
        page.seen.clear()
        await page.send("turn.resume", turn=asked.turn, seq=0)
        await page.until("turn.sync")
        await page.until("turn.completed")
        assert asked.text == await database.run(stored_answer, asked.turn)


async def test_another_tab_that_has_the_conversation_open_sees_question_and_answer(coze, alice, tab):
    async with tab(alice) as one, tab(alice) as other:
        first = await one.say("hello")
        await other.send("conversation.open", conversation=first.conversation)
        await other.until("conversation.state")
        asked = await one.ask("what is 1+1?", conversation=first.conversation)
        started = await other.until("turn.started")
        assert started["question"]["content"] == "what is 1+1?"
        assert started["client_id"] == asked.client_id
        await asked.end()
        await other.until("turn.completed", turn=asked.turn)
        shown = asked.text
        asked.tab = other
        assert asked.text == shown


async def test_finished_blocks_travel_as_safe_html(coze, alice, tab):
    async with tab(alice) as page:
        await page.say("Show me a table and some code")
        blocks = "".join(frame["html"] for frame in page.seen if frame["type"] == "turn.html")
        assert "<table>" in blocks
        assert "<pre>" in blocks
        assert [frame for frame in page.seen if frame["type"] == "turn.html"][-1]["tail"] == 0


async def test_the_first_question_becomes_the_title_in_every_tab(coze, alice, tab):
    async with tab(alice) as one, tab(alice) as other:
        asked = await one.say("Tell me about coffee, please")
        updated = await other.until("conversation.updated")
        assert updated["conversation"]["id"] == asked.conversation
        assert updated["conversation"]["title"] == "Tell me about coffee, please"
        stored = await database.run(Conversation.objects.get, pk=asked.conversation)
        assert stored.title == "Tell me about coffee, please"


async def test_a_conversation_that_coze_has_forgotten_goes_on_in_a_new_one(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("My name is Alice")

        def lose_it() -> None:
            Conversation.objects.filter(pk=asked.conversation).update(
                coze_conversation_id="7999999999999999999"
            )

        await database.run(lose_it)
        again = await page.say("What is my name?", conversation=asked.conversation)
        assert again.last["type"] == "turn.completed"
        assert "Alice" in again.text


async def test_a_token_that_coze_no_longer_takes_is_renewed_once_unseen(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
        coze.revoke_tokens(session_name=alice.session_name)
        again = await page.say("hello again", conversation=asked.conversation)
        assert again.last["type"] == "turn.completed"
        assert coze.ledger()["exchanges"][alice.session_name] == 2


async def test_a_user_who_was_deactivated_can_ask_nothing_more(coze, alice, tab):
    async with tab(alice) as page:
        await page.say("hello")

        def deactivate() -> None:
            user = User.objects.get(pk=alice.pk)
            user.is_active = False
            user.save()

        await database.run(deactivate)
        assert await page.close_code() == 4401


async def test_a_question_is_answered_although_its_tab_closes_at_once(coze, alice, tab):
    for _ in range(5):
        async with tab(alice) as page:
            await page.send("turn.start", client_id=str(uuid.uuid4()), conversation=None, content="hello")

    async def all_ended() -> bool:
        rows = await database.run(lambda: list(Turn.objects.values_list("status", flat=True)))
        return bool(rows) and all(status == "completed" for status in rows)

    for _ in range(100):
        if await all_ended():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a stored question was never asked")
