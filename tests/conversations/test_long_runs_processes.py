"""A process is killed in the middle of a long run: another one goes on looking, and the run is begun once."""

import asyncio
import signal

import pytest

from tests.processes import site, stored_answer, tab_at
from tests.tabs import TERMINAL, assemble

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]
ASSISTANT = """
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant
default_assistant()
print(Assistant.objects.get(name="Report").pk)
"""


async def begin(page, two, *, seconds):
    assistant = two.run("manage.py", "shell", "--verbosity=0", "-c", ASSISTANT).split()[-1]
    values = {"input": "count to 3", "seconds": seconds}
    return await page.ask("", assistant=assistant, parameters=values)


def starts(two):
    return sum(
        count for path, count in two.coze.ledger()["requests"].items() if path.endswith("/workflow/run")
    )


async def test_a_long_run_goes_on_in_another_process_when_its_own_is_killed(tmp_path):
    with site(tmp_path) as two:
        home, other = two.start(), two.start()
        alice, bob = two.member(), two.member()
        async with tab_at(home, alice) as here, tab_at(other, alice) as there, tab_at(other, bob) as bobs:
            asked = await begin(here, two, seconds=25)
            # The id is in the row as soon as a node is told of.
            step = await here.until("turn.step", turn=asked.turn)
            await there.send("conversation.open", conversation=asked.conversation)
            await there.until("turn.sync")
            home.kill()
            ended = await there.until(*TERMINAL, turn=asked.turn, timeout=90)
            assert ended["type"] == "turn.completed"
            whole = assemble(there.seen, asked.turn)
            assert whole == "Done, at last.\n\n1 2 3"
            assert await stored_answer(other, alice, asked.conversation) == ("completed", whole)
            assert starts(two) == 1
            steps = {each["step"]["id"] for each in there.seen if each["type"] == "turn.step"}
            assert step["step"]["id"] in steps
            await bobs.send("conversation.open", conversation=asked.conversation)
            assert (await bobs.until("error"))["code"] == "not_found"


async def test_the_restarted_process_looks_on_with_nobody_there(tmp_path):
    with site(tmp_path) as one:
        first, alice = one.start(), one.member()
        async with tab_at(first, alice) as here:
            asked = await begin(here, one, seconds=5)
            await here.until("turn.step", turn=asked.turn)
        first.kill()
        second = one.start()
        for _look in range(60):
            status, text = await stored_answer(second, alice, asked.conversation)
            if status not in ("created", "in_progress"):
                break
            await asyncio.sleep(1)
        assert (status, text) == ("completed", "Done, at last.\n\n1 2 3")
        assert starts(one) == 1


async def test_a_process_that_is_told_to_end_leaves_the_run_to_the_next(tmp_path):
    with site(tmp_path) as two:
        home, other = two.start(), two.start()
        alice = two.member()
        async with tab_at(home, alice) as here, tab_at(other, alice) as there:
            asked = await begin(here, two, seconds=30)
            await here.until("turn.step", turn=asked.turn)
            await there.send("conversation.open", conversation=asked.conversation)
            await there.until("turn.sync")
            home.signal(signal.SIGTERM)
            ended = await there.until(*TERMINAL, turn=asked.turn, timeout=90)
            assert ended["type"] == "turn.completed"
            assert starts(two) == 1
