"""A second question in a conversation waits on the server: in order, editable, withdrawable, never lost."""

import asyncio
import json
import uuid
from importlib import import_module

import pytest
from django.utils import timezone

from conversations import turns
from conversations.frames import TurnStart
from conversations.models import Conversation, Message, Turn
from conversations.turns import queueing
from conversations.turns.beginning import QUEUE
from cozechat import database
from tests.conversations.intrusion import signed_in

# The package has a function of the same name.
engines = import_module("conversations.turns.engine")
LONG = "count to 300 slowly"


@pytest.fixture
def brisk(monkeypatch):
    """An engine that looks five times a second for what waits."""
    monkeypatch.setattr(engines, "QUEUES_EVERY", 0.2)


@pytest.fixture
def unhurried(monkeypatch):
    """An engine that looks for what waits once: whatever begins here begins because the one before has ended."""
    monkeypatch.setattr(engines, "QUEUES_EVERY", 600)


def question_of(turn) -> str:
    return Message.objects.get(turn_id=turn, role="user").content


def statuses() -> list[str]:
    """Of all turns, in the order in which they were asked."""
    asked = Message.objects.filter(role="user").order_by("pk")
    return list(asked.values_list("turn__status", flat=True))


async def running_here(page) -> str:
    """A conversation in which an answer is on its way; returns the turn."""
    asked = await page.ask(LONG)
    await asked.words()
    return asked


async def stop(page, asked) -> None:
    await page.send("turn.stop", turn=asked.turn)
    assert (await asked.end())["type"] == "turn.canceled"


async def opened(page, conversation: str) -> dict:
    await page.send("conversation.open", conversation=conversation)
    return await page.until("conversation.state")


# --- Order --------------------------------------------------------------------------------------------


async def test_questions_that_come_meanwhile_are_answered_in_their_order_and_asked_once(
    coze, alice, tab, unhurried
):
    async with tab(alice) as page:
        first = await page.ask("count to 60")
        later = [
            await page.ask(f"my favourite number is {number}", conversation=first.conversation)
            for number in (11, 22, 33)
        ]
        ends = [await each.end() for each in (first, *later)]
        assert [end["type"] for end in ends] == ["turn.completed"] * 4
        texts = [each.text for each in (first, *later)]
        heard = [
            (frame["type"], frame["turn"])
            for frame in page.seen
            if frame["type"] in {"turn.queued", "turn.started", "turn.completed"}
        ]

    order = [first.turn, *(each.turn for each in later)]
    assert heard[:3] == [("turn.queued", turn) for turn in order[1:]]
    assert heard[3:] == [
        ("turn.completed", order[0]),
        *((kind, turn) for turn in order[1:] for kind in ("turn.started", "turn.completed")),
    ]
    assert await database.run(statuses) == ["completed"] * 4
    stored = await database.run(
        lambda: list(
            Message.objects.filter(role="assistant").order_by("pk").values_list("content", flat=True)
        )
    )
    assert stored == texts
    assert all(texts)
    assert list(coze.ledger()["chats"].values()) == [4]


async def test_a_queued_question_is_accepted_as_queued_and_told_of_in_every_tab(coze, alice, tab, unhurried):
    async with tab(alice) as page, tab(alice) as other:
        running = await running_here(page)
        await opened(other, running.conversation)
        asked = await page.ask("and you?", conversation=running.conversation)
        accepted = next(frame for frame in page.seen if frame.get("client_id") == asked.client_id)
        told = [await each.until("turn.queued") for each in (page, other)]

        assert accepted["queued"] is True
        assert "queued" not in next(
            frame for frame in page.seen if frame.get("client_id") == running.client_id
        )
        assert told[0] == told[1]
        assert told[0]["turn"] == asked.turn
        assert told[0]["conversation"] == asked.conversation
        assert told[0]["client_id"] == asked.client_id
        assert told[0]["question"]["content"] == "and you?"
        assert told[0]["question"]["id"] == accepted["message"]

        await page.send("turn.stop", turn=running.turn)
        for each in (page, other):
            started = await each.until("turn.started")
            assert {**started, "type": "turn.queued"} == told[0]
            assert (await each.until("turn.completed"))["turn"] == asked.turn
            assert asked.text
            asked.tab = other


