"""Two real processes on one database: a tab may be in either, wherever its answer runs.

On SQLite there is no Redis: what is true in moments with hints is true within seconds without them.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.processes import Site, http, site, stored_answer, tab_at
from tests.tabs import TERMINAL, Asked, assemble

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]
HINTS = bool(os.environ.get("REDIS_URL"))
# What a tab in another process may be late by (seconds).
SOON = 1.0 if HINTS else 4.0


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("two")) as made:
        made.start()
        made.start()
        yield made


@pytest.fixture(autouse=True)
def _faultless(two: Site) -> Iterator[None]:
    two.coze.reset_ledger()
    yield
    two.coze.disarm()


async def shown(tab, conversation: str) -> dict:
    await tab.send("conversation.open", conversation=conversation)
    return await tab.until("conversation.state")


def deltas(tab, turn: str) -> dict[int, str]:
    return {
        frame["seq"]: frame["content"]
        for frame in tab.seen
        if frame["type"] == "turn.delta" and frame["turn"] == turn
    }


async def further(tab) -> list[str]:
    """What kinds of frames still come."""
    kinds = []
    with suppress(TimeoutError):
        while True:
            kinds.append((await tab.frame(timeout=0.5))["type"])
    return kinds


async def test_an_answer_grows_in_the_tabs_of_another_process_too(two):
    alice = two.member()
    home, other = two.processes[:2]
    async with tab_at(home, alice) as here, tab_at(other, alice) as there:
        first = await here.say("count to 3")
        await shown(there, first.conversation)
        asked = await here.ask("count to 80", conversation=first.conversation)
        started = await there.until("turn.started")
        assert started["turn"] == asked.turn
        assert started["question"]["content"] == "count to 80"
        seen_there = Asked(there, asked.turn, asked.conversation, asked.client_id)
        await asyncio.gather(asked.end(), seen_there.end())
        assert seen_there.last == asked.last
        assert seen_there.text == asked.text
        at_home, elsewhere = deltas(here, asked.turn), deltas(there, asked.turn)
        assert elsewhere.items() <= at_home.items()
        if HINTS:
            assert len(elsewhere) > len(at_home) * 0.9
    assert two.chats() == 2


async def test_with_hints_words_reach_another_process_at_once(two):
    if not HINTS:
        pytest.skip("without Redis they come once a second")
    alice = two.member()
    home, other = two.processes[:2]
    async with tab_at(home, alice) as here, tab_at(other, alice) as there:
        asked = await here.ask("count to 80")
        await shown(there, asked.conversation)
        came: dict[tuple, dict[int, float]] = {}

        async def read(tab) -> None:
            while (frame := await tab.frame())["type"] not in TERMINAL:
                if frame["type"] == "turn.delta":
                    came.setdefault(tab, {})[frame["seq"]] = time.monotonic()

        await asyncio.gather(read(here), read(there))
        late = sorted(at - came[here][seq] for seq, at in came[there].items())
        assert len(late) > 20
        assert late[len(late) // 2] < 0.1


async def test_a_tab_that_comes_back_to_another_process_has_the_whole_answer_and_its_end(two):
    alice = two.member()
    home, other = two.processes[:2]
    async with tab_at(home, alice) as here:
        asked = await here.ask("count to 80")
        await asked.words()
        await asyncio.sleep(0.5)
        seq = here.seen[-1].get("seq", 0)
    for process in (other, home, other):
        async with tab_at(process, alice) as back:
            await back.send("turn.resume", turn=asked.turn, seq=seq)
            await back.until("turn.sync")
            await asyncio.sleep(0.3)
    async with tab_at(other, alice) as back:
        state = await shown(back, asked.conversation)
        assert state["turn"] == asked.turn
        asked.tab = back
        assert (await asked.end())["type"] == "turn.completed"
        assert await stored_answer(home, alice, asked.conversation) == ("completed", asked.text)
        assert asked.text.split()[-1].startswith("80")
    assert two.chats() == 1


async def test_stop_ends_an_answer_of_another_process(two):
    alice = two.member()
    home, other = two.processes[:2]
    async with tab_at(home, alice) as here, tab_at(other, alice) as there:
        asked = await here.ask("count to 300 slowly")
        await asked.words()
        await asyncio.sleep(1.2)
        await shown(there, asked.conversation)
        before = time.monotonic()
        await there.send("turn.stop", turn=asked.turn)
        assert (await there.until(*TERMINAL))["type"] == "turn.canceled"
        assert (await asked.end())["type"] == "turn.canceled"
        assert time.monotonic() - before < (1.0 if HINTS else 2.5)
        text = assemble(there.seen, asked.turn)
        assert text == asked.text != ""
        assert await stored_answer(other, alice, asked.conversation) == ("canceled", text)
        # It has ended: whoever stops it once more is told so, and nobody else.
        await here.send("turn.stop", turn=asked.turn)
        assert "turn.canceled" in await further(here)
        assert "turn.canceled" not in await further(there)
    assert two.chats() == 1


async def test_bob_reaches_nothing_of_alice_in_another_process(two):
    alice, bob = two.member(), two.member()
    home, other = two.processes[:2]
    async with tab_at(home, alice) as alices, tab_at(other, bob) as bobs:
        asked = await alices.ask("count to 60")
        await asked.words()
        for frame in (
            {"kind": "conversation.open", "conversation": asked.conversation},
            {"kind": "turn.resume", "turn": asked.turn, "seq": 0},
            {"kind": "turn.stop", "turn": asked.turn},
        ):
            await bobs.send(**frame)
            assert (await bobs.until("error"))["code"] == "not_found"
        assert (await asked.end())["type"] == "turn.completed"
        assert await bobs.quiet(seconds=1.5)
        assert {frame["type"] for frame in bobs.seen} == {"error"}


async def test_titles_and_deletions_reach_the_tabs_of_another_process(two):
    if not HINTS:
        pytest.skip("without Redis a tab learns of them when it opens the conversation")
    alice = two.member()
    home, other = two.processes[:2]
    async with tab_at(home, alice) as here, tab_at(other, alice) as there:
        asked = await here.say("count to 3")
        await shown(there, asked.conversation)
        path = f"/api/conversations/{asked.conversation}/"
        await http(home, alice, path, method="PATCH", body={"title": "Numbers"})
        while (await there.until("conversation.updated", timeout=SOON))["conversation"]["title"] != "Numbers":
            pass
        await http(other, alice, path, method="DELETE")
        assert (await here.until("conversation.deleted", timeout=SOON))["conversation"] == asked.conversation


async def test_deleting_in_another_process_ends_the_answer(two):
    alice = two.member()
    home, other = two.processes[:2]
    async with tab_at(home, alice) as here:
        asked = await here.ask("count to 300 slowly")
        await asked.words()
        await http(other, alice, f"/api/conversations/{asked.conversation}/", method="DELETE")
        await asyncio.sleep(3)
        assert two.coze.ledger()["abandoned"] == 1
        await here.send("conversation.open", conversation=asked.conversation)
        assert (await here.until("error"))["code"] == "not_found"


async def test_a_log_out_in_another_process_closes_the_socket(two):
    if not HINTS:
        pytest.skip("without Redis the process looks again within 30 s")
    alice, bob = two.member(), two.member()
    home, other = two.processes[:2]
    async with tab_at(home, alice) as alices, tab_at(home, bob) as bobs:
        before = time.monotonic()
        await http(other, alice, "/accounts/logout/", method="POST", body={})
        assert await alices.close_code() == 4401
        assert time.monotonic() - before < 2
        await bobs.send("ping")
        assert (await bobs.frame())["type"] == "pong"


async def test_an_account_that_a_command_switches_off_is_signed_out_everywhere(two):
    if not HINTS:
        pytest.skip("without Redis the process looks again within 30 s")
    alice = two.member()
    off = f"""
