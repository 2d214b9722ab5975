"""Tokens are renewed in time, replaced when they are refused, and unreadable at rest."""

import asyncio
import logging
import subprocess
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from token_steps import Clock, claimed_by_another_process

from accounts import tokens
from accounts.models import AccessToken
from accounts.tokens import TokenCache
from cozechat import database
from cozechat.coze.errors import ExchangeRefused

pytestmark = pytest.mark.django_db(transaction=True)


# --- When it is renewed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lifetime", "still_fresh", "due"),
    [(3600, 3600 - 310, 3600 - 290), (600, 600 - 130, 600 - 110)],
    ids=["5 minutes before its end", "at 80 % of a short life"],
)
def test_a_token_is_renewed_before_its_end(drive, app, endpoint, alice, lifetime, still_fresh, due):
    endpoint.lifetime = lifetime
    clock = Clock()

    async def main():
        cache = TokenCache(clock=clock)
        first = await cache.access_token(alice, app=app)
        clock.ahead = still_fresh
        assert await cache.access_token(alice, app=app) == first
        assert len(endpoint.asked) == 1
        clock.ahead = due
        assert await cache.access_token(alice, app=app) == first  # it still works: nobody waits
        await cache.aclose()
        assert len(endpoint.asked) == 2
        assert await database.run(lambda: AccessToken.objects.get().token) != first

    drive(main)


def test_a_token_whose_end_is_near_is_not_handed_out_any_more(drive, app, endpoint, alice):
    clock = Clock()

    async def main():
        cache = TokenCache(clock=clock)
        first = await cache.access_token(alice, app=app)
        clock.ahead = 3600 - 20
        second = await cache.access_token(alice, app=app)
        await cache.aclose()
        return first, second

    first, second = drive(main)

    assert first != second
    assert len(endpoint.asked) == 2


def test_the_old_token_serves_while_another_process_renews_it(drive, app, endpoint, alice):
    clock = Clock()

    async def main():
        cache = TokenCache(clock=clock)
        first = await cache.access_token(alice, app=app)
        row = await database.run(AccessToken.objects.get)
        await database.run(claimed_by_another_process, row, seconds=3600)
        clock.ahead = 3600 - 200
        second = await cache.access_token(alice, app=app)
        await cache.aclose()
        return first == second

    assert drive(main)
    assert len(endpoint.asked) == 1


def test_a_coze_that_is_down_is_asked_once_in_a_lease_while_the_old_token_lives(drive, app, endpoint, alice):
    clock = Clock()

    async def main():
        cache = TokenCache(clock=clock)
        first = await cache.access_token(alice, app=app)
        endpoint.refusing = True
        clock.ahead = 3600 - 200
        for _ in range(10):
            assert await cache.access_token(alice, app=app) == first
            await asyncio.sleep(0.02)
        assert len(endpoint.asked) == 2
        clock.ahead += tokens.LEASE_SECONDS + 1
        endpoint.refusing = False
        assert await cache.access_token(alice, app=app) == first
        await cache.aclose()
        assert len(endpoint.asked) == 3
        assert await cache.access_token(alice, app=app) != first

    drive(main)


def test_a_revoked_token_is_forgotten_within_thirty_seconds(drive, app, endpoint, alice):
    clock = Clock()

    async def main():
        cache = TokenCache(clock=clock)
        first = await cache.access_token(alice, app=app)
        await database.run(AccessToken.objects.all().delete)
        clock.ahead = 31
        second = await cache.access_token(alice, app=app)
        await cache.aclose()
        return first, second

    first, second = drive(main)

    assert first != second


# --- What Coze refuses ----------------------------------------------------------------------------------


def test_twenty_callers_whose_token_was_refused_cause_one_renewal(drive, app, endpoint, alice):
    async def again(old):
        await tokens.discard(alice, app=app, token=old)
        return await tokens.access_token(alice, app=app)

    async def main():
        old = await tokens.access_token(alice, app=app)
        others = (tokens.access_token(alice, app=app) for _ in range(20))
        renewed, _others = await asyncio.gather(
            asyncio.gather(*(again(old) for _ in range(20))), asyncio.gather(*others)
        )
        return old, renewed

    old, renewed = drive(main)

    assert len(set(renewed)) == 1
    assert renewed[0] != old
    assert len(endpoint.asked) == 2


