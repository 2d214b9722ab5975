"""A turn is deleted: gone from sight at once, put back for a moment, then gone for good, at Coze as well."""

import json
from datetime import timedelta

from django.utils import timezone

from conversations import turns
from conversations.models import Conversation, Message, Turn
from conversations.turns import pruning
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


def delete(client, conversation: str, turn: str) -> int:
    return client.delete(f"/api/conversations/{conversation}/turns/{turn}").status_code


def restore(client, conversation: str, turn: str) -> int:
    return client.post(f"/api/conversations/{conversation}/turns/{turn}/restore").status_code


def line(owner, *contents: str, **fields) -> tuple[str, list[Turn]]:
    """A conversation of these questions."""
    thread, made = rows.conversation(owner, **fields), []
    for content in contents:
        made.append(rows.turn(thread, content, f"{content}!", parent=made[-1] if made else None))
    return str(thread.pk), made


def test_a_deleted_turn_is_nowhere_to_be_read(alice):
    client = signed_in(alice)
    thread, (first, second, third) = line(alice, "one", "zebra", "three", title="t")
    assert delete(client, thread, second.pk) == 204
    assert questions(path_of(thread, client=client)) == ["one", "three"]
    for url in (f"/c/{thread}/", f"/api/conversations/{thread}/export", "/api/search?q=zebra"):
        assert b"zebra!" not in client.get(url).content
    third.refresh_from_db()
    assert third.parent == first
    assert delete(client, thread, second.pk) == 404
    assert choose(client, thread, str(second.pk)).status_code == 404


def test_a_deletion_can_be_taken_back_for_a_moment(alice):
    client = signed_in(alice)
    thread, (_first, second, third) = line(alice, "one", "two", "three")
    delete(client, thread, second.pk)
    assert restore(client, thread, second.pk) == 204
    assert questions(path_of(thread, client=client)) == ["one", "two", "three"]
    third.refresh_from_db()
    assert third.parent == second
    assert restore(client, thread, second.pk) == 404
    delete(client, thread, second.pk)
    Turn.objects.filter(pk=second.pk).update(deleted_at=timezone.now() - timedelta(minutes=1))
    pruning.settle_due()
    assert restore(client, thread, second.pk) == 404
    assert list(Message.objects.filter(turn=second).values_list("content", "html")) == [("", "")] * 2


def test_two_deletions_are_taken_back_in_any_order(alice):
    client = signed_in(alice)
    thread, made = line(alice, "one", "two", "three", "four")
    for order in ((1, 2), (2, 1)):
        for deleted in (1, 2):
            delete(client, thread, made[deleted].pk)
        for number in order:
            assert restore(client, thread, made[number].pk) == 204
        assert questions(path_of(thread, client=client)) == ["one", "two", "three", "four"]
        parents = dict(Turn.objects.values_list("pk", "parent"))
        assert [parents[turn.pk] for turn in made] == [None, *(turn.pk for turn in made[:3])]


async def test_the_other_version_is_shown_when_one_is_deleted(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "hello")
        here = {"conversation": first.conversation}
        second = await say(page, "the first version", **here)
        other = await say(page, "the second version", edits=second.turn, **here)
    client = await database.run(signed_in, alice)
    assert await database.run(delete, client, first.conversation, other.turn) == 204
    shown = await database.run(path_of, first.conversation, client=client)
    assert questions(shown) == ["hello", "the first version"]
    assert not any("versions" in message for message in shown)
    assert await database.run(restore, client, first.conversation, other.turn) == 204
    shown = await database.run(path_of, first.conversation, client=client)
    assert questions(shown) == ["hello", "the second version"]
    # With what is before them gone, both are still to be reached.
    assert await database.run(delete, client, first.conversation, first.turn) == 204
    (question, _answer) = await database.run(path_of, first.conversation, client=client)
    assert (question["content"], question["versions"]["count"]) == ("the second version", 2)
    assert await database.run(restore, client, first.conversation, first.turn) == 204
    shown = await database.run(path_of, first.conversation, client=client)
    assert questions(shown) == ["hello", "the second version"]


