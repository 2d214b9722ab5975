"""Questions on the page that cost something: set aside before Coze is asked, settled at the end, refused in between."""

import asyncio
import uuid
from datetime import datetime, timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import transaction
from django.utils import timezone

from conversations import turns
from conversations.frames import Refused
from conversations.models import Conversation, Turn
from conversations.turns import metering, queueing
from cozechat import database
from cozechat.gateway import late
from cozechat.usage.models import Account, Hold, UsageRecord
from cozechat.usage.reconciling import reconcile
from tests.conversations.metering_steps import (
    CREDIT,
    all_records,
    ask,
    balance,
    discord,
    give,
    records,
    set_price,
    states,
)
from tests.faults.steps import CHAT, requests_to

# The package has a function of the same name.
engines = import_module("conversations.turns.engine")
pytestmark = pytest.mark.django_db(transaction=True)
LONG = "count to 300 slowly"


@pytest.fixture
def charged(settings):
    """Questions cost a credit each; Alice has a hundred."""
    settings.CHARGE_CHAT = True

    def begin(**budget) -> None:
        set_price()
        give("alice", **budget)

    return begin


@pytest.fixture(autouse=True)
def books_agree():
    yield
    assert discord() == []


def meters(page) -> list:
    return [frame["quota"] for frame in page.seen if frame["type"] == "usage.updated"]


# --- Paying -------------------------------------------------------------------------------------------


async def test_a_question_is_held_while_it_runs_and_settled_at_its_end(coze, alice, tab, charged):
    await database.run(charged)
    async with tab(alice) as page:
        asked = await page.ask(LONG)
        await asked.words()
        assert await database.run(balance) == (99 * CREDIT, CREDIT, 0)
        hold = await database.run(Hold.objects.get)
        assert (hold.origin, hold.state, hold.request_id) == (
            "chat",
            "open",
            f"turn_{asked.turn.replace('-', '')}",
        )
        assert hold.coze_chat_id != ""
        await page.send("turn.stop", turn=asked.turn)
        await asked.end()
        assert await database.run(balance) == (99 * CREDIT, 0, 0)
        again = await page.say("count to 3", conversation=asked.conversation)
        assert again.last["type"] == "turn.completed"
    assert await database.run(balance) == (98 * CREDIT, 0, 0)
    assert await database.run(states) == ["settled", "settled"]
    paid = await database.run(records)
    assert [(row.status, row.cost, row.origin) for row in paid] == [
        ("canceled", CREDIT, "chat"), ("completed", CREDIT, "chat"),
    ]  # fmt: skip


async def test_an_answer_is_charged_by_what_coze_counted(coze, alice, tab, settings):
    settings.CHARGE_CHAT = True
    await database.run(lambda: (set_price(input_price=1000, output_price=2000, per_call=0), give("alice")))
    async with tab(alice) as page:
        asked = await page.say("count to 30")
    usage = asked.last["usage"]
    [record] = await database.run(records)
    assert record.cost == usage["input_tokens"] + 2 * usage["output_tokens"] == record.recomputed_cost()
    assert await database.run(balance) == (100 * CREDIT - record.cost, 0, 0)


async def test_what_coze_refused_costs_nothing(coze, alice, tab, charged):
    await database.run(charged)
    async with tab(alice) as page:
        coze.arm("json-error", path="/v1/workflows/chat", times=3)
        asked = await page.say("hello")
        assert asked.last["type"] == "turn.failed"
    assert await database.run(balance) == (100 * CREDIT, 0, 0)
    [record] = await database.run(records)
    assert (record.status, record.usage_source, record.cost) == ("failed", "none", 0)


