"""Every question that Coze took leaves exactly one record, whoever ends its turn and however often that is tried."""

import asyncio
from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations import turns
from conversations.live import LiveTurn
from conversations.models import Turn
from conversations.outboxes import Hub
from conversations.turns import metering, saving
from conversations.turns.processes import orphans, stopping
from conversations.turns.running import RunningTurn
from cozechat import database
from cozechat.coze.types import Usage
from cozechat.usage.models import Hold, UsageRecord
from cozechat.usage.reports import dry_run
from tests.conversations.metering_steps import (
    all_records,
    ask,
    balance,
    discord,
    give,
    records,
    set_price,
    states,
    texts_in,
)
from tests.conversations.test_leases import eventually
from tests.conversations.test_queue_processes import at_once

pytestmark = pytest.mark.django_db(transaction=True)
engines = import_module("conversations.turns.engine")


# --- What a record says -------------------------------------------------------------------------------


async def test_an_answer_leaves_one_record_of_what_coze_counted_and_nothing_of_what_was_said(
    coze, alice, tab
):
    async with tab(alice) as page:
        asked = await page.say("my favourite colour is vermilion")
    [record] = await database.run(records)
    turn = await database.run(Turn.objects.select_related("conversation__assistant").get, pk=asked.turn)
    usage = asked.last["usage"]
    assert (record.origin, record.api_key_id, record.end_user) == ("chat", None, "")
    assert (record.status, record.usage_source, record.cost) == ("completed", "upstream", 0)
    assert (record.input_tokens, record.output_tokens) == (usage["input_tokens"], usage["output_tokens"])
    assert record.input_tokens > 0
    assert (record.coze_chat_id, record.log_id) == (turn.coze_chat_id, turn.log_id)
    assert record.coze_conversation_id == turn.conversation.coze_conversation_id != ""
    assert (record.model, record.assistant_id, record.app_id) == (
        turn.conversation.assistant.gateway_name,
        turn.conversation.assistant_id,
        turn.conversation.assistant.app_id,
    )
    assert 0 < record.first_token_ms <= record.latency_ms
    assert abs(record.created_at - turn.created_at) < timedelta(seconds=5)
    assert "vermilion" not in texts_in(record)
    assert record.recomputed_cost() == 0


