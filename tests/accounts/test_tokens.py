"""Every user gets a token of their own, and Coze is asked for each of them once."""

import asyncio
import logging
import os
import subprocess
import sys
import time

import pytest
from django.db import connection
from token_steps import claimed_by_another_process

from accounts import tokens
from accounts.models import AccessToken, User
from accounts.tokens import TokenCache, TokenUnavailable
from cozechat import database

pytestmark = pytest.mark.django_db(transaction=True)


# --- Whose token it is ----------------------------------------------------------------------------------


def test_alice_and_bob_each_get_a_token_that_was_issued_for_them(drive, app, endpoint, alice, bob):
    async def main():
        return await asyncio.gather(tokens.access_token(alice, app=app), tokens.access_token(bob, app=app))

    alices, bobs = drive(main)

    assert endpoint.issued == {alices: alice.session_name, bobs: bob.session_name}
    assert {row.session_name: row.token for row in AccessToken.objects.all()} == {
        alice.session_name: alices,
        bob.session_name: bobs,
    }


def test_a_row_of_bob_that_holds_alices_token_is_not_used_and_raises_an_alarm(
    drive, app, endpoint, alice, bob, caplog
):
    alices = drive(lambda: tokens.access_token(alice, app=app))
    AccessToken.objects.update(user=bob)

    bobs = drive(lambda: tokens.access_token(bob, app=app))

    assert endpoint.issued[bobs] == bob.session_name
    assert bobs != alices
    alarms = [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]
    assert len(alarms) == 1
    assert "isolation alarm" in alarms[0]
    assert alices not in caplog.text


def test_the_memory_gives_nothing_to_a_user_object_with_another_session_name(
    drive, app, endpoint, alice, bob
):
    impostor = User(pk=alice.pk, username="bob", session_name=bob.session_name)

    async def main():
        return await asyncio.gather(
            tokens.access_token(alice, app=app), tokens.access_token(impostor, app=app)
        )

    alices, impostors = drive(main)

    assert endpoint.issued[alices] == alice.session_name
    assert endpoint.issued[impostors] == bob.session_name


def test_no_token_is_asked_for_without_a_session_name(drive, app, endpoint, alice):
    alice.session_name = ""

    with pytest.raises(ValueError, match="session_name"):
        drive(lambda: tokens.access_token(alice, app=app))

    assert endpoint.asked == []


# --- One exchange ---------------------------------------------------------------------------------------


def test_forty_tasks_cause_one_exchange(drive, app, endpoint, alice):
    endpoint.delay = 0.2

    async def main():
        return await asyncio.gather(*(tokens.access_token(alice, app=app) for _ in range(40)))

    assert len(set(drive(main))) == 1
    assert endpoint.asked == [alice.session_name]


_PROCESS = """
import asyncio, sys
import django
django.setup()
from accounts import tokens
from accounts.models import User
from cozechat.catalog.clients import close_clients
from cozechat.catalog.models import CozeApp

async def main(user, app):
    try:
        found = await asyncio.gather(*(tokens.access_token(user, app=app) for _ in range(20)))
    finally:
        await tokens.aclose()
        await close_clients()
    print(*set(found))

user, app = User.objects.get(pk=int(sys.argv[1])), CozeApp.objects.get(pk=int(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main(user, app))
"""


def _test_database() -> str:
    """Where another process finds the database of this test."""
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{at['NAME']}"
    return f"postgres://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


def test_two_processes_cause_one_exchange(app, endpoint, alice):
    endpoint.delay = 0.5
    environment = {**os.environ, "DATABASE_URL": _test_database()}
    command = [sys.executable, "-c", _PROCESS, str(alice.pk), str(app.pk)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()

    printed = [process.communicate(timeout=30)[0].split() for process in processes]

    assert endpoint.asked == [alice.session_name]
    assert printed == [list(endpoint.issued)] * 2


def test_an_exchange_that_takes_longer_than_the_lease_stays_the_only_one(drive, app, endpoint, alice):
    endpoint.delay = 1.2

    async def main():
        ours, theirs = TokenCache(lease=0.3), TokenCache(lease=0.3)
        try:
            return await asyncio.gather(
                ours.access_token(alice, app=app), theirs.access_token(alice, app=app)
            )
        finally:
            await ours.aclose()
            await theirs.aclose()

    assert len(set(drive(main))) == 1
    assert len(endpoint.asked) == 1


def test_a_process_that_dies_with_the_claim_delays_the_others_by_its_lease(drive, app, endpoint, alice):
    row = AccessToken.objects.create(app=app, user=alice, session_name=alice.session_name)
    claimed_by_another_process(row, seconds=1)
    started = time.monotonic()

    token = drive(lambda: tokens.access_token(alice, app=app))

    assert endpoint.issued[token] == alice.session_name
    assert 0.8 < time.monotonic() - started < 3


def test_waiting_for_another_process_has_an_end(drive, app, endpoint, alice):
    row = AccessToken.objects.create(app=app, user=alice, session_name=alice.session_name)
    claimed_by_another_process(row, seconds=60)

    with pytest.raises(TokenUnavailable):
        drive(lambda: TokenCache(patience=0.3).access_token(alice, app=app))

    assert endpoint.asked == []


def test_the_database_is_free_while_coze_takes_its_time(drive, app, endpoint, alice, bob):
    endpoint.gate.clear()

    async def main():
        waiting = asyncio.create_task(tokens.access_token(alice, app=app))
        assert await asyncio.to_thread(endpoint.was_asked.wait, 5)
        started = time.monotonic()
        await database.run(User.objects.filter(pk=bob.pk).update, display_name="Bob")
        elapsed = time.monotonic() - started
        endpoint.gate.set()
        await waiting
        return elapsed

    assert drive(main) < 1


def test_who_waits_can_be_cancelled_and_the_exchange_goes_on(drive, app, endpoint, alice):
    endpoint.gate.clear()

    async def main():
        first = asyncio.create_task(tokens.access_token(alice, app=app))
        assert await asyncio.to_thread(endpoint.was_asked.wait, 5)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        second = asyncio.create_task(tokens.access_token(alice, app=app))
        await asyncio.sleep(0.1)
        endpoint.gate.set()
        return await second

    assert drive(main) in endpoint.issued
    assert len(endpoint.asked) == 1


def test_closing_waits_for_the_exchange_under_way(drive, app, endpoint, alice):
    endpoint.delay = 0.3

    async def main():
        cache = TokenCache()
        waiting = asyncio.create_task(cache.access_token(alice, app=app))
        assert await asyncio.to_thread(endpoint.was_asked.wait, 5)
        await cache.aclose()
        assert waiting.done() or await waiting

    drive(main)

    assert AccessToken.objects.get().token in endpoint.issued
