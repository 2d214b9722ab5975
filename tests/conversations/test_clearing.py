"""The context is cut: what is above stays to be read and is told to nobody, until its owner thinks better of it."""

from conversations import turns
from conversations.models import Branch, Conversation, Cut
from cozechat import database
from tests.conversations import rows
from tests.conversations.intrusion import signed_in
from tests.conversations.tree_steps import WORD, choose, ended, ids_at_coze, path_of, say


def clear(client, conversation: str):
    return client.post(f"/api/conversations/{conversation}/cuts")


def restore(client, conversation: str, cut: str) -> int:
    return client.delete(f"/api/conversations/{conversation}/cuts/{cut}").status_code


async def cut(client, conversation: str) -> str:
    answer = await database.run(clear, client, conversation)
    assert answer.status_code == 201
    return answer.json()["id"]


async def test_the_next_answer_ignores_what_is_above_and_coze_keeps_its_conversation(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "the secret word is zebra")
        client = await database.run(signed_in, alice)
        ids = await database.run(ids_at_coze)
        mark = await cut(client, first.conversation)
        _question, answer = await database.run(path_of, first.conversation, client=client)
        assert answer["cleared"] == {"id": mark}
        after = await say(page, WORD, conversation=first.conversation)
        assert "zebra" not in after.text
        third = await say(page, "the secret word is heron", conversation=first.conversation)
        assert "heron" in (await say(page, WORD, conversation=third.conversation)).text
    assert await database.run(ids_at_coze) == ids
    assert (await Cut.objects.aget()).applied_at


async def test_a_cut_that_coze_has_not_heard_of_is_taken_back_as_if_nothing_was(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "the secret word is zebra")
        client = await database.run(signed_in, alice)
        ids = await database.run(ids_at_coze)
        mark = await cut(client, first.conversation)
        assert await database.run(restore, client, first.conversation, mark) == 204
        assert await database.run(restore, client, first.conversation, mark) == 404
        assert "zebra" in (await say(page, WORD, conversation=first.conversation)).text
    assert await database.run(ids_at_coze) == ids


async def test_a_cut_that_coze_knows_of_is_taken_back_with_a_new_conversation(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "the secret word is zebra")
        client = await database.run(signed_in, alice)
        mark = await cut(client, first.conversation)
        await say(page, "hello", conversation=first.conversation)
        ids = await database.run(ids_at_coze)
        assert await database.run(restore, client, first.conversation, mark) == 204
        assert "zebra" in (await say(page, WORD, conversation=first.conversation)).text
    assert not set(ids) & set(await database.run(ids_at_coze))


async def test_a_branch_below_a_cut_is_told_nothing_from_above_it_and_one_above_all(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "the secret word is zebra")
        here = {"conversation": first.conversation}
        second = await say(page, "hello", **here)
        client = await database.run(signed_in, alice)
        mark = await cut(client, first.conversation)
        below = await say(page, "hello again", **here)
        edited = await say(page, WORD, edits=below.turn, **here)
        assert "zebra" not in edited.text
        above = await say(page, WORD, edits=second.turn, **here)
        assert "zebra" in above.text
        # Taken back, all that stands below it is told the whole.
        await database.run(choose, client, first.conversation, edited.turn)
        assert await database.run(restore, client, first.conversation, mark) == 204
        assert "zebra" in (await say(page, WORD, **here)).text
        await database.run(choose, client, first.conversation, below.turn)
        assert "zebra" in (await say(page, WORD, **here)).text


async def test_the_context_of_a_branch_is_cut_for_that_branch_alone(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "the secret word is zebra")
        here = {"conversation": first.conversation}
        second = await say(page, "hello", **here)
        await ended(await page.ask("", regenerates=second.turn, **here))
        client = await database.run(signed_in, alice)
        ids = await database.run(ids_at_coze)
        await cut(client, first.conversation)
        assert "zebra" not in (await say(page, WORD, **here)).text
        await database.run(choose, client, first.conversation, second.turn)
        assert "zebra" in (await say(page, WORD, **here)).text
    assert await database.run(ids_at_coze) == ids
    assert (await Cut.objects.aget()).branch_id == (await Branch.objects.aget()).pk


async def test_a_conversation_that_coze_lost_is_told_only_what_is_below_the_cut(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "the secret word is zebra")
        client = await database.run(signed_in, alice)
        await cut(client, first.conversation)
        await Conversation.objects.aupdate(coze_conversation_id="7000000000000000001")
        assert "zebra" not in (await say(page, WORD, conversation=first.conversation)).text


async def test_a_coze_that_does_not_cut_fails_the_turn_and_is_asked_again(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "the secret word is zebra")
        client = await database.run(signed_in, alice)
        await cut(client, first.conversation)
        coze.arm("json-error", path="/v1/conversations/", code=5000, msg="not now")
        failed = await page.ask(WORD, conversation=first.conversation)
        end = await failed.end()
        assert (end["type"], end["error"]["code"]) == ("turn.failed", "upstream_error")
        coze.disarm()
        assert "zebra" not in (await say(page, WORD, conversation=first.conversation)).text


def test_nothing_is_cut_where_nothing_was_said(alice):
    client = signed_in(alice)
    thread = rows.conversation(alice)
    assert clear(client, str(thread.pk)).status_code == 409
    rows.turn(thread, "q", "a")
    assert clear(client, str(thread.pk)).status_code == 201
    assert clear(client, str(thread.pk)).json()["error"]["code"] == "empty"
    assert Cut.objects.count() == 1
    assert turns.newest_messages(thread)[0][-1]["cleared"]
    running = rows.turn(thread, "q", "", status="in_progress")
    assert clear(client, str(thread.pk)).json()["error"]["code"] == "busy"
    assert restore(client, str(thread.pk), str(Cut.objects.get().pk)) == 409
    running.delete()
    assert client.get(f"/api/conversations/{thread.pk}/cuts").status_code == 405
