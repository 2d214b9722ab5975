"""What the log of a whole site says while people talk and things fail: whose line it is, and no word of what was said."""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.site import Site

MARK = "zanzibar-marmalade-7431"
_SECRETS = re.compile(r"czs_|eyJ|PRIVATE KEY|Bearer (?!\[redacted\])")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "LOG_LEVEL", "DEBUG")
        patch.setitem(os.environ, "LOG_FORMAT", "json")
        made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.stop()


def lines_of(site: Site) -> list[dict[str, Any]]:
    return [json.loads(line) for line in site.log.read_text().splitlines() if line.startswith("{")]


async def talk(site: Site, name: str, *, times: int = 3) -> set[str]:
    """A few questions, all with the mark; returns their turns."""
    turns, conversation = set(), None
    async with site.tab(name) as tab:
        for number in range(times):
            accepted = await tab.start(f"{MARK}-{name} {number}", conversation=conversation)
            conversation = accepted["conversation"]
            turns.add(accepted["turn"])
            await tab.end(accepted["turn"])
    return turns


async def test_two_people_talk_at_once_and_no_line_mixes_their_ids(site):
    alices, bobs = await asyncio.gather(talk(site, "alice"), talk(site, "bob"))
    user_of: dict[str, set[Any]] = {"alice": set(), "bob": set()}
    for line in lines_of(site):
        turn = line.get("turn_id")
        if turn in alices | bobs:
            user_of["alice" if turn in alices else "bob"].add(line.get("user_id"))
            assert "request_id" not in line
            assert "socket_id" not in line
    assert len(user_of["alice"]) == len(user_of["bob"]) == 1
    assert user_of["alice"] != user_of["bob"]


async def test_each_call_to_coze_has_a_line_with_numbers_and_a_log_id(site):
    turns = await talk(site, "alice", times=1)
    calls = [
        line for line in lines_of(site) if line["logger"] == "cozechat.coze" and line.get("turn_id") in turns
    ]
    (chat,) = [line for line in calls if line["path"] == "/v1/workflows/chat"]
    assert chat["log_id"]
    assert (chat["method"], chat["status"]) == ("POST", 200)
    assert 0 < chat["first_ms"] <= chat["ms"]
    assert chat["sent"] > 50
    assert chat["received"] > 200


async def test_a_failed_turn_is_one_line_that_says_why_with_all_ids(site):
    site.coze.arm("json-error", path="/v1/workflows/chat", code=4028)
    (turn,) = await talk(site, "alice", times=1)
    site.coze.disarm()
    told = [
        line
        for line in lines_of(site)
        if line.get("turn_id") == turn and line["level"] not in ("debug", "info")
    ]
    (line,) = told
    assert line["event"].startswith(f"turn {turn} failed: quota")
    assert line["log_id"]
    assert line["log_id"] in line["event"]
    assert line["conversation_id"]
    assert "exception" not in line


async def test_pages_name_who_asked(site):
    assert await site.status("/", name="alice") == 200
    for _each in range(100):
        told = [
            line for line in lines_of(site) if line["logger"] == "cozechat.access" and line.get("path") == "/"
        ]
        if told:
            break
        await asyncio.sleep(0.05)  # the line comes after the answer
    assert told[-1]["status"] == 200
    assert told[-1]["user_id"]


async def test_nothing_that_was_said_and_no_secret_is_in_the_whole_output(site):
    for fault in ("html-502", "token-invalid", "one-byte-writes", "follow-ups"):
        site.coze.arm(fault, times=1)
        await talk(site, "alice", times=1)
        site.coze.disarm()
    await site.status(f"/?q={MARK}", name="alice")
    async with site.tab("alice") as tab:
        await tab.connection.send(f'{{"type": "turn.start", "content": "{MARK}')
        await tab.send(f"{MARK}.x", content=MARK)
        await tab.ping()
    said = site.log.read_text()
    assert '"level":"debug"' in said
    assert MARK not in said
    assert "zanzibar" not in said
    assert not _SECRETS.search(said)
    assert not [key for key in site.log_ins.values() if key in said]