async def test_a_stopped_answer_leaves_one_record_with_a_low_estimate(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.ask("count to 300 slowly")
        while len(asked.text) < 12:
            await asked.words()
        await page.send("turn.stop", turn=asked.turn)
        assert (await asked.end())["type"] == "turn.canceled"
    [record] = await database.run(records)
    assert (record.status, record.usage_source, record.input_tokens) == ("canceled", "estimated", 3)
    assert 0 < record.output_tokens < len(asked.text)


@pytest.mark.parametrize(
    ("fault", "status", "expected"),
    [
        ("error-event", "turn.failed", ["failed"]),
        ("requires-action", "turn.requires_action", ["completed"]),
        ("json-error", "turn.failed", []),
        ("token-invalid", "turn.failed", []),
    ],
)
async def test_an_end_that_is_not_the_plain_one_leaves_a_record_if_coze_had_begun(
    coze, alice, tab, fault, status, expected
):
    async with tab(alice) as page:
        coze.arm(fault, path="/v1/workflows/chat", times=3)
        asked = await page.say("count to 20")
        assert asked.last["type"] == status
    found = await database.run(records)
    assert [record.status for record in found] == expected
    if expected == ["failed"]:
        assert found[0].error_code == asked.last["error"]["code"]
        assert (found[0].usage_source, found[0].output_tokens) == ("estimated", 0)


def test_impossible_counts_are_kept_apart(alice):
    running = running_turn(alice, said="words " * 20)
    running.usage = Usage(10**10, 3, 4)
    assert saving.save_end(
        running, status=Turn.Status.COMPLETED, failure=None, content=running.live.text, html=""
    )
    [record] = records()
    assert (record.usage_source, record.input_tokens) == ("estimated", 1)
    assert record.odd_counts == {"input": 10**10, "output": 3, "total": 4}


def test_a_question_without_a_price_counts_in_no_dry_run(alice):
    running = running_turn(alice)
    running.usage = Usage(1000, 1000, 2000)
    saving.save_end(running, status=Turn.Status.COMPLETED, failure=None, content="", html="")
    assert dry_run(set_price(), now=timezone.now()) == []


# --- Deleting -----------------------------------------------------------------------------------------


async def test_a_record_outlives_its_conversation_and_its_owner(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
        await database.run(turns.delete_conversation, alice, conversation_id=asked.conversation)
    [record] = await database.run(records)
    assert not await database.run(Turn.objects.exists)
    await database.run(alice.delete)
    await database.run(record.refresh_from_db)
    assert record.owner_id is None


@pytest.mark.parametrize("whole_account", [False, True], ids=["conversation", "account"])
async def test_an_answer_that_is_deleted_while_it_runs_leaves_one_record(coze, alice, tab, whole_account):
    async with tab(alice) as page:
        asked = await page.ask("count to 300 slowly")
        await asked.words()
        running = turns.engine().running[next(iter(turns.engine().running))]
        if whole_account:
            await database.run(alice.delete)
        else:
            await database.run(turns.delete_conversation, alice, conversation_id=asked.conversation)
        await turns.engine().save_running()
        await asyncio.wait_for(running.ended.wait(), 10)
    [record] = await database.run(lambda: list(UsageRecord.objects.all()))
    assert (record.status, record.coze_chat_id != "") == ("canceled", True)
    assert record.owner_id == (None if whole_account else alice.pk)


def test_a_turn_that_was_deleted_before_its_row_knew_that_coze_took_it_leaves_a_record(alice, bob):
    for owner, delete in (
        (alice, lambda running: turns.delete_conversation(
            alice, conversation_id=running.live.conversation_id)),
        (bob, lambda _running: bob.delete()),
    ):  # fmt: skip
        running = running_turn(owner, said="a few words", stored=False)
        delete(running)
        assert not saving.save_end(running, status=Turn.Status.CANCELED, failure=None, content="", html="")
        for _twice in range(2):
            saving.note_lost_race(running, failure=None)
        record = UsageRecord.objects.get(request_id=metering.request_id(running.id))
        assert record.status == "canceled"
    assert all_records() == 2


# --- Races --------------------------------------------------------------------------------------------


def running_turn(owner, *, said: str = "", stored: bool = True) -> RunningTurn:
    """A turn that Coze has taken, as its engine holds it; `stored`: its row says so."""
    begun = ask(owner)
    live = LiveTurn(id=begun.turn.pk, conversation_id=begun.conversation.pk, owner_id=owner.pk, hub=Hub())
    live._parts, live.length = [said], len(said)
    running = RunningTurn(begun=begun, live=live, coze_chat_id=f"chat-{begun.turn.pk}")
    if stored:
        assert saving.mark_in_progress(running)
    return running


@pytest.mark.parametrize("charged", [False, True], ids=["free", "charged"])
def test_of_many_that_end_a_turn_at_once_one_writes_its_record(alice, settings, charged):
    settings.CHARGE_CHAT = charged
    if charged:
        set_price()
        give("alice")
    for number in range(1, 26):
        running = running_turn(alice, said="some words")
        lease = running.lease
        orphan = orphans.Orphan(running.id, lease, timezone.now())
        works = [
            lambda running=running: saving.save_end(
                running, status=Turn.Status.COMPLETED, failure=None, content="some words", html=""
            ),
            lambda running=running: stopping._take_away(running.id, shown=None),
            lambda orphan=orphan: orphans.settle(orphan, answer=None),
            lambda running=running: turns.delete_conversation(
                alice, conversation_id=running.live.conversation_id
            ),
        ]
        results = at_once(*works)
        assert [result for result in results if isinstance(result, Exception)] == []
        saving.note_lost_race(running, failure=None)
        assert all_records() == number
    assert discord() == []
    if charged:
        assert states() == ["settled"] * 25
        assert balance() == (75 * 10**9, 0, 0)


def test_with_charging_off_an_end_costs_one_insert_more(alice):
    running = running_turn(alice, said="some words")
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert saving.save_end(
            running, status=Turn.Status.COMPLETED, failure=None, content="some words", html=""
        )
    about_money = [query["sql"] for query in seen.captured_queries if "usage_" in query["sql"]]
    assert len(about_money) == 1
    assert about_money[0].startswith("INSERT")
    assert not Hold.objects.exists()


# --- Orphans ------------------------------------------------------------------------------------------


async def test_a_recovered_answer_leaves_one_record_with_cozes_own_count(coze, alice, tab, monkeypatch):
    monkeypatch.setattr(engines, "CLAIM_EVERY", 0.2)
    async with tab(alice) as page:
        asked = await page.ask("count to 300")
        await asked.words()
        engine = turns.engine()
        running = engine.running[next(iter(engine.running))]
        # As if its process had died: nobody reads on, and nobody renews the lease.
        running.stop()
        engine.running.clear()
        running.live.ended = True
        lapsed = timezone.now() - timedelta(seconds=1)
        await database.run(Turn.objects.filter(pk=asked.turn).update, lease_until=lapsed)
        assert await eventually(lambda: bool(all_records()), seconds=30)
    [record] = await database.run(records)
    turn = await database.run(Turn.objects.get, pk=asked.turn)
    assert (record.status, record.usage_source, record.latency_ms) == ("completed", "upstream", None)
    assert (record.input_tokens, record.output_tokens) == (turn.input_tokens, turn.output_tokens)
    assert turn.output_tokens >= 300


def test_an_orphan_of_which_coze_has_nothing_is_lost_at_an_estimate_of_the_question(alice):
    running = running_turn(alice, said="words " * 50)
    Turn.objects.filter(pk=running.id).update(lease_until=timezone.now() - timedelta(seconds=1))
    [orphan] = orphans.claim()
    assert orphans.settle(orphan, answer=None)
    [record] = records()
    assert (record.status, record.error_code, record.usage_source) == ("lost", "lost", "estimated")
    assert (record.input_tokens, record.output_tokens) == (1, 0)


# --- Isolation ----------------------------------------------------------------------------------------


async def test_each_ones_records_are_their_own(coze, alice, bob, visitor, tab):
    async with tab(alice) as alices, tab(bob) as bobs, tab(visitor) as visitors:
        asked = await alices.say("hello")
        await bobs.say("hello")
        await visitors.say("hello")
        # Bob does to Alice's turn all that he can.
        for kind in ("turn.stop", "turn.resume"):
            await bobs.send(kind, turn=asked.turn, seq=0)
            assert (await bobs.until("error"))["code"] == "not_found"

    def seen_by(user) -> list[int]:
        return list(UsageRecord.objects.owned_by(user).values_list("owner_id", flat=True))

    for user in (alice, bob, visitor):
        assert await database.run(seen_by, user) == [user.pk]
