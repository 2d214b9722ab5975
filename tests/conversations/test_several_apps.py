"""Two Coze apps on two hosts: each assistant talks through its own, and what happens to one leaves the other alone."""

import asyncio
import re

import pytest
from django.test import Client

from accounts.models import AccessToken
from cozechat import database
from cozechat.catalog.clients import coze_client
from cozechat.catalog.models import CozeApp
from tests.keys import app_at, rotating_coze


@pytest.fixture
def hosts(tmp_path, transactional_db, coze):
    with rotating_coze(tmp_path / "one") as one, rotating_coze(tmp_path / "two") as two:
        yield one, two


@pytest.fixture
def apps(hosts):
    return [app_at(running, name=name) for running, name in zip(hosts, ("One", "Two"), strict=True)]


def assistants_of(apps) -> list[int]:
    return [app.assistants.get().pk for app in apps]


async def chats(running) -> int:
    return sum((await asyncio.to_thread(running.ledger))["chats"].values())


async def test_each_assistant_talks_through_its_own_app(hosts, apps, alice, tab):
    one, two = await database.run(assistants_of, apps)
    async with tab(alice) as page:
        for assistant in (one, two, two):
            assert (await (await page.ask("hello", assistant=assistant)).end())["type"] == "turn.completed"
    assert [await chats(running) for running in hosts] == [1, 2]
    rows = [row async for row in AccessToken.objects.filter(user=alice).order_by("app__name")]
    assert [row.app_id for row in rows] == [app.pk for app in apps]
    assert rows[0].token != rows[1].token
    for running in hosts:
        assert set((await asyncio.to_thread(running.ledger))["exchanges"]) == {alice.session_name}


async def test_a_host_that_is_down_opens_its_own_circuit_alone(hosts, apps, alice, tab):
    one, two = await database.run(assistants_of, apps)
    await asyncio.to_thread(hosts[0].stop)
    async with tab(alice) as page:
        for _each in range(6):
            asked = await page.ask("hello", assistant=one)
            assert (await asked.end())["error"]["code"] == "unreachable"
        assert coze_client(apps[0]).is_refusing
        assert not coze_client(apps[1]).is_refusing
        assert (await (await page.ask("hello", assistant=two)).end())["type"] == "turn.completed"


async def test_an_app_that_moves_to_another_host_takes_no_token_along(hosts, apps, alice, tab):
    """A token of the old host is not shown to the new one, not even once."""
    one, _two = await database.run(assistants_of, apps)
    async with tab(alice) as page:
        assert (await (await page.ask("hello", assistant=one)).end())["type"] == "turn.completed"
        own = hosts[1].credentials
        await CozeApp.objects.filter(pk=apps[0].pk).aupdate(
            base_url=hosts[1].base_url,
            client_id=own.client_id,
            public_key_id=own.public_key_id,
            private_key=own.private_key,
        )
        assert (await (await page.ask("hello", assistant=one)).end())["type"] == "turn.completed"
    ledger = await asyncio.to_thread(hosts[1].ledger)
    assert ledger["refusals"] == {}
    assert ledger["exchanges"] == {alice.session_name: 1}


async def test_an_app_that_is_switched_off_offers_nothing_and_says_so(hosts, apps, alice, tab):
    one, two = await database.run(assistants_of, apps)
    async with tab(alice) as page:
        first = await page.ask("hello", assistant=one)
        await first.end()
        await CozeApp.objects.filter(pk=apps[0].pk).aupdate(is_active=False)
        await page.send("turn.start", client_id="5b7b6a3e-6e29-4a8a-9a40-5f6d3d2f3a11", content="hello",
                        conversation=None, assistant=one)  # fmt: skip
        refused = await page.until("error", "turn.accepted")
        assert refused["type"] == "error"
        await page.send("turn.start", client_id="5b7b6a3e-6e29-4a8a-9a40-5f6d3d2f3a12", content="hello",
                        conversation=first.conversation)  # fmt: skip
        refused = await page.until("error", "turn.accepted")
        assert (refused["type"], refused["code"]) == ("error", "not_found")
        assert refused["message"] == "This assistant is not available any more."
        await page.send("conversation.open", conversation=first.conversation)
        assert (await page.until("conversation.state"))["available"] is False
    assert await chats(hosts[0]) == 1

    page, shown = await database.run(pages_of, alice, "/", f"/c/{first.conversation}/")
    assert f"assistant={one}" not in page
    assert f"assistant={two}" in page
    assert f"assistant={two}" in shown
    assert 'id="assistant-off" role="status" hidden' in flat(page)
    assert 'id="assistant-off" role="status" >' in flat(shown)


def pages_of(user, *paths: str) -> list[str]:
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return [client.get(path).content.decode() for path in paths]


def flat(page: str) -> str:
    return re.sub(r"\s+", " ", page)
