"""Coze's bill beside our usage records: differences are kept, nothing is charged."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from cozechat.usage.models import Account, LedgerEntry, UsageRecord
from cozechat.webhooks import comparing
from cozechat.webhooks.facts import BadFact
from cozechat.webhooks.models import CozeCharge, UsageComparison
from tests.webhooks.telling import coze_event, usage_event
from tests.webhooks.test_handling import THREADS, at_once


def record(**fields: Any) -> UsageRecord:
    return UsageRecord.objects.create(
        **{
            "request_id": f"r-{UsageRecord.objects.count()}",
            "model": "demo",
            "created_at": timezone.now(),
            "usage_source": "upstream",
            "status": "completed",
            "input_tokens": 10,
            "output_tokens": 20,
        }
        | fields
    )


def take(event: dict[str, Any]) -> None:
    comparing.take(event, now=timezone.now())


def only() -> tuple[Any, ...]:
    found = UsageComparison.objects.get()
    return found.verdict, (found.coze_input, found.our_input), (found.coze_output, found.our_output)


@pytest.mark.parametrize("name", ["coze_chat_id", "execute_id", "log_id"])
def test_a_call_is_found_by_each_of_coze_s_ids(name: str, transactional_db: None) -> None:
    mine = record(**{name: "c-1"})
    record(coze_chat_id="c-2")
    take(usage_event("c-1", charge="b-1", tokens=(10, 20)))
    assert only() == ("agrees", (10, 10), (20, 20))
    assert UsageComparison.objects.get().record == mine


def test_the_parts_of_one_call_are_added_up(transactional_db: None) -> None:
    record(coze_chat_id="c-1")
    take(usage_event("c-1", charge="b-1", tokens=(4, 5)))
    assert only() == ("differs", (4, 10), (5, 20))
    take(usage_event("c-1", charge="b-2", tokens=(6, 15)))
    assert only() == ("agrees", (10, 10), (20, 20))
    assert CozeCharge.objects.count() == 2


def test_the_same_part_counts_once_in_whatever_event_it_comes(transactional_db: None) -> None:
    record(coze_chat_id="c-1")
    for _each in range(3):
        take(usage_event("c-1", charge="b-1", tokens=(10, 20)))
    assert only() == ("agrees", (10, 10), (20, 20))


def test_the_same_part_counts_once_when_it_comes_sixteen_times_at_once(transactional_db: None) -> None:
    record(coze_chat_id="c-1")
    at_once(lambda number: take(usage_event("c-1", charge=f"b-{number % 4}", tokens=(1, 2))))
    assert threading.active_count() < THREADS
    assert CozeCharge.objects.count() == 4
    assert only() == ("differs", (4, 10), (8, 20))


def test_a_record_that_comes_later_is_found_then(transactional_db: None) -> None:
    take(usage_event("c-1", charge="b-1", tokens=(10, 20)))
    assert only()[0] == "missing"
    comparing.compare_again(now=timezone.now())
    assert only()[0] == "missing"
    record(coze_chat_id="c-1", input_tokens=11)
    comparing.compare_again(now=timezone.now())
    assert only() == ("differs", (10, 11), (20, 20))


def test_a_record_of_long_ago_is_another_call_s(transactional_db: None) -> None:
    record(coze_chat_id="c-1", created_at=timezone.now() - timedelta(days=3))
    take(usage_event("c-1", charge="b-1", tokens=(10, 20)))
    assert only()[0] == "missing"


def test_after_a_day_nobody_looks_any_more(transactional_db: None) -> None:
    take(usage_event("c-1", charge="b-1", tokens=(10, 20)))
    record(coze_chat_id="c-1")
    comparing.compare_again(now=timezone.now() + timedelta(days=2))
    assert only()[0] == "missing"


def test_nothing_is_charged(alice: Any) -> None:
    account = Account.objects.create(owner=alice, available=1000)
    mine = record(coze_chat_id="c-1", owner=alice, cost=7)
    take(usage_event("c-1", charge="b-1", tokens=(1000, 2000)))
    take(usage_event("c-2", charge="b-2", tokens=(1000, 2000)))
    account.refresh_from_db()
    mine.refresh_from_db()
    assert (account.available, account.held, account.debt, mine.cost, mine.input_tokens) == (
        1000,
        0,
        0,
        7,
        10,
    )
    assert LedgerEntry.objects.count() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": None},
        {"id": ""},
        {"model_input_token": -1},
        {"model_input_token": "many"},
        {"model_output_token": 2**60},
        {"model_output_token": True},
        {"record_root_id": ["c-1"]},
        {"consume_time": "soon"},
        {"change_balance": "1" * 41},
    ],
    ids=str,
)
def test_a_bill_that_cannot_be_read_leaves_nothing(wrong: dict[str, Any], transactional_db: None) -> None:
    with pytest.raises(BadFact):
        take(usage_event("c-1", charge="b-1", tokens=(1, 2)) | wrong)
    assert not UsageComparison.objects.exists()


@pytest.mark.parametrize("kind", ["benefit.usage", "benefit.usage.event"])
async def test_a_signed_bill_is_compared(kind: str, call_back: Any, handled: Any) -> None:
    from cozechat import database

    await database.run(record, coze_chat_id="c-1")
    answer = await call_back(coze_event(kind, usage_event("c-1", charge="b-1", tokens=(10, 21))))
    assert answer.status_code == 200
    await handled()
    assert await database.run(only) == ("differs", (10, 10), (21, 20))
