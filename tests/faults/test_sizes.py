"""U13, U14, U15: answers that are far too much. Memory stays small, and so do frames and writes."""

import asyncio
import gzip
import json
import sys
import threading

import pytest
from django.db import connections

from cozechat import database
from tests.coze.wire import COMPLETED, CREATED, DONE, STREAM_HEAD, Script, chunked, delta, stub
from tests.faults.steps import CHAT, Stopwatch, on_every_database_thread, raw_coze, stored_answer

MIB = 1024 * 1024
ENDLESS = [b"x" * MIB] * 100


def bomb() -> Script:
    head = STREAM_HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n"
    return [head, gzip.compress(delta("0" * 100 * MIB), compresslevel=1)]


async def swallow(script: Script) -> dict:
    async with stub(script) as raw:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.swallow", raw.base_url, stdout=asyncio.subprocess.PIPE
        )
        out, _err = await child.communicate()
    return json.loads(out)


@pytest.mark.parametrize(
    ("script", "error", "length"),
    [
        (chunked(CREATED, delta("x" * MIB), COMPLETED, DONE), "", MIB),
        (chunked(CREATED, b"event: conversation.message.delta\ndata: ", *ENDLESS), "TooLarge", 0),
        (chunked(CREATED, *[b"data: " + b"x" * MIB + b"\n"] * 100), "TooLarge", 0),
        (chunked(CREATED, *[delta("x" * MIB)] * 100), "TooLarge", None),
        (bomb(), "BadResponse", 0),
    ],
    ids=["a megabyte", "an endless line", "an endless event", "an endless answer", "a gzip bomb"],
)
async def test_whatever_the_size_memory_grows_by_30_mib_at_most(script, error, length):
    read = await swallow(script)
    assert read["error"] == error
    assert length is None or read["length"] == length
    assert read["grown"] < 30


async def test_an_answer_that_is_too_large_fails_in_words_and_what_came_is_kept(coze, alice, tab, settings):
    async with (
        raw_coze(settings, chunked(CREATED, delta("So far."), b"data: ", *[b"x" * MIB] * 6)),
        tab(alice) as page,
    ):
        asked = await page.say("hello")
    told = asked.last["error"]
    assert (asked.last["type"], told["code"], told["retryable"]) == ("turn.failed", "bad_response", False)
    assert asked.text == await database.run(stored_answer, asked.turn) == "So far."


class Writes:
    """Counts what all database threads write."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def __call__(self, execute, sql, params, many, context):
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            with self._lock:
                self.count += 1
        return execute(sql, params, many, context)


async def test_a_hundred_thousand_deltas_are_one_answer_in_few_frames_and_few_writes(coze, alice, tab):
    coze.arm("many-deltas", path=CHAT, count=100_000)
    writes = Writes()
    await on_every_database_thread(lambda: connections["default"].execute_wrappers.append(writes))
    try:
        async with tab(alice) as page:
            watch = Stopwatch()
            asked = await page.say("count")
            took = watch.seconds
    finally:
        await on_every_database_thread(connections["default"].execute_wrappers.clear)
    frames = [frame for frame in page.seen if frame["type"] in ("turn.delta", "turn.html", "turn.sync")]
    whole = "".join(f"{number} " for number in range(1, 100_001))
    assert asked.last["type"] == "turn.completed"
    assert asked.text == await database.run(stored_answer, asked.turn) == whole
    assert took < 20
    assert 0 < writes.count <= 400
    assert len(frames) <= 3_000
