"""O6, O8, O17, O18, O20: what goes wrong in our own process, its clock and its database."""

import asyncio
import logging
import sqlite3
import time
import uuid
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module

import pytest
from django.conf import settings as site_settings
from django.db import connection, connections
from django.utils import timezone

from accounts.tokens import TokenCache
from conversations.models import Conversation, Message, Turn
from cozechat import database
from cozechat.coze.client import CozeClient
from tests.faults.steps import CHAT, Stopwatch, on_every_database_thread, requests_to, stored_answer, turn_row

# The package has a function of the same name.
engines = import_module("conversations.turns.engine")


def counts() -> tuple[int, int, int]:
    return Conversation.objects.count(), Turn.objects.count(), Message.objects.count()


# --- O6: a locked SQLite ------------------------------------------------------------------------------


@contextmanager
def locked_database():
    """Somebody else writes, and does not come to an end."""
    holder = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


def wait_at_most(milliseconds: int) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")


async def test_a_database_that_stays_locked_refuses_a_question_and_stores_no_half_of_it(coze, alice, tab):
    if connection.vendor != "sqlite":
        pytest.skip("SQLite has one writer")
    patience = site_settings.DATABASES["default"]["OPTIONS"]["timeout"]
    assert patience == 20
    before = await database.run(counts)
    await on_every_database_thread(lambda: wait_at_most(1000))
    try:
        async with tab(alice) as page:
            client_id = str(uuid.uuid4())
            with locked_database():
                watch = Stopwatch()
                await page.send("turn.start", client_id=client_id, conversation=None, content="hello")
                refused = await page.until("error", "turn.accepted")
                assert 0.9 < watch.seconds < 3
                assert (refused["type"], refused["code"], refused["client_id"]) == (
                    "error",
                    "busy",
                    client_id,
                )
            assert await database.run(counts) == before
            assert requests_to(coze, CHAT) == 0

            await page.send("turn.start", client_id=client_id, conversation=None, content="hello")
            accepted = await page.until("turn.accepted")
            assert (await page.until("turn.completed"))["turn"] == accepted["turn"]
    finally:
        await on_every_database_thread(lambda: wait_at_most(1000 * patience))
    assert requests_to(coze, CHAT) == 1


# --- O8: clocks ---------------------------------------------------------------------------------------


class Clock:
    """The wall clock of this process, which somebody sets."""

    def __init__(self, monkeypatch) -> None:
        self.ahead = 0.0
        real_now = timezone.now
        monkeypatch.setattr(timezone, "now", lambda: real_now() + timedelta(seconds=self.ahead))
        for reader in (TokenCache, CozeClient):
            monkeypatch.setitem(reader.__init__.__kwdefaults__, "clock", self)

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.mark.parametrize(("step", "exchanges"), [(3600, 2), (86_400, 2), (-30, 1), (-3600, 1)])
async def test_a_clock_that_is_set_ends_no_answer_and_tokens_are_renewed(
    coze, alice, tab, monkeypatch, step, exchanges
):
    monkeypatch.setattr(engines, "CLAIM_EVERY", 0.1)
    clock = Clock(monkeypatch)
    async with tab(alice) as page:
        asked = await page.ask("count to 300 slowly")
        await asked.words()
        clock.ahead = step
        coze.arm("clock-skew", seconds=step)
        await asyncio.sleep(1.5)
        assert (await database.run(turn_row, asked.turn)).status == "in_progress"
        await page.send("turn.stop", turn=asked.turn)
        assert (await asked.end())["type"] == "turn.canceled"
        again = await page.say("count to 3")
        assert again.last["type"] == "turn.completed"
    assert coze.ledger()["exchanges"] == {alice.session_name: exchanges}


# --- O17, O18: a busy process -------------------------------------------------------------------------


async def test_slow_queries_on_every_thread_hold_up_no_ping(coze, alice, tab):
    async with tab(alice) as page:
        threads = database._threads._max_workers
        slow = [asyncio.create_task(database.run(time.sleep, 1.0)) for _each in range(2 * threads)]
        times = []
        for _each in range(40):
            watch = Stopwatch()
            await page.send("ping")
            await page.until("pong")
            times.append(watch.seconds)
            await asyncio.sleep(0.02)
        assert not slow[-1].done()
        await asyncio.gather(*slow)
    # One may have met somebody else's work on this machine.
    assert sorted(times)[-2] < 0.05


async def test_an_event_loop_that_stands_still_is_reported_and_loses_no_answer(
    coze, alice, tab, monkeypatch, caplog
):
    monkeypatch.setattr(engines, "CLAIM_EVERY", 0.1)
    async with tab(alice) as page:
        asked = await page.ask("count to 300")
        await asked.words()
        time.sleep(2)  # noqa: ASYNC251 - that is the fault
        end = await asked.end()
        assert end["type"] == "turn.completed"
        assert asked.text == await database.run(stored_answer, asked.turn)
    reports = [record for record in caplog.records if "stood still" in record.getMessage()]
    assert len(reports) == 1
    assert reports[0].levelno == logging.WARNING


# --- O20 ----------------------------------------------------------------------------------------------


async def test_a_question_sent_again_with_other_words_is_the_first_one_still(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("count to 3")
        await page.send(
            "turn.start", client_id=asked.client_id, conversation=asked.conversation, content="count to 9"
        )
        again = await page.until("turn.accepted")
    assert again["turn"] == asked.turn
    assert requests_to(coze, CHAT) == 1
    assert await database.run(stored_answer, asked.turn) == asked.text
    assert await database.run(counts) == (1, 1, 2)
