"""Long runs that do not end in time, heartbeats, slow readers: the engine in this process, Coze beside it."""

import asyncio
from datetime import timedelta

import pytest
from django.test import AsyncClient
from django.utils import timezone

from cozechat import database
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant
from cozechat.coze.polling import Pace, PollsSpent
from cozechat.emulator import seed
from cozechat.gateway import keys, late
from cozechat.gateway.answers import Text
from cozechat.gateway.engine import engine
from cozechat.gateway.outlet import MOST_WAITING, Outlet
from cozechat.usage import crediting
from cozechat.usage.models import Hold, Price, UsageRecord
from cozechat.usage.reconciling import audit


@pytest.fixture
def secret(alice, coze, settings):
    settings.COZE_EMULATED = True
    app = default_assistant().app
    Assistant.objects.create(
        app=app,
        name="long",
        gateway_name="long",
        kind="long_workflow_run",
        workflow_id=seed.LONG_WORKFLOW_ID,
    )
    Assistant.objects.create(app=app, name="bot", gateway_name="bot", kind="bot", bot_id=seed.BOT_ID)
    Price.objects.create(
        scope="app", app=app, valid_from=timezone.now(), input_price=1000, completion_ratio=1
    )
    crediting.top_up(alice.pk, amount=10**9, ref="first", now=timezone.now())
    return keys.create(alice, name="test")[1]


def ask(secret, *, seconds=0.0, **more):
    body = {
        "model": "long",
        "messages": [{"role": "user", "content": "count to 5"}],
        "workflow_parameters": {"seconds": seconds},
    }
    return AsyncClient().post(
        "/v1/chat/completions",
        body | more,
        content_type="application/json",
        headers={"authorization": f"Bearer {secret}"},
    )


async def test_a_run_that_outlasts_its_polls_is_a_time_out_and_settled_when_it_has_ended(secret, settings):
    settings.GATEWAY_POLL_SECONDS, settings.GATEWAY_POLLS = 0.02, 3
    try:
        response = await ask(secret, seconds=1.0)
        assert response.status_code == 504
        error = response.json()["error"]
        assert error["code"] == "workflow_timeout"
        assert error["coze"]["execute_id"]
        assert response.headers["x-should-retry"] == "false"
        hold = await database.run(Hold.objects.get)
        assert (hold.state, hold.execute_id) == ("open", error["coze"]["execute_id"])
        await database.run(Hold.objects.update, lease_until=timezone.now())
        assert await late.settle_deserted() == 0
        await asyncio.sleep(1.1)
        assert await late.settle_deserted() == 1
        record = await database.run(UsageRecord.objects.get)
        assert (record.status, record.usage_source, record.settled_late) == ("completed", "upstream", True)
        assert (record.api_key_name, record.kind) == ("test", "long_workflow_run")
        assert record.cost > 0
        assert await late.settle_deserted() == 0
        assert await database.run(audit) == []
    finally:
        await engine().aclose()


async def test_a_token_that_coze_has_revoked_does_not_keep_a_charge_waiting(secret, coze, settings):
    settings.GATEWAY_POLL_SECONDS, settings.GATEWAY_POLLS = 0.02, 3
    try:
        assert (await ask(secret, seconds=0.3)).status_code == 504
        await database.run(Hold.objects.update, lease_until=timezone.now())
        await asyncio.sleep(0.4)
        coze.revoke_tokens()
        assert [await late.settle_deserted() for _round in range(2)] == [0, 1]
    finally:
        await engine().aclose()


async def test_runs_that_do_not_end_keep_nobody_elses_charge_waiting(secret, settings, monkeypatch):
    """As many as are asked for at a time would otherwise be asked for again and again, before all others."""
    settings.GATEWAY_POLL_SECONDS, settings.GATEWAY_POLLS = 0.02, 3
    monkeypatch.setattr(late, "_AT_ONCE", 1)
    try:
        for seconds in (60.0, 0.3):
            assert (await ask(secret, seconds=seconds)).status_code == 504
        endless, short = await database.run(lambda: list(Hold.objects.order_by("pk")))
        for hold, ago in ((endless, 20), (short, 10)):
            hold.lease_until = timezone.now() - timedelta(seconds=ago)
            await database.run(hold.save)
        await asyncio.sleep(0.4)
        assert [await late.settle_deserted() for _round in range(2)] == [0, 1]
        assert (await database.run(UsageRecord.objects.get)).request_id == short.request_id
    finally:
        await engine().aclose()


async def test_a_run_is_looked_up_150_times_every_two_seconds(settings):
    """The pace that the settings name, on a clock that does not wait."""
    from cozechat.coze.polling import Polling
    from cozechat.coze.statuses import Status

    class Running:
        status = Status.IN_PROGRESS

    waited = []

    async def sleep(seconds, /, *, until):
        waited.append(seconds)

    async def look():
        return Running()

    pace = Pace(
        interval=settings.GATEWAY_POLL_SECONDS,
        attempts=settings.GATEWAY_POLLS,
        clock=lambda: sum(waited),
        sleep=sleep,
    )
    with pytest.raises(PollsSpent):
        await Polling(look, start=asyncio.ensure_future, pace=pace).last()
    assert sum(waited) == 298
    assert len(waited) == 149


async def test_a_stream_that_waits_says_that_it_is_still_there(secret, settings):
    settings.GATEWAY_PEEK_SECONDS = settings.GATEWAY_HEARTBEAT_SECONDS = 0.1
    try:
        response = await ask(secret, seconds=0.6, stream=True)
        raw = b"".join([part async for part in response.streaming_content])
    finally:
        await engine().aclose()
    assert raw.count(b": keep-alive\n\n") >= 2
    assert b"1 2 3 4 5" in raw
    assert raw.endswith(b"data: [DONE]\n\n")


async def test_a_reader_who_is_slow_holds_the_call_back_and_nobody_else():
    outlet = Outlet(on_leave=lambda: None, on_heard=lambda: None)

    async def talk():
        for _ in range(MOST_WAITING + 1):
            await outlet.put(Text("x"))

    talking = asyncio.create_task(talk())
    await asyncio.sleep(0.05)
    assert not talking.done()
    assert len(outlet.take()) == MOST_WAITING
    await asyncio.wait_for(talking, 1)


async def test_a_reader_who_leaves_frees_a_call_that_waits_and_is_noticed_once():
    left = []
    outlet = Outlet(on_leave=lambda: left.append(True), on_heard=lambda: left.append(False))

    async def talk():
        for _ in range(MOST_WAITING * 3):
            await outlet.put(Text("x"))

    talking = asyncio.create_task(talk())
    await asyncio.sleep(0.05)
    outlet.leave()
    outlet.leave()
    await asyncio.wait_for(talking, 1)
    assert left == [True]
    assert outlet.take() == []