def test_a_fetch_under_way_does_not_bring_a_refused_token_back(drive, app, endpoint, alice):
    async def main():
        old = await tokens.access_token(alice, app=app)
        cache = TokenCache()
        # The fetch reads the row, still full, and comes back when its token has been refused.
        fetching = asyncio.create_task(cache.access_token(alice, app=app))
        await asyncio.sleep(0)
        await cache.discard(alice, app=app, token=old)
        assert await fetching != old
        assert await cache.access_token(alice, app=app) != old
        await cache.aclose()

    for _ in range(5):
        drive(main)


def test_another_process_that_still_remembers_a_refused_token_takes_the_new_one(drive, app, endpoint, alice):
    async def main():
        ours, theirs = TokenCache(), TokenCache()
        old = await ours.access_token(alice, app=app)
        assert await theirs.access_token(alice, app=app) == old
        await ours.discard(alice, app=app, token=old)
        new = await ours.access_token(alice, app=app)
        await theirs.discard(alice, app=app, token=old)
        assert await theirs.access_token(alice, app=app) == new
        await ours.aclose()
        await theirs.aclose()

    drive(main)

    assert len(endpoint.asked) == 2


def test_bob_cannot_discard_alices_token(drive, app, endpoint, alice, bob):
    async def main():
        alices = await tokens.access_token(alice, app=app)
        await tokens.discard(bob, app=app, token=alices)
        return alices, await tokens.access_token(alice, app=app)

    before, after = drive(main)

    assert before == after
    assert AccessToken.objects.get(user=alice).token == before


def test_a_refused_exchange_is_told_to_all_who_wait_and_frees_the_claim(drive, app, endpoint, alice):
    endpoint.refusing = True
    endpoint.delay = 0.1

    async def main():
        waiting = (tokens.access_token(alice, app=app) for _ in range(10))
        failed = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(error) for error in failed} == {ExchangeRefused}
        assert len(endpoint.asked) == 1
        assert await database.run(lambda: AccessToken.objects.get().claim) is None
        endpoint.refusing = False
        another_process = TokenCache()
        return await asyncio.wait_for(another_process.access_token(alice, app=app), 2)

    assert drive(main) in endpoint.issued


def test_after_a_failed_exchange_nobody_asks_again_for_five_seconds(drive, app, endpoint, alice, bob):
    endpoint.refusing = True
    clock = Clock()

    async def main():
        cache = TokenCache(clock=clock)
        for ahead in (0, 0.1, 2.5, 4.9):
            clock.ahead = ahead
            with pytest.raises(ExchangeRefused) as refused:
                await cache.access_token(alice, app=app)
        assert 0 < refused.value.retry_after < 0.2
        assert endpoint.asked == [alice.session_name]
        endpoint.refusing = False
        assert await cache.access_token(bob, app=app) in endpoint.issued
        clock.ahead = 5.1
        assert await cache.access_token(alice, app=app) in endpoint.issued
        await cache.aclose()

    drive(main)


# --- At rest --------------------------------------------------------------------------------------------


def test_the_database_holds_no_readable_token(drive, app, endpoint, alice):
    token = drive(lambda: tokens.access_token(alice, app=app))

    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM accounts_accesstoken")
        (stored,) = cursor.fetchone()
    assert len(stored) > 20
    assert token not in stored
    if connection.vendor == "sqlite":
        name = Path(connection.settings_dict["NAME"])
        files = [path for path in name.parent.glob(f"{name.name}*") if path.is_file()]
        assert files
        # In a process of its own: whoever closes a file drops all locks of his process on it, SQLite's too, and
        # the next process that leaves this database would take the log away under us.
        found = subprocess.run(
            ["grep", "-c", "--text", "--fixed-strings", token, *files], check=False, capture_output=True
        )
        assert (found.returncode, found.stderr) == (1, b"")
    assert AccessToken.objects.get().token == token


def test_a_token_that_no_key_opens_is_exchanged_anew(drive, app, endpoint, alice, settings, private_key):
    drive(lambda: tokens.access_token(alice, app=app))
    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    app.save()  # the app's own key is sealed too; the object still holds it

    token = drive(lambda: tokens.access_token(alice, app=app))

    assert len(endpoint.asked) == 2
    assert AccessToken.objects.get().token == token


def test_nothing_that_is_printed_or_logged_shows_a_token(drive, app, endpoint, alice, caplog):
    caplog.set_level(logging.DEBUG)

    token = drive(lambda: tokens.access_token(alice, app=app))

    row = AccessToken.objects.get()
    assert token not in f"{row} {row!r} {row.masked()} {caplog.text}"
    assert row.masked() == f"{token[:4]}…{token[-4:]}"