async def test_what_waits_is_part_of_an_opened_conversation_and_not_of_its_messages(coze, alice, tab):
    async with tab(alice) as page, tab(alice) as other:
        running = await running_here(page)
        waiting = [
            await page.ask(content, conversation=running.conversation)
            for content in ("zebra one", "zebra two")
        ]
        state = await opened(other, running.conversation)

        assert state["turn"] == running.turn
        assert [
            (each["turn"], each["client_id"], each["question"]["content"]) for each in state["queued"]
        ] == [
            (waiting[0].turn, waiting[0].client_id, "zebra one"),
            (waiting[1].turn, waiting[1].client_id, "zebra two"),
        ]
        assert {message["turn"] for message in state["messages"]} == {running.turn}
        pages = await database.run(_everything_shown, alice, running.conversation)
        assert "zebra" not in pages
        assert LONG in pages
        found = await database.run(lambda: signed_in(alice).get("/api/search?q=zebra").json())
        assert found["items"] == []
        for each in (*waiting, running):
            await stop(page, each)


def _everything_shown(user, conversation: str) -> str:
    """The page, the messages, both exports, the search and the list, as one text."""
    client = signed_in(user)
    paths = (
        f"/c/{conversation}/",
        "/api/conversations/",
        f"/api/conversations/{conversation}/messages",
        f"/api/conversations/{conversation}/export?format=json",
        f"/api/conversations/{conversation}/export?format=markdown",
        "/api/search?q=zebra",
    )
    answers = [client.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    return "\n".join(answer.content.decode() for answer in answers)


async def test_of_twenty_questions_at_once_one_runs_ten_wait_and_nine_are_refused(coze, alice, tab):
    async with tab(alice) as page, tab(alice) as other:
        first = await page.say("hello")
        conversation = first.conversation
        await opened(other, conversation)
        asked = {}
        for number in range(20):
            each = (page, other)[number % 2]
            client_id = str(uuid.uuid4())
            asked[client_id] = LONG if number < 2 else f"my favourite number is {number}"
            question = {"conversation": conversation, "content": asked[client_id], "queue": True}
            await each.send("turn.start", client_id=client_id, **question)
        answers = {}
        for number in range(20):
            frame = await (page, other)[number % 2].until("turn.accepted", "error")
            answers[frame["client_id"]] = frame
        kinds = [
            "refused" if frame["type"] == "error" else "queued" if frame.get("queued") else "runs"
            for frame in answers.values()
        ]
        assert (kinds.count("runs"), kinds.count("queued"), kinds.count("refused")) == (1, QUEUE, 9)
        assert {frame["code"] for frame in answers.values() if frame["type"] == "error"} == {"busy"}
        assert set(answers) == set(asked)

        for client_id in list(asked)[:2]:
            await page.send("turn.stop", turn=answers[client_id]["turn"])
        stopped = {answers[client_id]["turn"] for client_id in list(asked)[:2]}
        told = [frame["turn"] for frame in page.seen if frame["type"] == "turn.queued"]
        assert len(told) == QUEUE
        left = [turn for turn in told if turn not in stopped]
        ended = [(await page.until("turn.completed"))["turn"] for _each in left]
        assert ended == left
    assert sorted(await database.run(statuses)) == ["canceled"] * 2 + ["completed"] * QUEUE
    assert list(coze.ledger()["chats"].values()) == [1 + QUEUE]


async def test_the_eleventh_that_would_wait_is_refused_and_can_be_sent_again(coze, alice, tab):
    async with tab(alice) as page:
        running = await running_here(page)
        waiting = [await page.ask(f"{n}", conversation=running.conversation) for n in range(QUEUE)]
        client_id = str(uuid.uuid4())
        question = {"conversation": running.conversation, "content": "one too many"}
        question |= {"client_id": client_id, "queue": True}
        await page.send("turn.start", **question)
        refused = await page.until("error")
        assert (refused["code"], refused["client_id"]) == ("busy", client_id)
        assert await database.run(Turn.objects.count) == 1 + QUEUE

        await stop(page, waiting[3])
        await page.send("turn.start", **question)
        assert (await page.until("turn.accepted"))["queued"] is True
        await page.send("conversation.open", conversation=running.conversation)
        state = await page.until("conversation.state")
        assert [each["question"]["content"] for each in state["queued"]] == [
            *("0", "1", "2", "4", "5", "6", "7", "8", "9"),
            "one too many",
        ]
        for each in state["queued"]:
            await page.send("turn.stop", turn=each["turn"])
        await stop(page, running)


async def test_the_same_client_id_of_a_queued_question_is_accepted_again_and_asked_once(coze, alice, tab):
    async with tab(alice) as page:
        running = await running_here(page)
        asked = await page.ask("and you?", conversation=running.conversation)
        first = next(frame for frame in page.seen if frame.get("client_id") == asked.client_id)
        for _each in range(2):
            await page.send(
                "turn.start", client_id=asked.client_id, conversation=asked.conversation, content="and you?"
            )
            assert await page.until("turn.accepted") == first
            assert (await page.until("turn.queued"))["turn"] == asked.turn
        await stop(page, running)
        assert (await asked.end())["type"] == "turn.completed"
        assert await page.quiet() or (await page.frame())["type"] == "conversation.updated"
    assert await database.run(statuses) == ["canceled", "completed"]
    assert list(coze.ledger()["chats"].values()) == [2]


# --- However the one before ends ----------------------------------------------------------------------


async def test_when_the_running_one_fails_the_next_begins(coze, alice, tab, unhurried):
    async with tab(alice) as page:
        first = await page.say("hello")
        coze.arm("error-event", after=5, times=1)
        failing = await page.ask(LONG, conversation=first.conversation)
        asked = await page.ask("and you?", conversation=first.conversation)
        assert (await failing.end())["type"] == "turn.failed"
        assert (await asked.end())["type"] == "turn.completed"


async def test_when_the_running_one_is_taken_away_as_an_orphan_the_next_begins(coze, alice, tab, brisk):
    """Its process died: nobody here runs it."""
    begun = await database.run(_begin, alice, None, LONG)
    async with tab(alice) as page:
        asked = await page.ask("and you?", conversation=str(begun.conversation.pk))
        await asyncio.sleep(0.5)
        assert await database.run(statuses) == ["created", "queued"]
        await database.run(_let_lapse, begun.turn.pk)
        assert (await page.until("turn.interrupted"))["turn"] == str(begun.turn.pk)
        assert (await asked.end())["type"] == "turn.completed"
    assert await database.run(statuses) == ["interrupted", "completed"]


def _begin(user, conversation, content: str):
    frame = TurnStart(client_id=uuid.uuid4(), conversation=conversation, content=content, queue=True)
    return turns.begin(user, frame=frame)


def _let_lapse(turn) -> None:
    from datetime import timedelta

    from django.utils import timezone

    Turn.objects.filter(pk=turn).update(lease_until=timezone.now() - timedelta(seconds=1))


# --- Editing ------------------------------------------------------------------------------------------


async def test_an_edited_question_is_shown_so_in_every_tab_and_asked_so(coze, alice, tab):
    async with tab(alice) as page, tab(alice) as other:
        running = await running_here(page)
        await opened(other, running.conversation)
        asked = await page.ask("the secret word is walrus", conversation=running.conversation)
        await other.send("turn.edit", turn=asked.turn, content="  the secret word is zebra  ")
        for each in (page, other):
            edited = await each.until("turn.edited")
            assert edited == {
                "type": "turn.edited",
                "turn": asked.turn,
                "conversation": asked.conversation,
                "content": "the secret word is zebra",
            }
        (waiting,) = (await opened(other, running.conversation))["queued"]
        assert waiting["question"]["content"] == "the secret word is zebra"

        await page.send("turn.stop", turn=running.turn)
        assert (await other.until("turn.started"))["question"]["content"] == "the secret word is zebra"
        await asked.end()
        told = await page.say("what is the secret word?", conversation=running.conversation)
        assert "zebra" in told.text
        assert "walrus" not in told.text


@pytest.mark.parametrize("status", ["created", "in_progress", "completed", "canceled", "failed"])
async def test_what_does_not_wait_any_more_cannot_be_edited(coze, alice, tab, status):
    from tests.conversations import rows

    def asked() -> str:
        lease = {"lease": uuid.uuid4()} if status in Turn.RUNNING else {}
        return str(rows.turn(rows.conversation(alice), "hello", "there", status=status, **lease).pk)

    turn = await database.run(asked)
    async with tab(alice) as page:
        await page.send("turn.edit", turn=turn, content="something else")
        refused = await page.until("error")
        assert (refused["code"], refused["turn"]) == ("busy", turn)
    assert await database.run(question_of, turn) == "hello"


@pytest.mark.parametrize(
    ("content", "code"), [("", "empty"), (" \n", "empty"), ("x" * 40_000, "too_long"), (7, "bad_frame")]
)
async def test_a_question_is_not_edited_into_one_that_could_not_be_asked(coze, alice, tab, content, code):
    async with tab(alice) as page:
        running = await running_here(page)
        asked = await page.ask("and you?", conversation=running.conversation)
        await page.send("turn.edit", turn=asked.turn, content=content)
        refused = await page.until("error")
        assert (refused["code"], refused["turn"]) == (code, asked.turn)
        assert await database.run(question_of, asked.turn) == "and you?"
        await stop(page, asked)
        await stop(page, running)


async def test_a_login_that_ended_edits_nothing_more(coze, alice, tab):
    from django.contrib.sessions.models import Session

    async with tab(alice) as page, tab(alice) as other:
        running = await running_here(page)
        asked = await page.ask("and you?", conversation=running.conversation)
        await database.run(lambda: Session.objects.filter(pk=other.session_key).delete())
        await other.send("turn.edit", turn=asked.turn, content="something else")
        assert await other.close_code() == 4401
        assert await database.run(question_of, asked.turn) == "and you?"
        await stop(page, asked)
        await stop(page, running)


# --- Withdrawing --------------------------------------------------------------------------------------


async def test_a_withdrawn_question_is_gone_from_everywhere_and_never_asked(coze, alice, tab):
    async with tab(alice) as page, tab(alice) as other:
        running = await running_here(page)
        await opened(other, running.conversation)
        asked = await page.ask("the zebra was here", conversation=running.conversation)
        await other.send("turn.stop", turn=asked.turn)
        for each in (page, other):
            ended = await each.until("turn.canceled")
            assert (ended["turn"], ended["seq"], ended["withdrawn"]) == (asked.turn, 0, True)
            assert ended["conversation"] == asked.conversation
        state = await opened(page, running.conversation)
        assert state["queued"] == []
        assert {message["turn"] for message in state["messages"]} == {running.turn}
        await stop(page, running)
        assert "withdrawn" not in running.last
        assert "zebra" not in await database.run(_everything_shown, alice, running.conversation)
        assert await database.run(
            lambda: set(Message.objects.filter(turn_id=asked.turn).values_list("content", flat=True))
        ) == {""}

        # Its client_id never starts again.
        page.seen.clear()
        again = {"client_id": asked.client_id, "conversation": asked.conversation}
        await page.send("turn.start", **again, content="the zebra was here")
        assert (await page.until("turn.accepted"))["turn"] == asked.turn
        assert (await page.until("turn.canceled"))["withdrawn"] is True
        assert await page.quiet()
        assert {frame["type"] for frame in page.seen} <= {
            *("turn.accepted", "turn.canceled", "conversation.updated")
        }
    assert await database.run(statuses) == ["canceled", "canceled"]
    assert sum(coze.ledger()["chats"].values()) == 1


async def test_coze_is_told_nothing_of_what_was_withdrawn_or_still_waits(coze, alice, tab):
    """A conversation that Coze has lost is told to it again: what was said, and nothing else."""

    def lose_it(conversation: str) -> None:
        Conversation.objects.filter(pk=conversation).update(coze_conversation_id="7999999999999999999")

    async with tab(alice) as page:
        running = await running_here(page)
        gone = await page.ask("the secret word is walrus", conversation=running.conversation)
        next_one = await page.ask("what is the secret word?", conversation=running.conversation)
        await page.ask("the secret word is badger", conversation=running.conversation)
        await stop(page, gone)
        await database.run(lose_it, running.conversation)
        await stop(page, running)
        assert (await next_one.end())["type"] == "turn.completed"
        assert next_one.text
        assert "walrus" not in next_one.text
        assert "badger" not in next_one.text
        assert (await page.until("turn.completed"))["turn"] != next_one.turn


# --- Ends of processes --------------------------------------------------------------------------------


async def test_what_waits_is_answered_after_a_restart(coze, alice, tab, brisk):
    async with tab(alice) as page:
        running = await page.ask("count to 60")
        await running.words()
        asked = [await page.ask(f"hello {n}", conversation=running.conversation) for n in range(2)]
        await turns.engine().drain(grace=0)
        assert await database.run(statuses) == ["in_progress", "queued", "queued"]
    # An engine that has drained takes nothing more: its process ends. The next one has its own.
    engines._engines.pop(asyncio.get_running_loop())
    async with tab(alice) as later:
        await opened(later, running.conversation)
        for each in asked:
            each.tab = later
            assert (await each.end(timeout=10))["type"] == "turn.completed"
            assert each.text
    assert await database.run(statuses) == ["completed"] * 3
    assert list(coze.ledger()["chats"].values()) == [3]


async def test_a_process_that_ends_lets_the_next_question_wait(coze, alice, tab):
    async with tab(alice) as page:
        first = await page.ask("count to 60")
        await first.words()
        asked = await page.ask("and you?", conversation=first.conversation)
        draining = asyncio.ensure_future(turns.engine().drain(grace=10))
        assert (await first.end())["type"] == "turn.completed"
        await draining
        await asyncio.sleep(0.5)
    assert await database.run(statuses) == ["completed", "queued"]
    assert await database.run(question_of, asked.turn) == "and you?"
    assert sum(coze.ledger()["chats"].values()) == 1


def test_a_turn_that_was_begun_too_late_goes_back_to_its_place(alice):
    first = _begin(alice, None, "hello")
    waiting = [_begin(alice, first.conversation.pk, f"{n}") for n in range(2)]
    end(first)
    begun = queueing.begin_next(first.conversation.pk)
    queueing.give_back(begun)
    assert begun.turn.pk == waiting[0].turn.pk
    assert statuses() == ["canceled", "queued", "queued"]
    assert queueing.begin_next(first.conversation.pk).turn.pk == waiting[0].turn.pk
    queueing.give_back(begun)  # its lease is another one by now
    assert statuses() == ["canceled", "created", "queued"]


def end(begun) -> None:
    now = timezone.now()
    turns_here = Turn.objects.filter(pk=begun.turn.pk)
    turns_here.update(status="canceled", lease=None, lease_until=None, ended_at=now)


def test_the_questions_of_a_deactivated_account_wait(alice):
    first = _begin(alice, None, "hello")
    _begin(alice, first.conversation.pk, "and you?")
    end(first)
    assert queueing.idle() == [(first.conversation.pk, alice.pk)]
    alice.is_active = False
    alice.save()
    assert queueing.idle() == []
    assert queueing.begin_next(first.conversation.pk) is None


@pytest.mark.parametrize("content", ["字" * 32_768, "a\n\t" * 10_922, "x" * 32_768])
async def test_however_long_the_questions_their_frames_fit_and_say_what_was_cut(coze, alice, tab, content):
    async with tab(alice) as page, tab(alice) as other:
        running = await page.say(content)
        await opened(other, running.conversation)
        running = await page.ask(LONG, conversation=running.conversation)
        waiting = [await page.ask(content, conversation=running.conversation) for _each in range(QUEUE)]
        await page.send("turn.edit", turn=waiting[0].turn, content=content[:-1] + "!")
        await other.until("turn.edited")
        state = await opened(other, running.conversation)
        await other.send("turn.resume", turn=waiting[0].turn, seq=0)
        resumed = await other.until("turn.queued")
        for each in (*waiting[1:], running):
            await stop(page, each)
        await other.until("turn.started", turn=waiting[0].turn)
        assert (await waiting[0].end())["type"] == "turn.completed"
        sizes = [len(json.dumps(frame, ensure_ascii=False).encode()) for frame in (*page.seen, *other.seen)]

    assert max(sizes) <= 64 * 1024
    assert len(state["queued"]) == QUEUE
    for each in state["queued"]:
        assert each["question"]["truncated"] is True
        assert content.startswith(each["question"]["content"])
        assert len(each["question"]["content"]) > 200
    shown = resumed["question"]
    assert shown["content"] == content[:-1] + "!" or (shown["truncated"] and len(shown["content"]) > 8_000)
    assert await database.run(question_of, waiting[0].turn) == content[:-1] + "!"
