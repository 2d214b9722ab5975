"""What must not happen twice, and what a refusal leaves behind."""

import asyncio
import random
import time

import openai
import pytest
from django.test import AsyncClient

from cozechat import database
from cozechat.gateway.engine import engine
from cozechat.ratelimits import Counter
from cozechat.usage.models import Hold

from .conftest import client_for
from .running import until

QUESTION = [{"role": "user", "content": "count to 5"}]


def runs(site):
    """How often Coze was asked to do something."""
    ledger = site.coze.ledger()
    begun = ("POST /v1/workflow/run", "POST /v1/workflow/stream_run")
    return sum(ledger["chats"].values()) + sum(ledger["requests"].get(path, 0) for path in begun)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("model", "fault", "details"),
    [
        ("gpt-4", "chat-failed", {"after": 0}),
        ("gpt-4", "truncate", {"after": 0}),
        ("gpt-4", "empty-answer", {}),
        ("flow", "error-event", {"after": 0}),
        ("long", "run-failed", {}),
        ("question", "", {}),
        ("tool-bot", "", {}),
    ],
    ids=["failed", "broken off", "empty", "flow", "long run", "interrupted", "tool"],
)
def test_what_coze_has_begun_is_not_begun_again_by_a_patient_client(model, fault, details, stream, site, key):
    """The official client repeats a failed call twice, unless it is told not to."""
    if fault:
        site.coze.arm(fault, **details)
    content = "look up coffee for me" if model == "tool-bot" else "count to 5"
    more = {"extra_body": {"workflow_parameters": {"seconds": 0}}} if model == "long" else {}
    with client_for(site, key, max_retries=2) as client, pytest.raises(openai.APIError) as failed:
        list(
            client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": content}], stream=stream, **more
            )
        )
    assert runs(site) == 1
    if not stream:
        assert failed.value.response.headers["x-should-retry"] == "false"
    # What it cost is learned behind the client's back.
    assert len(until(lambda: site.records(secret=key), seconds=60)) == 1
    assert runs(site) == 1
    assert site.books() == []


async def test_a_restart_does_not_make_clients_ask_twice_for_what_coze_has_begun(
    overheard, overheard_key, coze, settings
):
    settings.COZE_API_BASE = coze.base_url  # the listener would pass the stream on as a whole

    async def ask():
        messages = [{"role": "user", "content": "slowly count to 300"}]
        return await AsyncClient().post(
            "/v1/chat/completions",
            {"model": "gpt-4", "messages": messages},
            content_type="application/json",
            headers={"authorization": f"Bearer {overheard_key}"},
        )

    asking = asyncio.create_task(ask())
    taken = Hold.objects.exclude(coze_chat_id="")
    for _ in range(600):
        if await database.run(taken.exists):
            break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError("Coze was never asked")
    await engine().drain(grace=0)
    told = await asking
    assert (told.status_code, told.json()["error"]["code"]) == (503, "restarting")
    assert told.headers["x-should-retry"] == "false"
    assert "retry-after" not in told.headers


async def test_a_restart_while_the_question_is_out_leaves_its_money_set_aside(overheard, overheard_key, coze):
    """Whether Coze has begun is unknown: the client is not asked to send it again, and the end is not kept waiting."""
    coze.arm("slow-first-byte", seconds=20, times=1, path="/v3/chat$")

    async def ask():
        return await AsyncClient().post(
            "/v1/chat/completions",
            {"model": "gpt-4", "messages": QUESTION},
            content_type="application/json",
            headers={"authorization": f"Bearer {overheard_key}"},
        )

    asking = asyncio.create_task(ask())
    for _ in range(600):
        if "POST /v3/chat" in overheard.paths():
            break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError("Coze was never asked")
    began = time.monotonic()
    await engine().drain(grace=0)
    assert time.monotonic() - began < 15
    told = await asking
    assert (told.status_code, told.json()["error"]["code"]) == (503, "restarting")
    assert told.headers["x-should-retry"] == "false"
    assert await database.run(Hold.objects.open().count) == 1


