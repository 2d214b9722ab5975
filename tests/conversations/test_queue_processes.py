"""The queue of a conversation when many want it at once: threads, engines, processes."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from conversations import turns
from conversations.frames import Refused, TurnStart
from conversations.models import Conversation, Message, Turn
from conversations.turns import queueing
from conversations.turns.beginning import QUEUE
from conversations.turns.processes import stopping
from cozechat import database
from tests.conversations.test_leases import OtherProcess, eventually
from tests.conversations.test_queue import LONG, engines, statuses, stop

ROOT = Path(__file__).parents[2]


def begin(owner, content: str, *, conversation=None):
    frame = TurnStart(client_id=uuid.uuid4(), conversation=conversation, content=content, queue=True)
    return turns.begin(owner, frame=frame)


def end(turn) -> None:
    Turn.objects.filter(pk=turn).update(
        status="completed", lease=None, lease_until=None, ended_at=timezone.now()
    )


def at_once(*works) -> list:
    """What each of these gives or raises, all begun at the same moment on threads of their own."""
    ready, results = threading.Barrier(len(works)), [None] * len(works)

    def run(place: int) -> None:
        from django.db import connection

        ready.wait()
        try:
            results[place] = works[place]()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# --- Threads ------------------------------------------------------------------------------------------


def test_of_many_questions_at_once_one_begins_ten_wait_and_none_is_lost(alice):
    first = begin(alice, "hello")
    end(first.turn.pk)
    where = first.conversation.pk
    results = at_once(*(lambda n=n: begin(alice, f"{n}", conversation=where) for n in range(20)))

    refused = [result for result in results if isinstance(result, Exception)]
    begun = [result for result in results if result not in refused]
    assert {(type(error), error.code) for error in refused} == {(Refused, "busy")}
    assert len(refused) == 9
    assert statuses() == ["completed", "created"] + ["queued"] * QUEUE
    assert len({each.turn.pk for each in begun}) == 1 + QUEUE


def test_of_many_that_begin_the_next_turn_one_does(alice):
    first = begin(alice, "hello")
    where = first.conversation.pk
    waiting = [begin(alice, f"{n}", conversation=where) for n in range(3)]
    for each in (first, *waiting):
        assert at_once(*(lambda: queueing.begin_next(where) for _each in range(6))) == [None] * 6
        end(each.turn.pk)
        results = at_once(*(lambda: queueing.begin_next(where) for _each in range(6)))
        begun = [result for result in results if result is not None]
        assert not [result for result in results if isinstance(result, Exception)]
        if each is not waiting[-1]:
            assert [result.turn.pk for result in begun] == [
                waiting[statuses().count("completed") - 1].turn.pk
            ]
    assert statuses() == ["completed"] * 4


def test_questions_and_ends_at_once_leave_one_running_and_the_others_in_their_order(alice):
    first = begin(alice, "hello")
    where, running = first.conversation.pk, first.turn.pk
    begin(alice, "next", conversation=where)
    for _round in range(5):

        def let_the_next_begin(running=running):
            end(running)
            return queueing.begin_next(where)

        works = [lambda n=n: begin(alice, f"{n}", conversation=where) for n in range(3)]
        results = at_once(let_the_next_begin, *works, lambda: queueing.begin_next(where))
        assert not [each for each in results if isinstance(each, Exception) and not isinstance(each, Refused)]
        queueing.begin_next(where)
        (running,) = Turn.objects.running().values_list("pk", flat=True)
        found = statuses()
        assert found == sorted(found, key=["completed", "created", "queued"].index)


def test_an_edit_at_the_moment_of_the_beginning_is_asked_or_refused(alice):
    """Never stored and not asked."""
    first = begin(alice, "hello")
    where = first.conversation.pk
    for number in range(10):
        waiting = begin(alice, "as it was", conversation=where)
        end(Turn.objects.running().get().pk)
        edited, begun = at_once(
            lambda turn=waiting.turn.pk, text=f"{number}": queueing.edit(alice, turn_id=turn, content=text),
            lambda: queueing.begin_next(where),
        )
        assert begun.turn.pk == waiting.turn.pk
        stored = Message.objects.get(turn=waiting.turn, role="user").content
        assert begun.question.content == stored == (f"{number}" if edited else "as it was")


def test_a_withdrawal_at_the_moment_of_the_beginning_is_done_or_too_late(alice):
    first = begin(alice, "hello")
    where, running = first.conversation.pk, first.turn.pk
    for _each in range(10):
        waiting = begin(alice, "and you?", conversation=where)
        end(running)
        withdrawn, begun = at_once(
            lambda turn=waiting.turn.pk: queueing.withdraw(alice, turn_id=turn),
            lambda: queueing.begin_next(where),
        )
        assert withdrawn is (begun is None)
        status = Turn.objects.get(pk=waiting.turn.pk)
        assert (status.status, status.withdrawn) == (("canceled", True) if withdrawn else ("created", False))
        running = (begun or begin(alice, "on", conversation=where)).turn.pk


def test_a_stop_that_waited_for_the_end_does_not_undo_it(alice):
    """The process that runs the turn is just saving its end while another is asked to stop it."""
    from django.db import transaction

    begun = begin(alice, "hello")
    saving = threading.Event()

    def save_the_end() -> None:
        with transaction.atomic():
            end(begun.turn.pk)
            saving.set()
            time.sleep(0.5)

    def stop_it() -> str:
        saving.wait()
        return stopping._take_away(begun.turn.pk, shown=None).turn.status

    assert at_once(save_the_end, stop_it) == [None, "completed"]
    assert statuses() == ["completed"]


# --- Engines ------------------------------------------------------------------------------------------


async def test_two_processes_answer_all_that_is_asked_in_one_conversation_once(coze, alice, tab, monkeypatch):
    monkeypatch.setattr(engines, "QUEUES_EVERY", 0.1)

    async def ask_there(conversation: str) -> list:
        from tests.tabs import open_tab

        async with open_tab(alice) as page:
            return [(await page.ask(f"there {n}", conversation=conversation)).turn for n in range(4)]

    with OtherProcess() as other:
        async with tab(alice) as page:
            first = await page.say("hello")
            there = asyncio.ensure_future(other.do(ask_there(first.conversation)))
            here = [(await page.ask(f"here {n}", conversation=first.conversation)).turn for n in range(4)]
            asked = {*here, *(await there)}
            assert len(asked) == 8
            assert await eventually(lambda: statuses() == ["completed"] * 9, seconds=20)
    assert list(coze.ledger()["chats"].values()) == [9]
    assert await database.run(_order_of_ends) == await database.run(_order_of_questions)


def _order_of_questions() -> list:
    return list(Message.objects.filter(role="user").order_by("pk").values_list("turn_id", flat=True))


def _order_of_ends() -> list:
    return list(Turn.objects.order_by("ended_at").values_list("pk", flat=True))


async def test_a_stop_in_another_process_lets_the_next_question_begin(coze, alice, tab):
    with OtherProcess() as other:
        async with tab(alice) as page:
            running = await page.ask(LONG)
            await running.words()
            asked = await page.ask("and you?", conversation=running.conversation)
            await other.do(turns.stop(alice, turn_id=uuid.UUID(running.turn)))
            assert await eventually(lambda: statuses() == ["canceled", "completed"], seconds=10)
            assert (await running.end())["type"] == "turn.canceled"
    assert await database.run(lambda: Message.objects.get(turn_id=asked.turn, role="assistant").content)


async def test_a_tab_in_another_process_hears_all_about_the_queue(coze, alice, tab):
    """It asks, edits and withdraws there; the answer before runs here."""
    from channels.layers import InMemoryChannelLayer, get_channel_layer

    from tests.tabs import open_tab

    if isinstance(get_channel_layer(), InMemoryChannelLayer):
        pytest.skip("hints need a channel layer that reaches other processes")

    async def live(conversation: str, running: str) -> list:
        async with open_tab(alice) as page:
            await page.send("conversation.open", conversation=conversation)
            await page.until("conversation.state")
            gone = await page.ask("the secret word is walrus", conversation=conversation)
            kept = await page.ask("the secret word is badger", conversation=conversation)
            await page.send("turn.edit", turn=kept.turn, content="the secret word is zebra")
            await page.until("turn.edited")
            await page.send("turn.stop", turn=gone.turn)
            assert (await gone.end())["withdrawn"] is True
            await page.send("turn.stop", turn=running)
            await page.until("turn.started", turn=kept.turn)
            assert (await kept.end())["type"] == "turn.completed"
            assert kept.text
            return [gone.turn, kept.turn]

    with OtherProcess() as other:
        async with tab(alice) as page:
            running = await page.ask(LONG)
            await running.words()
            there = asyncio.ensure_future(other.do(live(running.conversation, running.turn)))
            queued = [await page.until("turn.queued") for _each in range(2)]
            edited, withdrawn = await page.until("turn.edited"), await page.until("turn.canceled")
            assert (await running.end())["type"] == "turn.canceled"
            started = await page.until("turn.started")
            await page.until("turn.completed", turn=started["turn"])
            gone, kept = await there
    assert [frame["turn"] for frame in queued] == [gone, kept]
    assert (edited["turn"], edited["content"]) == (kept, "the secret word is zebra")
    assert (withdrawn["turn"], withdrawn["withdrawn"]) == (gone, True)
    assert (started["turn"], started["question"]["content"]) == (kept, "the secret word is zebra")
    shown = [frame for frame in page.seen if frame.get("turn") == gone]
    assert [frame["type"] for frame in shown] == ["turn.queued", "turn.canceled"]


async def test_a_question_withdrawn_in_another_process_leaves_the_tabs_of_this_one(coze, alice, tab):
    """By the rows alone, where no hint comes, and however long nothing else has happened there."""
    with OtherProcess() as other:
        async with tab(alice) as page:
            running = await page.ask("count to 2000 slowly")
            await running.words()
            asked = await page.ask("and you?", conversation=running.conversation)
            await page.until("turn.queued")
            long_ago = timezone.now() - timedelta(minutes=1)
            await database.run(Conversation.objects.update, active_at=long_ago)
            await other.do(turns.stop(alice, turn_id=uuid.UUID(asked.turn)))
            withdrawn = await page.until("turn.canceled", turn=asked.turn, timeout=3)
            assert withdrawn["withdrawn"] is True
            await stop(page, running)


async def test_deleting_a_conversation_takes_its_queue_along(coze, alice, tab):
    async with tab(alice) as page:
        running = await page.ask(LONG)
        await running.words()
        for number in range(2):
            await page.ask(f"{number}", conversation=running.conversation)
        await database.run(turns.delete_conversation, alice, conversation_id=uuid.UUID(running.conversation))
        await page.until("conversation.deleted")
        assert await eventually(lambda: coze.ledger()["abandoned"] == 1)
        await asyncio.sleep(0.5)
        assert "turn.started" not in {frame["type"] for frame in page.seen}
    assert await database.run(statuses) == []
    assert list(coze.ledger()["chats"].values()) == [1]


async def test_a_command_that_asks_does_not_wait_in_a_queue(coze, alice, tab):
    async with tab(alice) as page:
        running = await page.ask(LONG)
        await running.words()
        frame = TurnStart(
            client_id=uuid.uuid4(), conversation=uuid.UUID(running.conversation), content="and you?"
        )
        with pytest.raises(Refused) as refused:
            await turns.ask(alice, frame=frame)
        assert refused.value.code == "busy"
        await stop(page, running)
        assert (await turns.ask(alice, frame=frame)).status == "completed"


# --- Processes ----------------------------------------------------------------------------------------


def test_a_server_takes_up_what_a_killed_one_left_although_nobody_comes(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COZE_")}
    environment |= {
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "REDIS_URL": "",
        "DJANGO_SETTINGS_MODULE": "cozechat.settings",
        "COZE_EMULATOR_PORT": "0",
    }
    run = {"cwd": ROOT, "env": environment}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True, **run)
    command = [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", "0"]
    with (
        (tmp_path / "out").open("w") as out,
        subprocess.Popen(command, stdout=out, stderr=out, **run) as site,
    ):
        try:
            assert _within(60, lambda: "CozeChat is at" in (tmp_path / "out").read_text())
            subprocess.run([sys.executable, "-m", "tests.conversations.left_behind"], check=True, **run)
            assert _within(
                30, lambda: _ends(tmp_path) == [("interrupted", ""), ("completed", True), ("completed", True)]
            ), (_ends(tmp_path), (tmp_path / "out").read_text())
        finally:
            site.terminate()


def _within(seconds: float, check) -> bool:
    until = time.monotonic() + seconds
    while not (done := check()) and time.monotonic() < until:
        time.sleep(0.2)
    return done


def _ends(directory: Path) -> list:
    query = """select turn.status, message.content from conversations_message message
        join conversations_turn turn on turn.id = message.turn_id where role = 'assistant' order by message.id"""
    with closing(sqlite3.connect(directory / "db.sqlite3", timeout=20)) as connection:
        rows = connection.execute(query).fetchall()
    return [(status, bool(text) if status == "completed" else text) for status, text in rows]


# --- Whatever the order -------------------------------------------------------------------------------


class QueueMachine(RuleBasedStateMachine):
    """Any order of questions, ends, edits, withdrawals: the rows are as a plain list says."""

    owner = None

    @initialize()
    def talk(self) -> None:
        first = begin(self.owner, "hello")
        self.conversation = first.conversation.pk
        self.running, self.waiting, self.done = first.turn.pk, [], []

    def teardown(self) -> None:
        """Of one user not as many answers may run as there are lists."""
        Turn.objects.filter(owner=self.owner).delete()

    @rule(text=st.sampled_from("abc"))
    def ask(self, text) -> None:
        if self.waiting and len(self.waiting) == QUEUE:
            with pytest.raises(Refused):
                begin(self.owner, text, conversation=self.conversation)
            return
        begun = begin(self.owner, text, conversation=self.conversation)
        assert begun.is_queued is bool(self.running or self.waiting)
        if begun.is_queued:
            self.waiting.append((begun.turn.pk, text))
        else:
            self.running = begun.turn.pk

    @precondition(lambda self: self.running)
    @rule()
    def finish(self) -> None:
        end(self.running)
        self.done.append(self.running)
        self.running = None

    @rule()
    def begin_next(self) -> None:
        begun = queueing.begin_next(self.conversation)
        if self.running or not self.waiting:
            assert begun is None
            return
        turn, text = self.waiting.pop(0)
        assert (begun.turn.pk, begun.question.content) == (turn, text)
        self.running = turn

    @precondition(lambda self: self.waiting)
    @rule(place=st.integers(0, 20), text=st.sampled_from("xyz"))
    def edit(self, place, text) -> None:
        place %= len(self.waiting)
        turn = self.waiting[place][0]
        assert queueing.edit(self.owner, turn_id=turn, content=text)
        self.waiting[place] = (turn, text)

    @precondition(lambda self: self.waiting)
    @rule(place=st.integers(0, 20))
    def withdraw(self, place) -> None:
        turn, _text = self.waiting.pop(place % len(self.waiting))
        assert queueing.withdraw(self.owner, turn_id=turn)
        self.done.append(turn)

    @precondition(lambda self: self.done)
    @rule(place=st.integers(0, 20))
    def come_too_late(self, place) -> None:
        turn = self.done[place % len(self.done)]
        assert not queueing.edit(self.owner, turn_id=turn, content="late")
        assert not queueing.withdraw(self.owner, turn_id=turn)

    @invariant()
    def rows_are_as_the_list_says(self) -> None:
        turns_here = Turn.objects.filter(conversation=self.conversation)
        queued = queueing.queued_in(Message.objects.filter(conversation=self.conversation)[0].conversation)
        assert [(each["turn"], each["question"]["content"]) for each in queued] == [
            (str(turn), text) for turn, text in self.waiting
        ]
        assert list(turns_here.running().values_list("pk", flat=True)) == [self.running] * bool(self.running)
        is_idle = self.conversation in {conversation for conversation, _owner in queueing.idle()}
        assert is_idle is (bool(self.waiting) and not self.running)
        withdrawn = Message.objects.filter(turn__in=turns_here.filter(withdrawn=True))
        assert set(withdrawn.values_list("content", flat=True)) <= {""}


def test_whatever_happens_to_a_queue_it_is_what_a_list_would_be(coze, alice):
    class OfAlice(QueueMachine):
        owner = alice

    run_state_machine_as_test(
        OfAlice, settings=settings(max_examples=25, stateful_step_count=30, deadline=None)
    )
