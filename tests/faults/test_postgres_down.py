"""O5, O16: PostgreSQL goes away and comes back, and gets new columns, while people talk."""

import asyncio
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.faults.postgres import Postgres, private_postgres
from tests.faults.site import Site
from tests.faults.steps import CHAT, Stopwatch, requests_to

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with private_postgres() as running:
        yield running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Site]:
    running = Site(tmp_path_factory.mktemp("site"), database=postgres.url)
    yield running
    running.stop()


def add_columns(url: str) -> None:
    with psycopg.connect(url) as connection:
        for table in ("conversations_conversation", "conversations_turn", "conversations_message"):
            connection.execute(f"ALTER TABLE {table} ADD COLUMN later varchar(20) NOT NULL DEFAULT ''")


async def test_a_new_column_while_people_talk_is_no_error(site, postgres):
    async with site.tab("alice") as page, site.tab("bob") as bobs:
        asked = await page.start("count to 100")
        statuses: list[int] = []

        async def browse() -> None:
            for _each in range(15):
                statuses.append(await site.status("/api/conversations/"))
                statuses.append(await site.status(f"/c/{asked['conversation']}/"))

        browsing = asyncio.create_task(browse())
        await asyncio.sleep(0.1)
        await asyncio.to_thread(add_columns, postgres.url)
        other = await bobs.start("count to 3")
        assert (await bobs.end(other["turn"]))["type"] == "turn.completed"
        assert (await page.end(asked["turn"]))["type"] == "turn.completed"
        await browsing
    assert set(statuses) == {200}


async def test_without_its_database_the_site_refuses_in_time_and_a_running_answer_loses_no_word(
    site, postgres
):
    client_id = str(uuid.uuid4())
    async with site.tab("alice") as page, site.tab("bob") as bobs:
        running = await page.start("count to 450")
        await page.until("turn.delta", turn=running["turn"])
        asked = requests_to(site.coze, CHAT)
        await asyncio.to_thread(postgres.stop)
        try:
            watch = Stopwatch()
            refused = await bobs.start("count to 3", client_id=client_id)
            assert watch.seconds < 8
            assert (refused["type"], refused["code"], refused["client_id"]) == ("error", "busy", client_id)
            assert await bobs.ping() < 1
        finally:
            await asyncio.to_thread(postgres.start)
        assert requests_to(site.coze, CHAT) == asked

        statuses = [await site.status("/api/conversations/", name="bob") for _each in range(6)]
        assert sum(status != 200 for status in statuses) <= 2
        assert statuses[-1] == 200
        again = await bobs.start("count to 3", client_id=client_id)
        assert again["type"] == "turn.accepted"
        assert (await bobs.end(again["turn"]))["type"] == "turn.completed"

        assert (await page.end(running["turn"]))["type"] == "turn.completed"
        shown = page.text(running["turn"])
        assert shown.rstrip().endswith("450")
        page.seen.clear()
        await page.send("turn.resume", turn=running["turn"], seq=0)
        await page.end(running["turn"])
        assert page.text(running["turn"]) == shown