async def test_who_comes_while_the_site_ends_may_come_again(overheard, overheard_key):
    engine().draining = True
    try:
        told = await AsyncClient().post(
            "/v1/chat/completions",
            {"model": "gpt-4", "messages": QUESTION},
            content_type="application/json",
            headers={"authorization": f"Bearer {overheard_key}"},
        )
    finally:
        await engine().aclose()
    assert (told.status_code, told.json()["error"]["code"]) == (503, "restarting")
    assert told.headers["retry-after"] == "2"
    assert overheard.requests == []


def test_a_key_that_is_used_from_elsewhere_costs_nothing_and_is_written_down(site):
    key = site.key(addresses=["192.0.2.0/24"])
    with client_for(site, key, max_retries=2) as client, pytest.raises(openai.PermissionDeniedError):
        client.chat.completions.create(model="gpt-4", messages=QUESTION)
    (record,) = site.records(secret=key)
    assert (record["status"], record["error_code"], record["cost"]) == ("refused", "ip_not_allowed", 0)
    assert runs(site) == 0


@pytest.mark.parametrize("fault", ["json-error", "error-event"])
def test_a_slot_is_free_again_after_a_call_that_failed(fault, site):
    key = site.key(concurrency=1)
    site.coze.arm(fault, code=5000, times=1, path="/v3/chat$")
    with client_for(site, key) as client:
        with pytest.raises(openai.APIError):
            client.chat.completions.create(model="gpt-4", messages=QUESTION)
        client.chat.completions.create(model="gpt-4", messages=QUESTION)


@pytest.mark.parametrize("name", ["conversation", "idempotency key"])
def test_who_comes_too_early_is_told_to_come_back_in_a_second(name, site, client, key):
    slow = {"model": "gpt-4", "messages": [{"role": "user", "content": "slowly count to 60"}]}
    if name == "conversation":
        raw = client.chat.completions.with_raw_response.create(
            model="gpt-4", messages=QUESTION, extra_headers={"X-Conversation-Id": "new"}
        )
        headers = {"X-Conversation-Id": raw.headers["x-conversation-id"]}
    else:
        headers = {"Idempotency-Key": "early"}
    stream = client.chat.completions.create(**slow, stream=True, extra_headers=headers)
    next(iter(stream))
    with pytest.raises(openai.ConflictError) as refused:
        client.chat.completions.create(**slow, stream=True, extra_headers=headers)
    assert refused.value.response.headers["retry-after"] == "1"
    list(stream)


async def test_no_sixty_seconds_hold_more_calls_than_the_limit(settings, monkeypatch):
    """On a clock that is set: neither at the turn of a minute nor anywhere else."""
    settings.REDIS_URL = ""
    now = 1_800_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    counter, granted, chance = Counter(), [], random.Random(19)
    for _ in range(400):
        if (await counter.hit("requests-1", limit=3)).granted:
            granted.append(now)
        now += chance.choice([0.1, 0.5, 2, 20, 45])
    assert len(granted) >= 100
    assert min(later - first for first, later in zip(granted, granted[3:], strict=False)) >= 60


@pytest.mark.slow
def test_a_client_that_was_too_quick_waits_as_it_is_told_and_is_answered(site):
    """A minute is a minute: this one waits for it."""
    key = site.key(requests_per_minute=1)
    began = time.monotonic()
    with client_for(site, key, max_retries=2) as client:
        for _ in range(2):
            found = client.chat.completions.create(model="gpt-4", messages=QUESTION)
            assert found.choices[0].message.content == "1 2 3 4 5"
    assert time.monotonic() - began > 30
    statuses = [record["status"] for record in until(lambda: site.records(secret=key))]
    assert statuses.count("completed") == 2
    assert 1 <= statuses.count("refused") <= 2
