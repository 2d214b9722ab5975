"""A conversation is a tree: asked otherwise, asked again, each version with what came after it."""

import uuid

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from conversations import turns
from conversations.models import Branch, Conversation, CozeLeftover, Message, Turn
from cozechat import database
from tests.conversations import rows
from tests.conversations.intrusion import signed_in
from tests.conversations.tree_steps import (
    WORD,
    choose,
    ended,
    ids_at_coze,
    left_at_coze,
    path_of,
    questions,
    say,
)

# --- Asked otherwise, asked again -----------------------------------------------------------------


async def test_an_edited_question_gets_a_branch_that_knows_nothing_of_what_it_left(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "the secret word is zebra")
        here = {"conversation": first.conversation}
        await say(page, WORD, **here)
        other = await say(page, "the secret word is heron", edits=first.turn, **here)
        after = await say(page, WORD, **here)
        assert "heron" in after.text
        assert "zebra" not in after.text
        client = await database.run(signed_in, alice)
        shown = await database.run(path_of, first.conversation, client=client)
        assert questions(shown) == ["the secret word is heron", WORD]
        assert (await database.run(choose, client, first.conversation, first.turn)).status_code == 200
        shown = await database.run(path_of, first.conversation, client=client)
        assert questions(shown) == ["the secret word is zebra", WORD]
        again = await say(page, WORD, **here)
        assert "zebra" in again.text
    turn = await Turn.objects.select_related("branch").aget(pk=other.turn)
    assert turn.parent_id is None
    assert turn.branch and turn.branch.coze_conversation_id
    assert (await Turn.objects.aget(pk=after.turn)).parent_id == turn.pk
    owners = coze.ledger()["chats_per_session"]
    assert set(owners) == {alice.session_name}


async def test_what_stands_before_an_edited_question_is_told_to_its_branch(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "the secret word is zebra")
        second = await say(page, "hello", conversation=first.conversation)
        other = await say(page, WORD, conversation=first.conversation, edits=second.turn)
        assert "zebra" in other.text
    assert (await Turn.objects.aget(pk=other.turn)).parent_id == uuid.UUID(first.turn)


async def test_an_answer_asked_for_again_stands_beside_the_first_and_both_keep_what_follows(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "hello")
        here = {"conversation": first.conversation}
        follow = await say(page, "the secret word is zebra", **here)
        again = await ended(await page.ask("", regenerates=first.turn, **here))
        client = await database.run(signed_in, alice)
        items = await database.run(path_of, first.conversation, client=client)
        assert questions(items) == ["hello"]
        assert items[1]["versions"] == {"at": 2, "count": 2, "previous": first.turn, "next": None}
        third = await ended(await page.ask("", regenerates=again.turn, **here))
        items = await database.run(path_of, first.conversation, client=client)
        assert items[1]["versions"] == {"at": 3, "count": 3, "previous": again.turn, "next": None}
        await database.run(choose, client, first.conversation, first.turn)
        items = await database.run(path_of, first.conversation, client=client)
        assert [item["turn"] for item in items[::2]] == [first.turn, follow.turn]
        assert items[1]["versions"]["at"] == 1
    # However often it is asked again, paths grow no longer.
    branch = (await Turn.objects.select_related("branch").aget(pk=third.turn)).branch
    assert branch and branch.parent_id is None


async def test_versions_of_a_question_stand_at_the_question(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "hello")
        await say(page, "hello you", conversation=first.conversation, edits=first.turn)
        client = await database.run(signed_in, alice)
        question, answer = await database.run(path_of, first.conversation, client=client)
    assert question["versions"]["count"] == 2
    assert "versions" not in answer


async def test_a_version_is_shown_again_as_it_was_last_shown(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "hello")
        here = {"conversation": first.conversation}
        second = await say(page, "one", **here)
        deeper = await say(page, "two", edits=second.turn, **here)
        beside = await say(page, "hello you", edits=first.turn, **here)
        client = await database.run(signed_in, alice)
        await database.run(choose, client, first.conversation, first.turn)
        shown = await database.run(path_of, first.conversation, client=client)
        assert [item["turn"] for item in shown[::2]] == [first.turn, deeper.turn]
        await database.run(choose, client, first.conversation, second.turn)
        await database.run(choose, client, first.conversation, beside.turn)
        await database.run(choose, client, first.conversation, first.turn)
        shown = await database.run(path_of, first.conversation, client=client)
        assert [item["turn"] for item in shown[::2]] == [first.turn, second.turn]


