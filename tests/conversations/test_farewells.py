"""A deleted account leaves nothing behind, here or at Coze."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from conversations import turns
from conversations.models import Conversation, CozeLeftover
from cozechat import database
from cozechat.catalog.clients import coze_client
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.coze.errors import ConversationNotFound
from cozechat.coze.types import Caller
from tests.conversations.metering_steps import ask, discord, give, set_price, states


async def caller_for(app: CozeApp, session_name: str) -> Caller:
    issued = await coze_client(app).exchange(session_name=session_name, ttl=900)
    return Caller(token=issued.token, session_name=session_name)


def delete_in_the_admin(user: User) -> None:
    User.objects.create_superuser("root", "root@example.com", "x")
    client = Client()
    client.force_login(User.objects.get(username="root"))
    assert client.post(f"/admin/accounts/user/{user.pk}/delete/", {"post": "yes"}).status_code == 302


async def gone_at_coze(app: CozeApp, session_name: str, coze_id: str) -> bool:
    try:
        await coze_client(app).retrieve_conversation(await caller_for(app, session_name), coze_id)
    except ConversationNotFound:
        return True
    return False


async def test_a_deleted_accounts_conversations_are_deleted_at_coze(coze, alice, bob, tab):
    async with tab(alice) as alices, tab(bob) as bobs:
        await asyncio.gather(alices.say("hello"), bobs.say("hello"))
    app = await database.run(CozeApp.objects.get)
    ids = await database.run(
        lambda: dict(Conversation.objects.values_list("owner__username", "coze_conversation_id"))
    )
    assert not await gone_at_coze(app, alice.session_name, ids["alice"])

    await database.run(delete_in_the_admin, alice)
    turns.engine().mirror.wake()
    await turns.engine().mirror.work()

    assert await gone_at_coze(app, alice.session_name, ids["alice"])
    assert not await gone_at_coze(app, bob.session_name, ids["bob"])
    assert not await database.run(CozeLeftover.objects.exists)


async def test_what_cannot_be_deleted_now_is_deleted_later(coze, alice, tab):
    async with tab(alice) as page:
        await page.say("hello")
    coze.arm("html-502", path="/v1/conversations", times=1)
    await database.run(alice.delete)
    await turns.engine().mirror.work()
    left = await database.run(CozeLeftover.objects.count)

    turns.engine().mirror.wake()
    await turns.engine().mirror.work()
    assert (left, await database.run(CozeLeftover.objects.count)) == (1, 0)


def deleted_where_coze_refuses(owner: User, *, count: int) -> None:
    broken = CozeApp.objects.create(
        name="broken", base_url="http://127.0.0.1:1", client_id="x", public_key_id="y"
    )
    ids = {"workflow_id": "7001", "coze_app_id": "7002"}
    assistant = Assistant.objects.create(app=broken, name="Broken", position=999, **ids)
    for number in range(count):
        Conversation.objects.create(
            owner=owner, assistant=assistant, coze_conversation_id=f"80{number:02}", deleted_at=timezone.now()
        )


async def test_what_coze_refuses_to_delete_keeps_nothing_else_waiting(coze, alice, bob, tab):
    await database.run(deleted_where_coze_refuses, bob, count=45)
    async with tab(alice) as page:
        await page.say("hello")
    mine = await database.run(lambda: Conversation.objects.get(owner=alice))
    await database.run(turns.delete_conversation, alice, conversation_id=mine.pk)

    for _round in range(4):
        turns.engine().mirror.wake()
        await turns.engine().mirror.work()

    assert not await database.run(Conversation.objects.filter(pk=mine.pk).exists)
    assert await gone_at_coze(
        await database.run(CozeApp.objects.exclude(name="broken").get),
        alice.session_name,
        mine.coze_conversation_id,
    )


@pytest.mark.django_db
def test_an_account_that_never_spoke_leaves_nothing_to_do():
    User.objects.create_user("carol").delete()
    assert not CozeLeftover.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_account_is_deleted_while_its_owner_asks_for_a_price(coze, alice, settings):
    """The question holds its conversation and wants the account; the deletion wants both."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer")
    settings.CHARGE_CHAT = True
    set_price()
    give("alice")
    ask(alice)
    quiet = Conversation.objects.create(owner=alice, assistant=Conversation.objects.get().assistant)
    with ThreadPoolExecutor() as threads:
        with transaction.atomic():
            User.objects.select_for_update().get(pk=alice.pk)
            works = []
            for act in (lambda: ask(alice, conversation=quiet.pk), alice.delete):
                works.append(threads.submit(alone, act))
                wait_for_waiting(len(works))
        for work in works:
            work.result(timeout=30)
    assert not User.objects.filter(pk=alice.pk).exists()
    assert (Conversation.objects.count(), states(), discord()) == (0, ["released", "released"], [])


def alone(act):
    """On a thread of a test, whose connection nobody else closes."""
    try:
        return act()
    finally:
        connection.close()


def wait_for_waiting(count: int) -> None:
    """Until so many others of this database wait for a lock."""
    for _look in range(600):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0] == count:
                return
        time.sleep(0.05)
    raise AssertionError("nobody waits")