@pytest.mark.parametrize("missing", ["setting", "price"])
async def test_without_setting_or_price_nothing_is_set_aside(coze, alice, tab, settings, missing):
    settings.CHARGE_CHAT = missing != "setting"
    if missing != "price":
        await database.run(set_price)
    async with tab(alice) as page:
        assert (await page.say("hello")).last["type"] == "turn.completed"
        if missing == "price":
            assert (await page.until("usage.updated"))["quota"] is None
        await page.send("ping")
        await page.until("pong")
        assert len(meters(page)) == (missing == "price")
    assert await database.run(states) == []
    assert [row.cost for row in await database.run(records)] == [0]


async def test_the_sites_own_questions_are_free(coze, alice, settings):
    """The isolation check asks for users who own nothing."""
    from conversations.frames import TurnStart

    settings.CHARGE_CHAT = True
    await database.run(set_price)
    frame = TurnStart(client_id=uuid.uuid4(), conversation=None, content="hello")
    assert (await turns.ask(alice, frame=frame)).status == "completed"
    assert await database.run(states) == []


# --- Refused ------------------------------------------------------------------------------------------


async def test_a_question_beyond_the_allowance_is_refused_and_asks_coze_nothing(coze, alice, tab, charged):
    await database.run(lambda: charged(limit=CREDIT, period="day"))
    async with tab(alice) as page:
        first = await page.say("hello")
        asked_before = requests_to(coze, CHAT)
        client_id = str(uuid.uuid4())
        for _twice in range(2):
            await page.send(
                "turn.start",
                client_id=client_id,
                conversation=first.conversation,
                content="hello",
                queue=True,
            )
            refused = await page.until("error")
            assert (refused["code"], refused["client_id"]) == ("quota", client_id)
            resets_at = datetime.fromisoformat(refused["resets_at"])
            assert resets_at > timezone.now()
            assert 0 < refused["retry_after"] <= 24 * 3600
            assert (
                refused["message"]
                == f"Today's allowance is used up. Resets at {resets_at:%Y-%m-%d} 00:00 UTC"
            )
        await database.run(Account.objects.update, limit=5 * CREDIT)
        await page.send(
            "turn.start", client_id=client_id, conversation=first.conversation, content="hello", queue=True
        )
        accepted = await page.until("turn.accepted")
        assert (await page.until("turn.completed"))["turn"] == accepted["turn"]
    assert requests_to(coze, CHAT) == asked_before + 1
    assert await database.run(Turn.objects.count) == 2


async def test_a_new_chat_that_is_refused_leaves_no_conversation(coze, alice, tab, charged):
    await database.run(lambda: charged(credit=0))
    async with tab(alice) as page:
        client_id = str(uuid.uuid4())
        await page.send("turn.start", client_id=client_id, conversation=None, content="hello")
        refused = await page.until("error")
    assert (refused["code"], refused["message"]) == ("quota", "Your balance does not cover this question.")
    assert "retry_after" not in refused
    assert not await database.run(Conversation.objects.exists)
    assert requests_to(coze, CHAT) == 0


