"""Who may write to a turn, and for how long: dead engines, slow engines, two engines, a locked database."""

import asyncio
import sqlite3
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib import import_module

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from conversations import turns
from conversations.frames import TurnStart
from conversations.models import Conversation, Message, Turn
from conversations.turns.processes import orphans
from cozechat import database
from tests.tabs import HOST, TERMINAL

# The package has a function of the same name.
engines = import_module("conversations.turns.engine")
ENDED = {"completed", "failed", "canceled", "interrupted", "requires_action"}


@pytest.fixture
def brisk(monkeypatch):
    """An engine that saves, and mirrors to Coze, five times a second."""
    monkeypatch.setattr(engines, "SAVE_EVERY", 0.2)
    monkeypatch.setattr(engines.mirroring, "EVERY", 0.2)


def begin(owner, content: str = "count to 300 slowly"):
    frame = TurnStart(client_id=uuid.uuid4(), conversation=None, content=content)
    return turns.begin(owner, frame=frame)


def stored(turn) -> tuple[str, str]:
    return Turn.objects.get(pk=turn).status, Message.objects.get(turn_id=turn, role="assistant").content


def orphaned(owner, *, said: str = "so far"):
    """A turn whose process died a while ago."""
    begun = begin(owner)
    Turn.objects.filter(pk=begun.turn.pk).update(
        status="in_progress", seq=3, lease_until=timezone.now() - timedelta(seconds=1)
    )
    Message.objects.filter(pk=begun.answer.pk).update(content=said)
    return begun


