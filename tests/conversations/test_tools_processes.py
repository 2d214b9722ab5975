"""Tools and several real processes: steps are seen in each, and a process that dies with a tool leaves no second call."""

import os
import time

import pytest

from tests.processes import Site, http, site, tab_at
from tests.tabs import TERMINAL, Asked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]
HINTS = bool(os.environ.get("REDIS_URL"))
WITHIN = 30
_BARISTA = """
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant
default_assistant()
print(Assistant.objects.get(kind="bot").pk)
"""


def barista(site: Site) -> int:
    return int(site.run("manage.py", "shell", "-v0", "-c", _BARISTA).split()[-1])


async def steps_of(process, member, conversation):
    page = await http(process, member, f"/api/conversations/{conversation}/messages")
    answer = page["items"][-1]
    return answer["status"], [(step["tool"], step["status"]) for step in answer.get("steps", ())]


async def test_the_tabs_of_another_process_see_the_steps_too(tmp_path):
    with site(tmp_path) as two:
        home, other = two.start(), two.start()
        alice, bot = two.member(), barista(two)
        async with tab_at(home, alice) as here, tab_at(other, alice) as there:
            first = await here.ask("hello", assistant=bot)
            await first.end()
            await there.send("conversation.open", conversation=first.conversation)
            await there.until("conversation.state")
            asked = await here.ask("18 g of coffee, a slow roast", conversation=first.conversation)
            seen_there = Asked(there, asked.turn, asked.conversation, asked.client_id)
            await asked.end(timeout=60)
            await seen_there.end(timeout=60)

            assert seen_there.last == asked.last
            assert asked.last["steps"] == 2
            seen = {frame["step"]["id"] for frame in there.seen if frame["type"] == "turn.step"}
            if HINTS:
                assert len(seen) == 2
            assert await steps_of(other, alice, asked.conversation) == (
                "completed",
                [("slow_roast", "timed_out"), ("brew_ratio", "completed")],
            )


async def test_a_tool_whose_process_is_killed_is_not_invoked_again(tmp_path):
    with site(tmp_path) as two:
        home, other = two.start(), two.start()
        alice, bot = two.member(), barista(two)
        async with tab_at(home, alice) as here, tab_at(other, alice) as there:
            asked = await here.ask("a slow roast", assistant=bot)
            step = await here.until("turn.step", turn=asked.turn)
            assert step["step"]["status"] == "running"
            await there.send("conversation.open", conversation=asked.conversation)
            await there.until("conversation.state")
            home.kill()
            killed_at = time.monotonic()
            ended = await there.until(*TERMINAL, timeout=2 * WITHIN)

            assert ended["type"] == "turn.interrupted"
            assert time.monotonic() - killed_at < 2 * WITHIN
            assert await steps_of(other, alice, asked.conversation) == (
                "interrupted",
                [("slow_roast", "stopped")],
            )
        assert two.chats() == 1
        assert not [path for path in two.coze.ledger()["requests"] if "submit_tool_outputs" in path]