from accounts.models import User
user = User.objects.get(username={alice["name"]!r})
user.is_active = False
user.save()
"""
    async with tab_at(two.processes[0], alice) as here, tab_at(two.processes[1], alice) as there:
        await asyncio.to_thread(two.run, "manage.py", "shell", "-v", "0", "-c", off)
        assert await here.close_code(timeout=2) == 4401
        assert await there.close_code(timeout=2) == 4401


@pytest.mark.slow
async def test_an_owner_that_slept_too_long_writes_nothing_when_it_wakes(two):
    alice = two.member()
    sleeper, other = two.start(), two.processes[1]
    async with tab_at(sleeper, alice) as here, tab_at(other, alice) as there:
        asked = await here.ask("count to 80")
        await asked.words()
        await shown(there, asked.conversation)
        await asyncio.sleep(0.5)
        sleeper.signal(signal.SIGSTOP)
        try:
            ended = await there.until(*TERMINAL, timeout=30)
            assert ended["type"] == "turn.completed"
            whole = assemble(there.seen, asked.turn)
        finally:
            await asyncio.sleep(2)
            sleeper.signal(signal.SIGCONT)
        assert (await asked.end())["type"] == "turn.completed"
        assert asked.text == whole
        await asyncio.sleep(3)
        assert await stored_answer(other, alice, asked.conversation) == ("completed", whole)
        assert not TERMINAL & set(await further(there))
    assert two.chats() == 1