async def eventually(check, *args, seconds: float = 5.0) -> bool:
    """Whether something becomes true in the database."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if await database.run(check, *args):
            return True
        await asyncio.sleep(0.05)
    return False


def has_status(turn, *statuses) -> bool:
    return stored(turn)[0] in statuses


# --- Orphans ------------------------------------------------------------------------------------------


def test_of_many_processes_one_claims_each_orphan(alice):
    left = [orphaned(alice) for _each in range(5)]
    found: list[uuid.UUID] = []
    ready = threading.Barrier(6)

    def claim() -> None:
        from django.db import connection

        connection.ensure_connection()
        ready.wait()
        try:
            found.extend(each.id for each in orphans.claim())
        finally:
            connection.close()

    threads = [threading.Thread(target=claim) for _each in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == sorted(begun.turn.pk for begun in left)
    assert {stored(begun.turn.pk) for begun in left} == {("in_progress", "so far")}
    assert orphans.claim() == []


def test_a_turn_whose_engine_lives_is_not_claimed(alice):
    begun = begin(alice)
    assert orphans.claim() == []
    assert stored(begun.turn.pk) == ("created", "")


async def test_an_orphan_ends_in_the_tab_that_shows_it_and_can_be_asked_again(coze, alice, tab, monkeypatch):
    monkeypatch.setattr(engines, "CLAIM_EVERY", 0.2)
    begun = await database.run(begin, alice)
    async with tab(alice) as page:
        await page.send("conversation.open", conversation=begun.conversation.pk)
        state = await page.until("conversation.state")
        assert state["turn"] == str(begun.turn.pk)
        lapsed = timezone.now() - timedelta(seconds=1)
        await database.run(Turn.objects.filter(pk=begun.turn.pk).update, lease_until=lapsed)
        ended = await page.until("turn.interrupted", timeout=5)
        assert ended["turn"] == str(begun.turn.pk)

        again = await page.say("count to 3", conversation=str(begun.conversation.pk))
        assert again.last["type"] == "turn.completed"
    assert sum(coze.ledger()["chats"].values()) == 1


# --- Fencing ------------------------------------------------------------------------------------------


async def test_an_engine_that_lost_its_turn_writes_nothing_more(coze, alice, tab, brisk):
    """Another process took the turn from an engine that seemed dead; its end and its text stand."""
    async with tab(alice) as page:
        asked = await page.ask("count to 300 slowly")
        await asked.words()
        await database.run(_take_away, asked.turn)
        ended = await asked.end(timeout=5)

        assert ended["type"] == "turn.interrupted"
        assert asked.text == "what the other kept"
        await asyncio.sleep(0.6)
    assert await database.run(stored, asked.turn) == ("interrupted", "what the other kept")
    assert await database.run(lambda: Turn.objects.get().lease) is None


def _take_away(turn) -> None:
    # Together: its engine, which lives, might renew the lease in between.
    with transaction.atomic():
        Turn.objects.filter(pk=turn).update(lease_until=timezone.now() - timedelta(seconds=1))
        (orphan,) = orphans.claim()
    assert orphans.settle(orphan, answer=None).turn.status == "interrupted"
    Message.objects.filter(turn_id=turn, role="assistant").update(content="what the other kept")


async def test_a_turn_that_was_taken_away_before_it_was_asked_is_never_asked(coze, alice, tab, brisk):
    coze.arm("slow-first-byte", path="/api/permission/oauth2", seconds=1)
    async with tab(alice) as page:
        asked = await page.ask("hello")
        await database.run(_take_away, asked.turn)
        assert (await asked.end(timeout=5))["type"] == "turn.interrupted"
        await asyncio.sleep(1)
    assert coze.ledger()["chats"] == {}
    assert await database.run(stored, asked.turn) == ("interrupted", "what the other kept")


async def test_a_late_engine_does_not_change_the_conversation_at_coze(coze, alice, tab, brisk):
    """It was about to have one made when it lost its turn; meanwhile a later question got one."""
    coze.arm("slow-first-byte", path="/v1/conversation/create", seconds=1.2, times=1)
    async with tab(alice) as page:
        asked = await page.ask("hello")
        await asyncio.sleep(0.3)
        await database.run(_take_away, asked.turn)
        await asked.end(timeout=5)
        later = await page.say("the secret word is zebra", conversation=asked.conversation)
        coze_id = await database.run(_coze_id)
        await asyncio.sleep(1.2)
        assert await database.run(_coze_id) == coze_id
        again = await page.say("what is the secret word?", conversation=asked.conversation)
        assert "zebra" in again.text
    assert later.last["type"] == "turn.completed"
    assert coze.ledger()["chats"] == {coze_id: 2}


def _coze_id() -> str:
    return Conversation.objects.get().coze_conversation_id


async def test_a_long_answer_keeps_its_lease(coze, alice, tab, brisk):
    async with tab(alice) as page:
        asked = await page.ask("count to 300 slowly")
        await asked.words()
        first = await database.run(lambda: Turn.objects.get().lease_until)
        await asyncio.sleep(1)
        assert await database.run(lambda: Turn.objects.get().lease_until) > first + timedelta(seconds=0.5)
        status, content = await database.run(stored, asked.turn)
        assert status == "in_progress"
        assert content
        await page.send("turn.stop", turn=asked.turn)
        await asked.end()


async def test_words_that_could_not_be_saved_are_saved_the_next_time(coze, alice, tab, monkeypatch):
    """Whatever was in the way: here no thread could be had, which is no error of the database's."""
    monkeypatch.setattr(engines, "SAVE_EVERY", 600)
    coze.arm("stall", after=5, seconds=600, times=1)
    async with tab(alice) as page:
        asked = await page.ask("count to 30")
        await asked.words()
        while not await page.quiet(seconds=1):
            await page.frame()
        no_threads = ThreadPoolExecutor()
        no_threads.shutdown()
        with monkeypatch.context() as without:
            without.setattr(database, "_threads", no_threads)
            with pytest.raises(RuntimeError):
                await turns.engine().save_running()
        await turns.engine().save_running()
        assert await database.run(stored, asked.turn) == ("in_progress", asked.text)
        assert asked.text
        await page.send("turn.stop", turn=asked.turn)
        await asked.end()


# --- Two processes ------------------------------------------------------------------------------------