async def test_what_was_deleted_is_told_to_nobody_and_gone_at_coze(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "my name is Alice")
        here = {"conversation": first.conversation}
        secret = await say(page, "the secret word is zebra", **here)
        again = await ended(await page.ask("", regenerates=secret.turn, **here))
        client = await database.run(signed_in, alice)
        ids = await database.run(ids_at_coze)
        for turn in (secret.turn, again.turn):
            assert await database.run(delete, client, first.conversation, turn) == 204
        after = await say(page, WORD, **here)
        assert "zebra" not in after.text
        name = await say(page, "what is my name?", **here)
        assert "Alice" in name.text
    assert await Message.objects.filter(turn__in=[secret.turn, again.turn]).exclude(content="").acount() == 0
    await turns.engine().mirror.finish([])
    assert await left_at_coze(alice, ids) == []
    # The row is there still: the same question again starts nothing.
    assert await Turn.objects.filter(client_id=secret.client_id).aexists()


async def test_nothing_is_deleted_while_an_answer_runs_or_waits(coze, alice, tab):
    async with tab(alice) as page:
        first = await say(page, "hello")
        long = await page.ask("count to 300 slowly", conversation=first.conversation)
        await long.words()
        client = await database.run(signed_in, alice)
        for turn in (first.turn, long.turn):
            assert await database.run(delete, client, first.conversation, turn) == 409
        await page.send("turn.stop", turn=long.turn)
        await ended(long, kind="turn.canceled")
        assert await database.run(delete, client, first.conversation, long.turn) == 204


async def test_a_withdrawn_question_is_nobodys_parent(coze, alice, tab):
    async with tab(alice) as page:
        long = await page.ask("count to 300 slowly")
        await long.words()
        here = {"conversation": long.conversation}
        second, third = await page.ask("two", **here), await page.ask("three", **here)
        await page.send("turn.stop", turn=second.turn)
        await ended(second, kind="turn.canceled")
        assert str((await Turn.objects.aget(pk=third.turn)).parent_id) == long.turn
        for each in (third, long):
            await page.send("turn.stop", turn=each.turn)
            await ended(each, kind="turn.canceled")


def test_rubbish_is_refused_and_changes_nothing(alice):
    client = signed_in(alice)
    thread, (turn,) = line(alice, "one")
    foreign, (other,) = line(alice, "another conversation")
    for body in ('{"turn": 1}', '{"turn": null}', '{"turn": ["x"]}', '{"turn": "x"}', '{"turn": {}}'):
        answer = client.patch(f"/api/conversations/{thread}/", body, content_type="application/json")
        assert answer.status_code == 404
    body = json.dumps({"turn": str(other.pk)})
    assert (
        client.patch(f"/api/conversations/{thread}/", body, content_type="application/json").status_code
        == 404
    )
    assert delete(client, thread, other.pk) == delete(client, foreign, turn.pk) == 404
    assert restore(client, thread, turn.pk) == 404
    assert client.get(f"/api/conversations/{thread}/turns/{turn.pk}").status_code == 405
    assert set(Conversation.objects.values_list("revision", flat=True)) == {0}


def test_a_question_that_was_never_answered_can_be_deleted_too(alice):
    client = signed_in(alice)
    thread, (first, _second) = line(alice, "one", "two")
    Message.objects.filter(turn=first, role=Message.Role.ASSISTANT).update(content="")
    Turn.objects.filter(pk=first.pk).update(status=Turn.Status.FAILED)
    assert delete(client, thread, first.pk) == 204
    assert questions(path_of(thread, client=client)) == ["two"]
    assert restore(client, thread, first.pk) == 204
    assert questions(path_of(thread, client=client)) == ["one", "two"]