async def test_other_tabs_hear_that_something_else_is_shown(coze, alice, tab):
    async with tab(alice) as page, tab(alice) as other:
        first = await say(page, "hello")
        await other.send("conversation.open", conversation=first.conversation)
        before = (await other.until("conversation.state"))["conversation"]
        assert before["branch"] is None
        again = await page.ask("", regenerates=first.turn, conversation=first.conversation)
        started = await other.until("turn.started")
        assert started["branch"]
        updated = await other.until("conversation.updated")
        assert updated["conversation"]["branch"] == started["branch"]
        assert updated["conversation"]["revision"] > before["revision"]
        await ended(again)
        client = await database.run(signed_in, alice)
        await database.run(choose, client, first.conversation, first.turn)
        while (heard := await other.until("conversation.updated"))["conversation"]["branch"]:
            pass
        assert heard["conversation"]["revision"] > updated["conversation"]["revision"]


async def test_an_answer_that_runs_beside_what_is_shown_is_not_in_its_state(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "hello")
        here = {"conversation": first.conversation}
        long = await page.ask("count to 300 slowly", edits=first.turn, **here)
        await long.words()
        await page.send("conversation.open", **here)
        assert (await page.until("conversation.state"))["turn"] == long.turn
        client = await database.run(signed_in, alice)
        assert (await database.run(choose, client, first.conversation, first.turn)).status_code == 200
        await page.send("conversation.open", **here)
        state = await page.until("conversation.state")
        assert state["turn"] is None
        assert state["conversation"]["running"]
        assert [message["turn"] for message in state["messages"]] == [first.turn] * 2
        # What is asked meanwhile waits, and belongs to what was shown.
        waiting = await page.ask("and now?", **here)
        assert (await database.run(Turn.objects.get, pk=waiting.turn)).status == "queued"
        await page.send("turn.stop", turn=long.turn)
        await ended(waiting)
    turn = await Turn.objects.aget(pk=waiting.turn)
    assert (turn.branch_id, turn.parent_id) == (None, uuid.UUID(first.turn))


async def test_nothing_is_edited_or_asked_again_while_an_answer_runs(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "hello")
        long = await page.ask("count to 300 slowly", conversation=first.conversation)
        await long.words()
        for fields in ({"edits": first.turn, "content": "x"}, {"regenerates": first.turn}):
            client_id = str(uuid.uuid4())
            await page.send(
                "turn.start", client_id=client_id, conversation=first.conversation, queue=True, **fields
            )
            refused = await page.until("error")
            assert (refused["code"], refused["client_id"]) == ("busy", client_id)
        await page.send("turn.stop", turn=long.turn)
        await ended(long, kind="turn.canceled")
    assert await Turn.objects.acount() == 2
    assert await Branch.objects.acount() == 0


async def test_the_same_client_id_again_starts_nothing_and_makes_no_branch(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "hello")
        fields = {"client_id": str(uuid.uuid4()), "conversation": first.conversation}
        fields |= {"regenerates": first.turn, "content": ""}
        await page.send("turn.start", **fields)
        await page.send("turn.start", **fields)
        one = await page.until("turn.accepted")
        other = await page.until("turn.accepted")
        assert one["turn"] == other["turn"]
        await page.until("turn.completed", turn=one["turn"])
        await page.send("turn.start", **fields)
        assert (await page.until("turn.accepted"))["turn"] == one["turn"]
    assert (await Turn.objects.acount(), await Branch.objects.acount()) == (2, 1)


# --- What goes wrong ---------------------------------------------------------------------------------


