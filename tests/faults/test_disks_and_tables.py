"""O7, O16: a site whose disk is full, and one whose tables change while it runs."""

import asyncio
import contextlib
import resource
import sqlite3
import uuid

import pytest

from tests.faults.site import Site
from tests.faults.steps import CHAT, requests_to

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def full_disk(site: Site):
    """No file of the site's grows any more; those that read and answer notice nothing."""
    _soft, hard = resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE, (hard, hard))


async def test_on_a_full_disk_a_question_is_refused_before_coze_is_asked(site):
    client_id = str(uuid.uuid4())
    async with site.tab("alice") as page:
        before = await page.start("count to 3")
        assert (await page.end(before["turn"]))["type"] == "turn.completed"
        asked = requests_to(site.coze, CHAT)
        with full_disk(site):
            refused = await page.start("count to 3", client_id=client_id)
            assert (refused["type"], refused["code"], refused["client_id"]) == ("error", "busy", client_id)
            assert await page.ping() < 1
            assert await site.status(f"/c/{before['conversation']}/") == 200
            assert requests_to(site.coze, CHAT) == asked
        again = await page.start("count to 3", client_id=client_id)
        assert again["type"] == "turn.accepted"
        assert (await page.end(again["turn"]))["type"] == "turn.completed"
    assert requests_to(site.coze, CHAT) == asked + 1


async def test_a_disk_that_fills_while_an_answer_grows_loses_no_word_of_it(site):
    async with site.tab("alice") as page:
        asked = await page.start("count to 150")
        await page.until("turn.delta", turn=asked["turn"])
        with full_disk(site):
            await asyncio.sleep(1.5)
        assert (await page.end(asked["turn"]))["type"] == "turn.completed"
        shown = page.text(asked["turn"])
        assert shown.rstrip().endswith("150")
        page.seen.clear()
        await page.send("turn.resume", turn=asked["turn"], seq=0)
        await page.end(asked["turn"])
        assert page.text(asked["turn"]) == shown


async def test_a_new_column_while_people_talk_is_no_error(site):
    async with site.tab("alice") as page, site.tab("bob") as bobs:
        asked = await page.start("count to 100")
        statuses: list[int] = []

        async def browse() -> None:
            for _each in range(15):
                statuses.append(await site.status("/api/conversations/"))
                statuses.append(await site.status(f"/c/{asked['conversation']}/"))

        browsing = asyncio.create_task(browse())
        await asyncio.sleep(0.1)
        await asyncio.to_thread(add_columns, site)
        other = await bobs.start("count to 3")
        assert (await bobs.end(other["turn"]))["type"] == "turn.completed"
        assert (await page.end(asked["turn"]))["type"] == "turn.completed"
        await browsing
    assert set(statuses) == {200}


def add_columns(site: Site) -> None:
    with contextlib.closing(sqlite3.connect(site.home / "db.sqlite3", timeout=20)) as connection:
        for table in ("conversations_conversation", "conversations_turn", "conversations_message"):
            connection.execute(f"ALTER TABLE {table} ADD COLUMN later varchar(20) NOT NULL DEFAULT ''")
        connection.commit()