class OtherProcess:
    """A second engine on a loop of its own: it shares the database with the first, and nothing else."""

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def _run(self) -> None:
        self.loop.run_forever()
        self.loop.close()

    async def do(self, work):
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    def __exit__(self, *_error) -> None:
        asyncio.run_coroutine_threadsafe(_close(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


async def _close() -> None:
    from accounts import tokens
    from cozechat.catalog.clients import close_clients

    await turns.engine().aclose()
    await tokens.aclose()
    await close_clients()


async def test_stop_in_another_process_ends_the_answer_within_two_seconds(coze, alice, tab):
    with OtherProcess() as other:
        async with tab(alice) as page:
            asked = await page.ask("count to 300 slowly")
            await asked.words()
            started = time.monotonic()
            await other.do(turns.stop(alice, turn_id=uuid.UUID(asked.turn)))
            ended = await asked.end(timeout=5)
            assert ended["type"] == "turn.canceled"
            assert time.monotonic() - started < 2.5
            assert asked.text == (await database.run(stored, asked.turn))[1]
            assert await eventually(lambda: coze.ledger()["abandoned"] == 1)


async def test_a_tab_in_another_process_opens_and_stops_the_answer(coze, alice, tab):
    from tests.tabs import open_tab

    async def look(conversation: str, turn: str) -> list:
        async with open_tab(alice) as page:
            await page.send("conversation.open", conversation=conversation)
            state = await page.until("conversation.state")
            sync = await page.until("turn.sync")
            await page.send("turn.stop", turn=turn)
            return [state["turn"], sync["status"], (await page.until("turn.canceled"))["turn"]]

    with OtherProcess() as other:
        async with tab(alice) as page:
            asked = await page.ask("count to 300 slowly")
            await asked.words()
            await asyncio.sleep(1.2)
            seen = await other.do(look(asked.conversation, asked.turn))
            assert seen == [asked.turn, "in_progress", asked.turn]
            assert (await asked.end(timeout=5))["type"] == "turn.canceled"


async def test_of_two_processes_one_answers_a_question(coze, alice, tab):
    client_id = str(uuid.uuid4())
    question = {"client_id": client_id, "conversation": None, "content": "hello"}

    async def ask_there() -> dict:
        from tests.tabs import open_tab

        async with open_tab(alice) as page:
            await page.send("turn.start", **question)
            accepted = await page.until("turn.accepted")
            await asyncio.sleep(1)
            return accepted

    with OtherProcess() as other:
        async with tab(alice) as page:
            there = asyncio.ensure_future(other.do(ask_there()))
            await page.send("turn.start", **question)
            accepted = await page.until("turn.accepted")
            assert (await there)["turn"] == accepted["turn"]
            assert await eventually(has_status, accepted["turn"], "completed")
    assert sum(coze.ledger()["chats"].values()) == 1


# --- The end of a process, of a conversation, of a log-in ---------------------------------------------


async def test_a_process_that_ends_keeps_every_word_and_leaves_what_runs_to_another_at_once(
    coze, alice, bob, tab
):
    async with tab(alice) as alices, tab(bob) as bobs:
        asked = [await page.ask("count to 300 slowly") for page in (alices, bobs)]
        for each in asked:
            await each.words()
        started = time.monotonic()
        await turns.engine().drain(grace=0.3)
        assert time.monotonic() - started < 3
        while not await alices.quiet() or not await bobs.quiet():
            for page in (alices, bobs):
                if not await page.quiet():
                    await page.frame()
        for each in asked:
            assert each.text
            assert await database.run(stored, each.turn) == ("in_progress", each.text)
        claimed = await database.run(orphans.claim)
        assert {str(orphan.id) for orphan in claimed} == {each.turn for each in asked}


async def test_a_process_that_ends_interrupts_what_coze_has_not_begun(coze, alice, tab):
    coze.arm("slow-first-byte", path="/v1/conversation/create", seconds=5, times=1)
    async with tab(alice) as page:
        asked = await page.ask("hello")
        await turns.engine().drain(grace=0.1)
        assert (await asked.end())["type"] == "turn.interrupted"
    assert await database.run(Turn.objects.exclude(lease=None).count) == 0


async def test_a_process_that_ends_lets_a_short_answer_finish_and_takes_no_more(coze, alice, bob, tab):
    async with tab(alice) as alices, tab(bob) as bobs:
        asked = await alices.ask("count to 60")
        await asked.words()
        draining = asyncio.ensure_future(turns.engine().drain(grace=10))
        await asyncio.sleep(0)
        await bobs.send("turn.start", client_id=str(uuid.uuid4()), conversation=None, content="hello")
        assert (await bobs.until("error"))["code"] == "busy"
        assert (await asked.end())["type"] == "turn.completed"
        await draining
    assert (await database.run(stored, asked.turn))[0] == "completed"
    assert await database.run(Turn.objects.count) == 1


async def test_a_process_that_ends_lets_a_question_finish_that_was_being_taken(coze, alice, tab):
    async with tab(alice) as page:
        client_id = str(uuid.uuid4())
        await page.send("turn.start", client_id=client_id, conversation=None, content="count to 5")
        for _step in range(10_000):
            if turns.engine()._tasks:
                break
            await asyncio.sleep(0)
        # It has been looked at, and goes to the database now.
        await asyncio.sleep(0)
        assert turns.engine()._tasks
        assert not turns.engine().running
        await turns.engine().drain(grace=10)
        accepted = await page.until("turn.accepted")
        assert (await page.until(*TERMINAL, turn=accepted["turn"]))["type"] == "turn.completed"


async def test_deleting_a_conversation_ends_the_answer_in_it_everywhere(coze, alice, tab, brisk):
    async with tab(alice) as page, tab(alice) as other:
        asked = await page.ask("count to 300 slowly")
        await asked.words()
        deleted = await database.run(
            turns.delete_conversation, alice, conversation_id=uuid.UUID(asked.conversation)
        )
        assert deleted
        for each in (page, other):
            assert (await each.until("conversation.deleted"))["conversation"] == asked.conversation
        await page.send("conversation.open", conversation=asked.conversation)
        assert (await page.until("error"))["code"] == "not_found"
        await page.send("turn.resume", turn=asked.turn, seq=0)
        assert (await page.until("error"))["code"] == "not_found"
        assert await eventually(lambda: coze.ledger()["abandoned"] == 1)
        assert await page.quiet()
        # Coze's side goes as well, and with it the last row.
        assert await eventually(lambda: not Conversation.objects.exists())
    assert await database.run(Message.objects.count) == 0
    assert [call for call in coze.ledger()["requests"] if call.startswith("DELETE /v1/conversations")]


async def test_deleting_while_coze_is_still_making_the_conversation_leaves_nothing_behind(
    coze, alice, tab, brisk
):
    coze.arm("slow-first-byte", path="/v1/conversation/create", seconds=1, times=1)
    async with tab(alice) as page:
        asked = await page.ask("hello")
        await asyncio.sleep(0.3)
        await database.run(turns.delete_conversation, alice, conversation_id=uuid.UUID(asked.conversation))
        await page.until("conversation.deleted")
        assert await eventually(lambda: not Conversation.objects.exists(), seconds=8)
    assert coze.ledger()["chats"] == {}
    assert [call for call in coze.ledger()["requests"] if call.startswith("DELETE /v1/conversations")]


async def test_logging_out_closes_the_sockets_of_that_log_in_and_no_others(coze, alice, bob, tab):
    def log_out(session_key: str) -> None:
        from django.conf import settings

        client = Client(headers={"host": HOST})
        client.cookies[settings.SESSION_COOKIE_NAME] = session_key
        assert client.post("/accounts/logout/").status_code == 302

    async with tab(alice) as here, tab(alice) as elsewhere, tab(bob) as bobs:
        async with tab(alice, session_key=here.session_key) as same:
            asked = await here.ask("count to 100 slowly")
            await database.run(log_out, here.session_key)
            assert await here.close_code() == 4401
            assert await same.close_code() == 4401
        # What was asked goes on; whoever is still logged in reads it.
        await elsewhere.send("conversation.open", conversation=asked.conversation)
        assert (await elsewhere.until("turn.completed"))["turn"] == asked.turn
        await bobs.send("ping")
        assert (await bobs.frame())["type"] == "pong"


def _end_session(session_key: str) -> None:
    from django.contrib.sessions.models import Session

    assert Session.objects.filter(pk=session_key).delete()[0] == 1


async def test_a_login_that_ended_in_another_process_is_noticed_by_looking_again(
    coze, alice, tab, monkeypatch
):
    monkeypatch.setattr(engines, "LOGINS_EVERY", 0.3)
    async with tab(alice) as page, tab(alice) as other:
        await database.run(_end_session, page.session_key)
        assert await page.close_code(timeout=5) == 4401
        await other.send("ping")
        assert (await other.frame())["type"] == "pong"


async def test_a_login_that_ended_asks_nothing_more_even_before_anybody_looked(coze, alice, tab):
    async with tab(alice) as page:
        await page.send("ping")
        await page.frame()
        await database.run(_end_session, page.session_key)
        await page.send("turn.start", client_id=str(uuid.uuid4()), conversation=None, content="hello")
        assert await page.close_code() == 4401
    assert await database.run(Turn.objects.count) == 0
    assert coze.ledger()["chats"] == {}


async def test_without_a_login_the_socket_is_closed_at_once(coze, alice, tab):
    async with tab(None) as page:
        await page.send("turn.start", client_id=str(uuid.uuid4()), conversation=None, content="hello")
        assert await page.close_code() == 4401


# --- A locked database --------------------------------------------------------------------------------


async def test_a_database_that_is_locked_for_three_seconds_loses_no_question_and_no_word(
    coze, alice, bob, tab
):
    from django.db import connection

    if connection.vendor != "sqlite":
        pytest.skip("SQLite has one writer")
    path = connection.settings_dict["NAME"]
    async with tab(alice) as alices, tab(bob) as bobs:
        running = await alices.ask("count to 300 slowly")
        await running.words()
        locked = sqlite3.connect(path, isolation_level=None)
        locked.execute("BEGIN IMMEDIATE")
        try:
            started = time.monotonic()
            client_id = str(uuid.uuid4())
            await bobs.send("turn.start", client_id=client_id, conversation=None, content="hello")
            await bobs.send("ping")
            seen = len(alices.seen)
            while time.monotonic() - started < 3:
                await alices.until("turn.delta", turn=running.turn, timeout=1)
            assert len(alices.seen) > seen + 5
        finally:
            locked.execute("ROLLBACK")
            locked.close()
        accepted = await bobs.until("turn.accepted")
        assert accepted["client_id"] == client_id
        assert (await bobs.until("turn.completed"))["turn"] == accepted["turn"]
        await alices.send("turn.stop", turn=running.turn)
        assert (await running.end())["type"] == "turn.canceled"
        assert running.text == (await database.run(stored, running.turn))[1]


async def test_an_end_that_cannot_be_saved_at_once_is_saved_later_and_coming_back_meanwhile_shows_all(
    coze, alice, tab
):
    from django.db import connection

    if connection.vendor != "sqlite":
        pytest.skip("SQLite has one writer")
    path = connection.settings_dict["NAME"]
    async with tab(alice) as page:
        asked = await page.ask("count to 60")
        await asked.words()
        locked = sqlite3.connect(path, isolation_level=None)
        locked.execute("BEGIN IMMEDIATE")
        try:
            await asyncio.sleep(1)  # the answer is complete, and only here
            async with _reader(alice, asked, page.session_key) as late:
                await late.until("turn.sync")
                locked.execute("ROLLBACK")
                assert (await late.until("turn.completed"))["turn"] == asked.turn
                await asked.end()
                shown = asked.text
                asked.tab = late
                assert asked.text == shown == (await database.run(stored, asked.turn))[1]
        finally:
            locked.close()


def _reader(alice, asked, session_key: str):
    """A tab that opens the conversation; it uses a log-in that is there, for nothing can be written."""
    from contextlib import asynccontextmanager

    from tests.tabs import open_tab

    @asynccontextmanager
    async def opened():
        async with open_tab(alice, session_key=session_key) as late:
            await late.send("conversation.open", conversation=asked.conversation)
            yield late

    return opened()


def test_every_status_that_ends_is_known_here():
    assert set(Turn.Status.values) - set(Turn.OPEN) == ENDED