async def test_a_branch_that_coze_does_not_make_fails_its_turn_and_is_made_with_the_next(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "the secret word is zebra")
        here = {"conversation": first.conversation}
        follow = await say(page, "hello", **here)
        coze.arm("json-error", path="/v1/conversation/create", code=5000, msg="not now")
        again = await page.ask("", regenerates=follow.turn, **here)
        failed = await again.end()
        assert failed["type"] == "turn.failed"
        assert failed["error"]["code"] == "upstream_error"
        coze.disarm()
        after = await say(page, WORD, **here)
        assert "zebra" in after.text
    branch = await Branch.objects.aget()
    assert branch.coze_conversation_id
    assert (await Turn.objects.aget(pk=after.turn)).parent_id == uuid.UUID(again.turn)


async def test_a_conversation_of_a_branch_that_coze_lost_is_made_anew_with_its_path(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "the secret word is zebra")
        here = {"conversation": first.conversation}
        again = await ended(await page.ask("", regenerates=first.turn, **here))
        branch = await Branch.objects.aget()
        lost = branch.coze_conversation_id
        await Branch.objects.aupdate(coze_conversation_id="7000000000000000001")
        after = await say(page, WORD, **here)
        assert "zebra" in after.text
    await branch.arefresh_from_db()
    assert branch.coze_conversation_id not in {lost, "", "7000000000000000001"}
    assert (await Turn.objects.aget(pk=after.turn)).parent_id == uuid.UUID(again.turn)


async def test_with_a_conversation_all_its_branches_are_deleted_at_coze(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "hello")
        here = {"conversation": first.conversation}
        await ended(await page.ask("", regenerates=first.turn, **here))
        await ended(await page.ask("hello you", edits=first.turn, **here))
    ids = await database.run(ids_at_coze)
    assert await left_at_coze(alice, ids) == ids
    assert len(ids) == 3
    await database.run(turns.delete_conversation, alice, conversation_id=uuid.UUID(first.conversation))
    await turns.engine().mirror.finish([uuid.UUID(first.conversation)])
    assert await left_at_coze(alice, ids) == []
    assert await Conversation.objects.acount() == 0
    assert await CozeLeftover.objects.acount() == 0


async def test_with_an_account_all_its_branches_are_deleted_at_coze(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "hello")
        await ended(await page.ask("", regenerates=first.turn, conversation=first.conversation))
    ids = await database.run(ids_at_coze)
    await database.run(alice.delete)
    assert await CozeLeftover.objects.acount() == len(ids) == 2
    await turns.engine().mirror.finish([])
    assert await left_at_coze(alice, ids) == []


async def test_a_branch_has_the_title_of_its_conversation_at_coze(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "hello")
        await ended(await page.ask("", regenerates=first.turn, conversation=first.conversation))
        rename = {"conversation_id": uuid.UUID(first.conversation), "title": "Birds"}
        await database.run(turns.rename_conversation, alice, **rename)
        await turns.engine().mirror.finish([uuid.UUID(first.conversation)])
    assert (await Branch.objects.aget()).coze_title == "Birds"


# --- Rows ----------------------------------------------------------------------------------------------


def test_a_parent_of_another_conversation_is_refused_by_the_database(alice):
    one, other = rows.conversation(alice), rows.conversation(alice)
    turn = rows.turn(one, "q", "a")
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.turn(other, "q", "a", parent=turn)
    branch = Branch.objects.create(conversation=one, before=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.turn(other, "q", "a", branch=branch)
    with pytest.raises(IntegrityError), transaction.atomic():
        Branch.objects.create(conversation=other, parent=branch, before=1)


def test_a_page_of_a_long_path_through_many_branches_is_found_in_few_queries(alice):
    thread = rows.conversation(alice)
    branch, parent = None, None
    for number in range(300):
        if number:
            branch = Branch.objects.create(conversation=thread, parent=branch, before=2**40)
        parent = rows.turn(thread, f"q{number}", f"a{number}", branch=branch, parent=parent)
        Message.objects.filter(turn=parent).update(branch=branch)
    Conversation.objects.update(branch=branch)
    thread.refresh_from_db()
    with CaptureQueriesContext(connection) as queries:
        items, older = turns.newest_messages(thread, limit=50)
    assert [item["content"] for item in items[-2:]] == ["q299", "a299"]
    assert older
    assert len(queries) < 8
    everything, older = turns.newest_messages(thread, limit=1000)
    assert [item["content"] for item in everything[::2]] == [f"q{number}" for number in range(300)]
    assert not older
