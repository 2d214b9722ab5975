"""What a call has cost when nobody here could wait for it: learned from Coze, never guessed while Coze still counts."""

import asyncio
from datetime import timedelta

from django.test import AsyncClient
from django.utils import timezone

from cozechat import database
from cozechat.coze.polling import Pace
from cozechat.gateway import late, places
from cozechat.gateway.engine import engine
from cozechat.gateway.models import StoredCall
from cozechat.usage.models import Hold, UsageRecord
from cozechat.usage.reconciling import audit

from .eavesdropping import QUESTION, ask


def lapse():
    """Its process is gone for longer than its lease."""
    gone = timezone.now() - timedelta(seconds=1)
    Hold.objects.open().update(lease_until=gone)
    StoredCall.objects.filter(state="running").update(lease_until=gone)


async def settled(*, seconds):
    """The only record, once somebody has asked Coze how the call ended."""
    for _ in range(seconds * 5):
        await database.run(lapse)
        await late.settle_deserted()
        found = await database.run(UsageRecord.objects.first)
        if found is not None:
            return found
        await asyncio.sleep(0.2)
    raise AssertionError("it was never settled")


async def fail(key, model, **more):
    """The code of the error that comes; when this returns, the process has nothing more to do for the call."""
    told = await AsyncClient().post(
        "/v1/chat/completions",
        {"model": model, "messages": QUESTION} | more,
        content_type="application/json",
        headers={"authorization": f"Bearer {key}"},
    )
    await engine().drain(grace=60)
    return told.json()["error"]["code"]


async def test_of_too_many_who_wait_for_counts_the_last_is_looked_up_later(
    overheard, overheard_key, coze, settings
):
    settings.GATEWAY_DRAINS = 0
    coze.reset_ledger()
    coze.arm("truncate", after=3, times=1)
    assert await fail(overheard_key, "gpt-4") == "truncated"
    assert await database.run(Hold.objects.open().count) == 1
    assert "DELETE /v1/conversations/{conversation_id}" not in coze.ledger()["requests"]
    record = await settled(seconds=20)
    assert (record.usage_source, record.settled_late) == ("upstream", True)
    assert record.output_tokens > 0
    assert coze.ledger()["requests"]["DELETE /v1/conversations/{conversation_id}"] == 1
    assert await database.run(audit) == []


async def test_a_long_run_is_measured_by_its_polls_alone(overheard, overheard_key, settings):
    settings.TURN_SECONDS = -29
    told = await ask(overheard_key, "long", workflow_parameters={"seconds": 2})
    assert told["choices"][0]["message"]["content"].endswith("1 2 3 4 5")


async def test_a_run_that_goes_on_is_settled_when_it_has_ended(overheard, overheard_key, coze, monkeypatch):
    """Nobody can end it at Coze, so what it has cost is known later."""
    monkeypatch.setattr(places, "_AFTERWARDS", Pace(interval=0.05, attempts=2))
    coze.arm("json-error", code=4000, times=1, path="/v1/workflows/")
    assert await fail(overheard_key, "long", workflow_parameters={"seconds": 3}) == "4000"
    assert await database.run(Hold.objects.open().count) == 1
    record = await settled(seconds=30)
    assert (record.status, record.usage_source) == ("completed", "upstream")
    assert record.output_tokens > 0
    assert await database.run(audit) == []
