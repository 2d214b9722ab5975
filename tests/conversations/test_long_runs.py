"""Long runs: begun once, looked up until they end; stopped, too long, looked up again; and not by somebody else."""

import asyncio

import pytest

from conversations import turns
from conversations.models import Turn
from conversations.turns.processes import orphans
from cozechat import database
from cozechat.usage.models import UsageRecord
from tests.conversations import runs


@pytest.fixture(autouse=True)
def quick_polls(settings):
    settings.TURN_POLL_SECONDS = 0.1


async def begin(page, *, seconds, conversation=None):
    assistant = await database.run(runs.named, "Report")
    values = {"input": "count to 3", "seconds": seconds}
    return await page.ask("", assistant=assistant, parameters=values, conversation=conversation)


async def known_to_coze(turn):
    """Wait until the run has its id in the row."""
    for _look in range(200):
        stored = await database.run(runs.stored, turn)
        if stored.execute_id:
            return stored
        await asyncio.sleep(0.05)
    raise AssertionError("no execute_id came")


def starts(coze):
    return sum(count for path, count in coze.ledger()["requests"].items() if path.endswith("/workflow/run"))


async def test_a_long_run_is_begun_once_and_looked_up(coze, alice, tab):
    async with tab(alice) as page:
        asked = await begin(page, seconds=1)
        stored = await known_to_coze(asked.turn)
        assert stored.status == "in_progress"
        await asked.end()
    assert asked.last["type"] == "turn.completed"
    assert asked.text == "Done, at last.\n\n1 2 3"
    assert asked.last["run"] == {"execute_id": stored.execute_id, "look_up": False}
    assert starts(coze) == 1
    record = await database.run(UsageRecord.objects.get)
    assert (record.kind, record.execute_id) == ("long_workflow_run", stored.execute_id)


async def test_its_nodes_are_told_as_they_come(coze, alice, tab):
    async with tab(alice) as page:
        asked = await begin(page, seconds=2)
        await asked.end()
    steps = [each["step"] for each in page.seen if each["type"] == "turn.step"]
    told = [(step["title"], step["status"]) for step in steps]
    assert told.index(("Research", "running")) < told.index(("Research", "completed"))
    assert told.index(("Write", "running")) < told.index(("End", "completed"))


async def test_one_that_fails_at_coze_has_a_name(coze, alice, tab):
    coze.arm("run-failed", times=1)
    async with tab(alice) as page:
        asked = await begin(page, seconds=0.3)
        await asked.end()
    assert asked.last["type"] == "turn.failed"
    assert asked.last["error"]["code"] == "upstream_error"


async def test_polls_that_fail_for_a_while_do_not_end_it(coze, alice, tab):
    coze.arm("html-502", times=3, path="/v1/workflows/")
    async with tab(alice) as page:
        asked = await begin(page, seconds=0.5)
        await asked.end()
    assert asked.last["type"] == "turn.completed"


async def test_a_token_that_dies_meanwhile_is_renewed_and_the_run_goes_on(coze, alice, tab):
    async with tab(alice) as page:
        asked = await begin(page, seconds=1.5)
        await known_to_coze(asked.turn)
        coze.revoke_tokens()
        await asked.end()
    assert asked.last["type"] == "turn.completed"
    assert starts(coze) == 1


async def test_stopping_it_ends_it_here_and_it_can_be_looked_up(coze, alice, tab):
    async with tab(alice) as page:
        asked = await begin(page, seconds=1)
        stored = await known_to_coze(asked.turn)
        await page.send("turn.stop", turn=asked.turn)
        await asked.end()
        assert asked.last["type"] == "turn.canceled"
        assert asked.last["run"] == {"execute_id": stored.execute_id, "look_up": True}
        again = await page.ask("", conversation=asked.conversation, look_up=asked.turn)
        await again.end()
    assert again.text == "Done, at last.\n\n1 2 3"
    assert starts(coze) == 1
    assert (await database.run(runs.stored, asked.turn)).status == "canceled"


async def test_one_over_the_limit_is_a_timeout_and_can_be_looked_up(coze, alice, tab, settings):
    settings.TURN_POLLS = 3
    async with tab(alice) as page:
        asked = await begin(page, seconds=1.5)
        await asked.end()
        assert asked.last["error"]["code"] == "timeout"
        assert "look it up again" in asked.last["error"]["message"]
        assert asked.last["run"]["look_up"]
        settings.TURN_POLLS = 100
        again = await page.ask("", conversation=asked.conversation, look_up=asked.turn)
        await again.end()
    assert again.last["type"] == "turn.completed"
    assert again.last["run"]["execute_id"] == asked.last["run"]["execute_id"]
    assert starts(coze) == 1


async def test_the_end_of_a_run_is_seen_and_paid_for_once(coze, alice, tab):
    async with tab(alice) as page:
        asked = await begin(page, seconds=1)
        await known_to_coze(asked.turn)
        await page.send("turn.stop", turn=asked.turn)
        await asked.end()
        again = await page.ask("", conversation=asked.conversation, look_up=asked.turn)
        client_id = "6a1f1f86-1111-4222-8333-444455556666"
        frame = {"client_id": client_id, "conversation": asked.conversation, "look_up": asked.turn}
        await page.send("turn.start", queue=True, **frame)
        assert (await page.until("error"))["code"] == "not_found"
        await again.end()
        await page.send("turn.start", **frame)
        assert (await page.until("error"))["code"] == "not_found"
    assert await database.run(UsageRecord.objects.count) == 2


async def test_what_has_ended_well_is_not_looked_up_again(coze, alice, tab):
    async with tab(alice) as page:
        asked = await begin(page, seconds=0)
        await asked.end()
        assert asked.last["type"] == "turn.completed"
        client_id = "6a1f1f86-1111-4222-8333-444455556666"
        await page.send(
            "turn.start", client_id=client_id, conversation=asked.conversation, content="", look_up=asked.turn
        )
        assert (await page.until("error"))["code"] == "not_found"


async def test_bob_looks_up_nothing_of_alices(coze, alice, bob, tab):
    async with tab(alice) as alices, tab(bob) as bobs:
        asked = await begin(alices, seconds=60)
        await known_to_coze(asked.turn)
        await alices.send("turn.stop", turn=asked.turn)
        await asked.end()
        own = await begin(bobs, seconds=0)
        await own.end()
        for conversation in (asked.conversation, own.conversation, None):
            client_id = "6a1f1f86-1111-4222-8333-444455556666"
            await bobs.send(
                "turn.start", client_id=client_id, conversation=conversation, content="", look_up=asked.turn
            )
            assert (await bobs.until("error"))["code"] == "not_found"
    assert await database.run(Turn.objects.filter(owner=bob).count) == 1


async def test_an_orphan_is_looked_on_at_and_never_begun_again(coze, alice, tab):
    async with tab(alice) as page:
        asked = await begin(page, seconds=2)
        await known_to_coze(asked.turn)
        engine = turns.engine()
        running = engine.running.pop(next(iter(engine.running)))
        running.live.ended = True  # as if its process were dead: it writes nothing more
        running.stop()
        await running.stream.aclose()
        await database.run(orphans.release, [running.lease])
        for orphan in await database.run(orphans.claim):
            engine.spawn(engine.recover(orphan))
        await asked.end()
    assert asked.last["type"] == "turn.completed"
    assert asked.text == "Done, at last.\n\n1 2 3"
    assert starts(coze) == 1
    assert await database.run(UsageRecord.objects.count) == 1
