"""What the two documents promise their readers: calls with curl, shapes, words of errors, what is written down."""

import json
import re
import shutil
import subprocess

import openai
import pytest
from django.test import AsyncClient

from tests.packages import absent

from .conftest import client_for
from .running import until

QUESTION = [{"role": "user", "content": "count to 5"}]
ANSWER = "1 2 3 4 5"
CHANNEL = """
from datetime import timedelta
from decimal import Decimal
from django.utils import timezone
from accounts.models import User
from cozechat.catalog.models import Assistant
from cozechat.usage import crediting
from cozechat.usage.models import Account, Price, PriceGroup
user, _made = User.objects.get_or_create(username="grouped")
crediting.top_up(user.pk, amount=10**9, ref="grouped", now=timezone.now())
group, _made = PriceGroup.objects.get_or_create(name="half", defaults={"ratio": Decimal("0.5")})
Account.objects.filter(owner=user).update(group=group)
since = timezone.now() - timedelta(hours=1)
"""


def curl(site, key, **body):
    """As it stands in the channel document, but for address and key."""
    if shutil.which("curl") is None:
        absent("curl is needed for the calls of the document")
    command = [
        "curl", "--silent", "--show-error", "--noproxy", "*", "-X", "POST", f"{site.base_url}/chat/completions",
        "-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json", "-d", json.dumps(body),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("model", ["gpt-4", "workflow:{run}", "workflow-async:{long}"])
def test_the_calls_of_the_channel_document_are_answered(model, site, key):
    more = {"workflow_parameters": {"seconds": 0}} if "async" in model else {}
    told = json.loads(curl(site, key, model=model.format(**site.ids), messages=QUESTION, **more))
    assert set(told) - {"coze"} == {"id", "object", "created", "model", "choices", "usage"}
    assert (told["object"], told["id"][:9]) == ("chat.completion", "chatcmpl-")
    (choice,) = told["choices"]
    assert (choice["index"], choice["finish_reason"], choice["message"]["role"]) == (0, "stop", "assistant")
    assert choice["message"]["content"].endswith(ANSWER)
    assert set(told["usage"]) == {"prompt_tokens", "completion_tokens", "total_tokens"}


def test_the_streamed_call_of_the_channel_document_is_answered(site, key):
    told = curl(site, key, model="gpt-4", messages=QUESTION, stream=True).split("\n\n")
    assert told[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(item.removeprefix("data: ")) for item in told[:-2]]
    assert {(chunk["object"], chunk["model"]) for chunk in chunks} == {("chat.completion.chunk", "gpt-4")}
    choices = [chunk["choices"][0] for chunk in chunks]
    assert choices[0]["delta"]["role"] == "assistant"
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["stop"]
    assert choices[-1]["delta"] == {}
    assert "".join(choice["delta"].get("content", "") for choice in choices) == ANSWER


def refusal(client, **more):
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(**({"model": "gpt-4", "messages": QUESTION} | more))
    return refused.value


def test_a_missing_price_is_told_in_the_words_of_the_document(site, client):
    site.colleague.does("""
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.emulator import seed
app, _made = CozeApp.objects.get_or_create(name="priceless", defaults={"base_url": "https://api.coze.cn"})
Assistant.objects.get_or_create(gateway_name="priceless", defaults={
    "app": app, "name": "priceless", "kind": "bot", "bot_id": seed.BOT_ID})
""")
    assert "model ratio not configured" in refusal(client, model="priceless").message


def test_an_empty_balance_is_told_with_what_helps(site):
    site.colleague.does("from accounts.models import User\nUser.objects.get_or_create(username='broke')")
    with client_for(site, site.key("broke")) as client:
        refused = refusal(client)
    assert "balance" in refused.message.lower()
    assert "top it up" in refused.message.lower()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_unpublished_workflow_is_an_error_and_no_empty_answer(stream, site):
    with (
        client_for(site, site.key(allows_unregistered=True)) as client,
        pytest.raises(openai.APIError) as failed,
    ):
        list(client.chat.completions.create(model="workflow:123", messages=QUESTION, stream=stream))
    assert failed.value.code == "4200"


def test_an_error_in_a_streamed_run_is_an_error_of_the_stream(site, client, key):
    site.coze.arm("error-event", after=2, code=5000, times=1)
    words = []
    with pytest.raises(openai.APIError) as failed:
        stream = client.chat.completions.create(model="summary", messages=QUESTION, stream=True)
        words.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert failed.value.code == "5000"
    assert "".join(words).startswith("1")
    (record,) = until(lambda: site.records(secret=key))
    assert (record["status"], record["error_code"]) == ("failed", "5000")


def test_a_call_is_written_down_with_all_that_the_document_lists(site):
    site.colleague.does(CHANNEL)
    with client_for(site, site.key("grouped")) as client:
        raw = client.chat.completions.with_raw_response.create(model="gpt-4", messages=QUESTION, user="u")
    request_id, usage = raw.headers["x-request-id"], raw.parse().usage
    record = site.colleague.does(f"""
from cozechat.usage.models import UsageRecord
row = UsageRecord.objects.get(request_id={request_id!r})
answer = {{"at": row.created_at, "app": row.app.name, "assistant": row.assistant.gateway_name,
           "ratio": str(row.group_ratio), "price": row.price, "key": row.api_key_id, "model": row.model,
           "tokens": [row.input_tokens, row.output_tokens], "cost": row.cost, "who": row.end_user,
           "times": [row.first_token_ms, row.latency_ms], "again": row.recomputed_cost()}}
""")
    assert record["at"]
    assert record["app"]
    assert record["key"]
    assert (record["assistant"], record["model"]) == ("gpt-4", "gpt-4")
    assert float(record["ratio"]) == 0.5
    assert record["tokens"] == [usage.prompt_tokens, usage.completion_tokens]
    assert (
        record["cost"] == record["again"] == (usage.prompt_tokens * 1000 + usage.completion_tokens * 1500) / 2
    )
    assert record["who"].startswith("gw-")
    assert 0 <= record["times"][0] <= record["times"][1]


def test_the_log_line_has_all_that_the_cost_follows_from(site, client):
    raw = client.chat.completions.with_raw_response.create(model="gpt-4", messages=QUESTION)
    (line,) = [
        line for line in site.log.read_text().splitlines() if f"call {raw.headers['x-request-id']}:" in line
    ]
    usage = raw.parse().usage
    for name, value in (
        ("input", usage.prompt_tokens), ("output", usage.completion_tokens), ("total", usage.total_tokens),
    ):  # fmt: skip
        assert f" {name}={value} " in line
    assert re.search(r" cost=0\.\d+ ", line)
    assert re.search(r" group_ratio=1(\.0+)? ", line)
    assert re.search(r"'completion_ratio': '1\.50*'", line)
    assert re.search(r"'input_price': '?1000000", line)


def test_a_workflow_may_have_a_price_of_its_own_for_each_call(site):
    site.colleague.does(CHANNEL)
    ids = site.colleague.does(f"""{CHANNEL}
Price.objects.get_or_create(scope="route", name="workflow:{site.ids["run"]}", defaults={{
    "valid_from": since, "input_price": 0, "output_price": 0, "per_call": 40_000}})
answer = [Assistant.objects.get(gateway_name="summary").pk]
""")
    assert ids
    try:
        with client_for(site, site.key("grouped")) as client:
            by_route = client.chat.completions.with_raw_response.create(
                model=f"workflow:{site.ids['run']}", messages=QUESTION
            )
            by_name = client.chat.completions.with_raw_response.create(model="summary", messages=QUESTION)
    finally:
        site.colleague.does(
            'from cozechat.usage.models import Price\nPrice.objects.filter(scope="route").delete()'
        )
    (dear,) = site.records(by_route.headers["x-request-id"])
    (usual,) = site.records(by_name.headers["x-request-id"])
    assert dear["cost"] == 20_000
    # By its name it costs what the app's price says, like a chat: half of it, for that is the group's ratio.
    assert usual["cost"] * 2 == usual["input_tokens"] * 1000 + usual["output_tokens"] * 1500 > 0


def test_a_price_that_is_said_to_be_nothing_is_free(site):
    site.colleague.does("""
from datetime import timedelta
from django.utils import timezone
from accounts.models import User
from cozechat.usage.models import Price
User.objects.get_or_create(username="guest")
Price.objects.get_or_create(scope="model", name="flow", defaults={
    "valid_from": timezone.now() - timedelta(hours=1), "input_price": 0, "completion_ratio": 1, "is_free": True})
""")
    try:
        with client_for(site, site.key("guest")) as client:
            raw = client.chat.completions.with_raw_response.create(model="flow", messages=QUESTION)
    finally:
        site.colleague.does(
            'from cozechat.usage.models import Price\nPrice.objects.filter(scope="model").delete()'
        )
    (record,) = site.records(raw.headers["x-request-id"])
    assert (record["cost"], record["status"], record["usage_source"]) == (0, "completed", "upstream")


async def test_in_production_a_key_without_https_is_refused(settings):
    settings.HTTPS = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    body = {"model": "gpt-4", "messages": QUESTION}
    for headers, status, code in (
        ({}, 403, "https_required"),
        ({"x-forwarded-proto": "http"}, 403, "https_required"),
    ):
        told = await AsyncClient().post(
            "/v1/chat/completions", body, content_type="application/json",
            headers={"authorization": "Bearer sk-cc-x"} | headers,
        )  # fmt: skip
        assert (told.status_code, told.json()["error"]["code"]) == (status, code)


def test_the_log_holds_neither_keys_nor_words(site):
    key = site.key()
    with client_for(site, key) as client:
        client.chat.completions.create(
            model="gpt-4", messages=[{"role": "user", "content": "My secret word is marzipan."}]
        )
        refusal(client, n=2)
    wrong = f"{key[:-4]}0000"
    with client_for(site, wrong) as client:
        refusal(client)
    log = site.log.read_text()
    assert "call req_" in log
    for secret in (key[8:], wrong[8:], "marzipan"):
        assert secret not in log
