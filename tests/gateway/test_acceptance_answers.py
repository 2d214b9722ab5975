"""What becomes of odd answers of Coze's that its stand-in does not give: altered on the wire."""

import json
import re

import pytest

from cozechat import database
from cozechat.usage.models import UsageRecord
from cozechat.usage.reconciling import audit

from .eavesdropping import ask


def without_counts(content):
    """All of Coze's counts are zero, as in the documents' samples."""
    return re.sub(rb'"(token_count|input_count|output_count)":\s?\d+', rb'"\1":0', content)


def with_output(text):
    """A run's output is this, at once and in its history, and Coze wraps both in another way."""

    def alter(content):
        told = json.loads(content)
        if isinstance(told.get("data"), str):
            told["data"] = text
        elif isinstance(told.get("data"), list):
            for execution in told["data"]:
                execution["output"] = json.dumps({"Output": text})
        return json.dumps(told).encode()

    return alter


@pytest.mark.parametrize("model", ["gpt-4", "summary", "long"])
async def test_counts_of_zero_are_missing_ones_and_the_estimate_says_so(model, overheard, overheard_key):
    overheard.alters = without_counts
    told = await ask(overheard_key, model, workflow_parameters={"seconds": 0} if model == "long" else {})
    assert told["coze"]["usage_estimated"] is True
    record = await database.run(UsageRecord.objects.get)
    assert (record.usage_source, record.status) == ("estimated", "completed")
    assert record.cost == record.recomputed_cost() > 0
    assert await database.run(audit) == []


async def test_counts_of_coze_are_not_called_an_estimate(overheard, overheard_key):
    told = await ask(overheard_key, "gpt-4")
    assert "usage_estimated" not in told.get("coze", {})
    assert (await database.run(UsageRecord.objects.get)).usage_source == "upstream"


@pytest.mark.parametrize("model", ["summary", "long"])
async def test_a_run_without_a_word_is_an_error(model, overheard, overheard_key):
    overheard.alters = with_output('{"output": ""}')
    more = {"workflow_parameters": {"seconds": 0}} if model == "long" else {}
    told = await ask(overheard_key, model, status=502, **more)
    assert told["error"]["code"] == "empty_response"
    record = await database.run(UsageRecord.objects.get)
    assert (record.status, record.error_code) == ("failed", "empty_response")


@pytest.mark.parametrize("model", ["summary", "long"])
@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ('{"output": "say \\"hi\\"\\n"}', 'say "hi"\n'),
        ('{"a": "say \\"hi\\"", "b": 2}', '{"a": "say \\"hi\\"", "b": 2}'),
        ("plain words", "plain words"),
    ],
    ids=["one text", "an object", "no JSON"],
)
async def test_an_output_is_told_without_its_envelope(output, shown, model, overheard, overheard_key):
    overheard.alters = with_output(output)
    more = {"workflow_parameters": {"seconds": 0}} if model == "long" else {}
    told = await ask(overheard_key, model, **more)
    assert told["choices"][0]["message"]["content"] == shown


async def test_a_sign_in_that_coze_refuses_is_told_with_its_reason(overheard, overheard_key, settings):
    settings.COZE_JWT_AUDIENCE = "elsewhere.example"
    told = await ask(overheard_key, "gpt-4", status=502)
    assert told["error"]["type"] == "upstream_error"
    assert "aud" in told["error"]["message"]
    assert (await database.run(UsageRecord.objects.get)).cost == 0
