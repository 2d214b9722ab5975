"""A page may say whose it is; a socket of somebody else then hears and does nothing of it."""

import asyncio
import uuid

import pytest
from django.test import Client

from conversations import turns
from conversations.models import Turn
from cozechat import database

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_page_that_says_whose_it_is_is_answered(coze, alice, tab):
    async with tab(alice) as page:
        await page.send("ping", user=alice.browser_key)
        assert await page.frame() == {"type": "pong"}
        await page.say("hello")


async def test_the_page_of_somebody_who_was_here_before_is_closed_and_asks_nothing(coze, alice, bob, tab):
    async with tab(bob) as page:
        await page.send("ping", user=alice.browser_key)
        await page.send(
            "turn.start", client_id=uuid.uuid4(), conversation=None, content="what only Alice may ask"
        )
        assert await page.close_code() == 4403
        assert page.seen == []
    # Time enough for a question that was let through behind the close.
    await asyncio.sleep(0.5)
    assert await database.run(Turn.objects.count) == 0


async def test_a_socket_whose_log_in_has_ended_does_nothing_more(coze, alice, tab):
    """Its close is on the way; a frame that crosses it comes too late."""
    async with tab(alice) as page:
        asked = await page.ask("count to 2000 slowly")
        await asked.words()
        turns.engine().news.login_ended(alice.pk, None)
        await page.send("turn.stop", turn=asked.turn)
        assert await page.close_code() == 4401
        await page.send("turn.stop", turn=asked.turn)
        await asyncio.sleep(0.5)
        assert await database.run(Turn.objects.running().count) == 1


async def test_a_key_that_nobody_has_is_nobodys(coze, alice, tab):
    for stranger in ("", "alice", alice.session_name, str(alice.pk)):
        async with tab(alice) as page:
            await page.send("ping", user=stranger)
            assert await page.close_code() == 4403


def test_the_page_carries_its_owners_key_and_nothing_else_that_names_the_owner(coze, alice, bob):
    keys = {}
    for user in (alice, bob):
        client = Client(HTTP_HOST="127.0.0.1")
        client.force_login(user)
        answers = [client.get("/") for _ in range(2)]
        [keys[user.username]] = {answer.context["page_config"]["user"] for answer in answers}
        assert user.session_name not in answers[0].content.decode()
    assert keys == {"alice": alice.browser_key, "bob": bob.browser_key}
