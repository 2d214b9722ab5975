"""Redis goes away and comes back, between two real processes: no socket closes, and no word is lost."""

import asyncio
import re
import time
from collections.abc import Iterator

import pytest

from tests.private_redis import Redis, private_redis
from tests.processes import site, stored_answer, tab_at
from tests.tabs import TERMINAL, assemble

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]
# A tab in another process is behind by no more than this without hints (seconds).
STALE = 4.0


@pytest.fixture
def redis() -> Iterator[Redis]:
    with private_redis() as server:
        yield server


class Watcher:
    """Reads a tab for as long as a turn runs, and remembers when it knew how much."""

    def __init__(self, tab, turn: str) -> None:
        self.tab, self.turn = tab, turn
        self.deltas = 0

    async def read(self, *, until: str = "") -> None:
        """Until the end, or until the text has this word."""
        while True:
            frame = await self.tab.frame()
            if frame.get("turn") != self.turn:
                continue
            self.deltas += frame["type"] == "turn.delta"
            if frame["type"] in TERMINAL or (until and until in re.findall(r"\d+", self.text)):
                return

    @property
    def text(self) -> str:
        return assemble(self.tab.seen, self.turn)


async def watched(home, other):
    asked = await home.ask("count to 300")
    await other.send("conversation.open", conversation=asked.conversation)
    await other.until("conversation.state")
    return asked, Watcher(home, asked.turn), Watcher(other, asked.turn)


async def test_redis_may_forget_everything_die_and_come_back_in_the_middle_of_answers(redis, tmp_path):
    with site(tmp_path, redis_url=redis.url) as two:
        home, other, alice = two.start(), two.start(), two.member()
        async with tab_at(home, alice) as here, tab_at(other, alice) as there:
            asked, at_home, elsewhere = await watched(here, there)
            await asyncio.gather(at_home.read(until="30"), elsewhere.read(until="30"))
            assert elsewhere.deltas > 10

            assert redis.say("FLUSHALL").startswith(b"+OK")
            before = elsewhere.deltas
            await asyncio.gather(at_home.read(until="60"), elsewhere.read(until="60"))
            assert elsewhere.deltas > before + 10

            redis.kill()
            await at_home.read(until="100")
            lag = time.monotonic()
            await elsewhere.read(until="100")
            assert time.monotonic() - lag < STALE
            # Whoever comes now is let in, and served.
            async with tab_at(other, alice) as late:
                await late.send("turn.resume", turn=asked.turn, seq=0)
                await late.until("turn.sync")
            await at_home.read()
            lag = time.monotonic()
            await elsewhere.read()
            assert time.monotonic() - lag < STALE
            assert elsewhere.text == at_home.text
            assert await stored_answer(other, alice, asked.conversation) == ("completed", at_home.text)

            # A question asked here while Redis is away reaches the other process, too, and can be stopped there.
            asked = await here.ask("count to 300 slowly", conversation=asked.conversation)
            started = await there.until("turn.started", timeout=STALE)
            assert started["turn"] == asked.turn
            await there.send("turn.stop", turn=asked.turn)
            assert (await asked.end(timeout=STALE))["type"] == "turn.canceled"
            assert (await there.until(*TERMINAL, timeout=STALE))["type"] == "turn.canceled"

            redis.start()
            await asyncio.sleep(3)
            asked, at_home, elsewhere = await watched(here, there)
            await asyncio.gather(at_home.read(until="60"), elsewhere.read(until="60"))
            assert elsewhere.deltas > 20
            await there.send("turn.stop", turn=asked.turn)
            await asyncio.gather(at_home.read(), elsewhere.read())
            assert elsewhere.text == at_home.text
        assert two.chats() == 3
        for process in two.processes:
            assert process.log.count("no word to other processes") <= 3
            assert "Traceback" not in process.log