@pytest.mark.parametrize(
    ("limit", "period", "words"),
    [
        (CREDIT, "month", "Your allowance is used up. Resets at "),
        (CREDIT, "ever", "Your allowance is used up."),
        (CREDIT * 3 // 2, "ever", "What is left of your allowance does not cover this question."),
        (
            CREDIT * 3 // 2,
            "week",
            "What is left of your allowance does not cover this question. It resets at ",
        ),
    ],
    ids=["month", "ever", "ever-some-left", "week-some-left"],
)
def test_a_refusal_says_what_is_the_matter(alice, charged, limit, period, words):
    charged(limit=limit, period=period)
    ask(alice)
    with pytest.raises(Refused) as refused:
        ask(alice)
    assert refused.value.message.startswith(words)
    assert ("resets_at" in refused.value.advice) == (period != "ever")


async def test_a_queued_question_pays_when_its_turn_comes_and_fails_if_nothing_is_left(
    coze, alice, tab, charged
):
    await database.run(lambda: charged(limit=2 * CREDIT))
    async with tab(alice) as page:
        first = await page.ask(LONG)
        await first.words()
        later = [await page.ask(f"hello {number}", conversation=first.conversation) for number in range(3)]
        assert len(await database.run(states)) == 1
        # What Coze has taken is paid for, though it is stopped.
        await page.until("turn.delta")
        await page.send("turn.stop", turn=first.turn)
        ends = [await each.end() for each in (first, *later)]
        assert [end["type"] for end in ends] == ["turn.canceled", "turn.completed"] + ["turn.failed"] * 2
        for end in ends[2:]:
            error = end["error"]
            assert (error["code"], error["retryable"]) == ("quota", False)
            assert error["message"] == "Your balance or your allowance did not cover this question."
            assert datetime.fromisoformat(error["resets_at"]) > timezone.now()
        started = [frame["turn"] for frame in page.seen if frame["type"] == "turn.started"]
        assert started == [each.turn for each in later]
        await page.send("conversation.open", conversation=first.conversation)
        state = await page.until("conversation.state")
        assert [message["content"] for message in state["messages"] if message["role"] == "user"][
            -1
        ] == "hello 2"
        assert state["messages"][-1]["error"]["code"] == "quota"
    assert sum(coze.ledger()["chats"].values()) == 2
    assert await database.run(states) == ["settled", "settled"]


async def test_a_queued_question_waits_while_what_would_pay_for_it_is_only_held(
    coze, alice, tab, settings, monkeypatch
):
    """Half of the allowance is held by another conversation's answer, which will cost far less."""
    monkeypatch.setattr(engines, "QUEUES_EVERY", 0.2)
    settings.CHARGE_CHAT = True
    await database.run(lambda: (set_price(per_call=0, output_price=CREDIT), give("alice", limit=9 * CREDIT)))
    async with tab(alice) as page:
        first = await page.ask(LONG)
        await first.words()
        held = (await database.run(Hold.objects.get)).amount
        coze.arm("stall", after=3, seconds=600, times=1)
        other = await page.ask("count to 9")
        await other.words()
        await database.run(Account.objects.filter(owner=alice).update, limit=2 * held - 1)
        behind = await page.ask("hello", conversation=first.conversation)
        await page.send("turn.stop", turn=first.turn)
        await first.end()
        assert await database.run(queueing.begin_next, uuid.UUID(first.conversation)) is None
        assert await database.run(Turn.objects.queued().filter(pk=behind.turn).exists)
        await page.send("turn.stop", turn=other.turn)
        await page.until("turn.started", turn=behind.turn)
        await page.send("turn.stop", turn=behind.turn)
        assert (await behind.end())["type"] == "turn.canceled"
    assert set(await database.run(states)) <= {"settled", "released"}


def test_of_simultaneous_questions_no_more_begin_than_the_allowance_covers(alice, charged):
    from tests.conversations.test_queue_processes import at_once

    charged(limit=3 * CREDIT)
    results = at_once(*(lambda: ask(alice) for _each in range(8)))
    refused = [result for result in results if isinstance(result, Refused)]
    assert [each.code for each in refused] == ["quota"] * 5
    assert Turn.objects.count() == Conversation.objects.count() == 3
    assert balance() == (97 * CREDIT, 3 * CREDIT, 0)


# --- Who may touch a turn's hold ----------------------------------------------------------------------


async def test_a_running_turns_hold_is_left_alone_however_often_holds_are_reconciled(
    coze, alice, tab, charged, monkeypatch
):
    await database.run(charged)
    async with tab(alice) as page:
        asked = await page.ask(LONG)
        await asked.words()
        for ahead in (timedelta(minutes=2), timedelta(hours=3)):
            later = timezone.now() + ahead
            assert (await database.run(reconcile, now=later)).lost == 0
            monkeypatch.setattr(late, "timezone", SimpleNamespace(now=lambda later=later: later))
            assert await late.settle_deserted() == 0
        assert await database.run(states) == ["open"]
        await page.send("turn.stop", turn=asked.turn)
        assert (await asked.end())["type"] == "turn.canceled"
    assert await database.run(states) == ["settled"]
    [record] = await database.run(records)
    assert (record.status, record.settled_late) == ("canceled", False)


def test_a_hold_whose_turn_has_vanished_by_hand_is_ended_after_a_day(alice, charged):
    charged()
    ask(alice)
    Turn.objects.all().delete()
    assert reconcile(now=timezone.now() + timedelta(hours=23)).lost == 0
    assert reconcile(now=timezone.now() + timedelta(hours=25)).lost == 1
    assert balance() == (100 * CREDIT, 0, 0)


def test_a_question_that_goes_back_into_the_queue_gets_its_hold_back(alice, charged):
    charged(limit=CREDIT)
    first = ask(alice)
    ask(alice, conversation=first.conversation.pk)
    Turn.objects.filter(pk=first.turn.pk).update(
        status="failed", ended_at=timezone.now(), lease=None, lease_until=None
    )
    with transaction.atomic():
        metering.undo(first.turn)
    for _each in range(3):
        begun = queueing.begin_next(first.conversation.pk)
        assert begun is not None
        assert begun.is_held
        assert balance() == (99 * CREDIT, CREDIT, 0)
        queueing.give_back(begun)
        assert balance() == (100 * CREDIT, 0, 0)
    assert all_records() == 0
    assert states() == []


async def test_an_answer_that_is_deleted_while_it_runs_is_settled(coze, alice, tab, charged):
    await database.run(charged)
    async with tab(alice) as page:
        asked = await page.ask(LONG)
        await asked.words()
        running = next(iter(turns.engine().running.values()))
        await database.run(turns.delete_conversation, alice, conversation_id=asked.conversation)
        assert await database.run(balance) == (99 * CREDIT, 0, 0)
        await turns.engine().save_running()
        await asyncio.wait_for(running.ended.wait(), 10)
    assert await database.run(states) == ["settled"]
    assert await database.run(all_records) == 1


async def test_an_account_that_is_deleted_while_its_answer_runs_leaves_books_that_agree(
    coze, alice, tab, charged
):
    await database.run(charged)
    async with tab(alice) as page:
        asked = await page.ask(LONG)
        await asked.words()
        await database.run(alice.delete)
    [record] = await database.run(lambda: list(UsageRecord.objects.all()))
    assert (record.owner_id, record.cost, record.status) == (None, CREDIT, "canceled")
    assert await database.run(states) == ["settled"]


# --- What the tabs hear -------------------------------------------------------------------------------


async def test_every_tab_of_the_owner_hears_what_is_left_and_nobody_elses(coze, alice, bob, tab, charged):
    await database.run(lambda: (charged(limit=10 * CREDIT, period="week"), give("bob", limit=CREDIT)))
    async with tab(alice) as page, tab(alice) as other, tab(bob) as bobs:
        await page.say("hello")
        told = await page.until("usage.updated")
        quota = told["quota"]
        assert (quota["used"], quota["limit"], quota["left"], quota["period"]) == (
            "1.00",
            "10.00",
            "9.00",
            "week",
        )
        assert datetime.fromisoformat(quota["resets_at"]) > timezone.now()
        assert await other.until("usage.updated") == told
        assert await bobs.quiet()
        await bobs.say("hello")
        assert (await bobs.until("usage.updated"))["quota"]["left"] == "0.00"
        assert meters(page) == meters(other) == [quota]


def test_what_a_question_would_cost_is_known_to_the_page(alice, bob, charged, client, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    charged(limit=10 * CREDIT)
    for user, expected in ((alice, "10.00"), (bob, None)):
        client.force_login(user)
        response = client.get("/")
        config = response.context["page_config"]
        assert (config["quota"] and config["quota"]["limit"]) == expected
        assert config["charged"] is True
    settings.CHARGE_CHAT = False
    assert client.get("/").context["page_config"]["charged"] is False
