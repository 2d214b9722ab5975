"""What a question came to is written once, though the process that asked is killed; its owner hears of it everywhere."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Site, site, tab_at

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
WITHIN = 40
_PREPARE = """
from tests.conversations.metering_steps import CREDIT, give, set_price
set_price(input_price=1000, output_price=2000, per_call=0)
for name in {names!r}:
    give(name, limit=50 * CREDIT)
"""
_BOOKS = """
import json
from django.utils import timezone
from cozechat.usage.reconciling import reconcile
from tests.conversations.metering_steps import balance, discord, records, states
reconcile(now=timezone.now())
rows = [[row.status, row.usage_source, row.cost, row.output_tokens, row.origin] for row in records({name!r})]
print(json.dumps([rows, states(), list(balance({name!r})), discord()]))
"""


@contextmanager
def paid_site(directory: Path) -> Iterator[Site]:
    """Each token that is written costs two nano-credits."""
    with site(directory) as made:
        made.environment["CHARGE_CHAT"] = "on"
        yield made


def prepare(made: Site, *people: dict[str, str]) -> None:
    made.run("manage.py", "shell", "-v", "0", "-c", _PREPARE.format(names=[each["name"] for each in people]))


def books(made: Site, person: dict[str, str]) -> Any:
    """Records, states of all holds, balance, and where the books do not agree; whatever is reconciled changes nothing."""
    said = made.run("manage.py", "shell", "-v", "0", "-c", _BOOKS.format(name=person["name"]))
    return json.loads(said.splitlines()[-1])


async def test_a_killed_processes_answer_is_recorded_and_settled_once_by_another(tmp_path: Path) -> None:
    with paid_site(tmp_path) as two:
        home, other = two.start(), two.start()
        alice, bob = two.member(), two.member()
        prepare(two, alice, bob)
        async with tab_at(home, alice) as here, tab_at(other, alice) as there, tab_at(other, bob) as bobs:
            asked = await here.ask("count to 80")
            await asked.words()
            await there.send("conversation.open", conversation=asked.conversation)
            await there.until("turn.sync")
            home.kill()
            ended = await there.until("turn.completed", turn=asked.turn, timeout=WITHIN)
            told = await there.until("usage.updated")
            assert told["quota"]["limit"] == "50.00"
            rows, holds, balance, discord = books(two, alice)
            assert discord == []
            assert holds == ["settled"]
            [[status, source, cost, output, origin]] = rows
            assert (status, source, origin) == ("completed", "upstream", "chat")
            assert output == ended["usage"]["output_tokens"] >= 80
            assert cost == ended["usage"]["input_tokens"] + 2 * output
            assert balance == [100 * 10**9 - cost, 0, 0]
            assert await bobs.quiet()
            assert not [frame for frame in bobs.seen if frame["type"] == "usage.updated"]
        assert two.chats() == 1


async def test_a_tab_in_another_process_hears_what_is_left(tmp_path: Path) -> None:
    with paid_site(tmp_path) as two:
        home, other = two.start(), two.start()
        alice, bob = two.member(), two.member()
        prepare(two, alice, bob)
        async with tab_at(home, alice) as here, tab_at(other, alice) as there, tab_at(other, bob) as bobs:
            asked = await here.say("count to 5")
            if not two.has_redis:
                # Nothing but the rows tells the other process, and it reads those of what it follows.
                await there.send("conversation.open", conversation=asked.conversation)
                await here.say("count to 6", conversation=asked.conversation)
            told = await here.until("usage.updated")
            assert (await there.until("usage.updated"))["quota"]["limit"] == told["quota"]["limit"]
            until = time.monotonic() + 2
            while time.monotonic() < until:
                assert await bobs.quiet()
        assert not [frame for frame in bobs.seen if frame["type"] == "usage.updated"]
