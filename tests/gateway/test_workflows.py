"""Runs and long runs: by id, by name, streamed, failed, interrupted, retried."""

import openai
import pytest

from .conftest import client_for
from .running import until

QUESTION = [{"role": "user", "content": "count to 5"}]


def test_a_long_run_is_looked_up_until_it_has_ended(site, client):
    found = client.chat.completions.create(
        model=f"workflow-async:{site.ids['long']}",
        messages=QUESTION,
        extra_body={"workflow_parameters": {"seconds": 1}},
    )
    assert found.choices[0].message.content.endswith("1 2 3 4 5")
    assert found.usage.completion_tokens > 0
    assert found.model_extra["coze"]["execute_id"]
    requests = site.coze.ledger()["requests"]
    assert requests["POST /v1/workflow/run"] == 1
    assert requests["GET /v1/workflows/{workflow_id}/run_histories/{execute_id}"] >= 2


@pytest.mark.parametrize("model", ["long", "coze-workflow-async"])
def test_a_long_run_streams_its_answer_at_its_end(model, site, client):
    body = {"workflow_parameters": {"seconds": 0}}
    if model == "coze-workflow-async":
        body["workflow_id"] = site.ids["long"]
    chunks = list(
        client.chat.completions.create(model=model, messages=QUESTION, stream=True, extra_body=body)
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text.endswith("1 2 3 4 5")
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_run_that_is_not_streamed_is_run_at_once(site, client):
    client.chat.completions.create(model="summary", messages=QUESTION)
    assert site.coze.ledger()["requests"]["POST /v1/workflow/run"] == 1


def test_what_the_client_names_itself_wins_over_the_question(site, client):
    found = client.chat.completions.create(
        model="summary", messages=QUESTION, extra_body={"workflow_parameters": {"input": "count to 2"}}
    )
    assert found.choices[0].message.content == "1 2"


def test_a_run_that_fails_costs_nothing_if_coze_never_began(site, client):
    before = site.balance()
    site.coze.arm("run-failed", times=1)
    with pytest.raises(openai.APIError) as failed:
        client.chat.completions.create(model="summary", messages=QUESTION)
    assert failed.value.code == "720701013"
    assert until(lambda: site.balance() == before)


def test_a_long_run_that_fails_says_why(site, client, key):
    site.coze.arm("run-failed", times=1)
    with pytest.raises(openai.APIError) as failed:
        client.chat.completions.create(
            model="long", messages=QUESTION, extra_body={"workflow_parameters": {"seconds": 0}}
        )
    assert failed.value.code == "720701013"
    (record,) = until(lambda: site.records(secret=key))
    assert (record["status"], bool(record["execute_id"])) == ("failed", True)


@pytest.mark.parametrize("stream", [False, True])
def test_a_run_that_asks_back_tells_how_to_go_on(stream, site, client):
    with pytest.raises(openai.APIError) as failed:
        found = client.chat.completions.create(model="question", messages=QUESTION, stream=stream)
        list(found)
    assert failed.value.code == "workflow_interrupted"
    coze = failed.value.body["coze"]
    assert coze["event_id"]
    assert coze["interrupt_type"] == 2


def test_an_unregistered_workflow_is_called_only_by_a_key_that_may(site, client):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="workflow:7480012345678902004", messages=QUESTION)
    wanted = {"allows_unregistered": True, "models_allowed": ["workflow:*"]}
    with client_for(site, site.key(**wanted)) as raw:
        found = raw.chat.completions.create(model="workflow:7480012345678902004", messages=QUESTION)
        assert found.choices[0].message.content == "1 2 3 4 5"
        with pytest.raises(openai.PermissionDeniedError):
            raw.chat.completions.create(model=f"bot:{site.ids['bot']}", messages=QUESTION)


def test_an_unpublished_workflow_is_a_clear_error(site):
    wanted = {"allows_unregistered": True}
    with client_for(site, site.key(**wanted)) as client, pytest.raises(openai.APIError) as failed:
        client.chat.completions.create(model="workflow:123", messages=QUESTION)
    assert failed.value.status_code == 502
    assert failed.value.message


def test_an_unknown_plain_name_means_the_keys_own_bot(site):
    with client_for(site, site.key(fallback="flow")) as client:
        found = client.chat.completions.create(model="whatever-1", messages=QUESTION)
    assert (found.model, found.choices[0].message.content) == ("whatever-1", "1 2 3 4 5")


@pytest.mark.parametrize("returns", ["while it runs", "when it has ended"])
def test_a_client_that_asks_again_after_a_time_out_gets_the_same_run(returns, site, key):
    """The official client repeats a call that has timed out, and says so in a header."""
    body = {"model": "long", "messages": QUESTION, "workflow_parameters": {"seconds": 2}}
    hasty = openai.OpenAI(base_url=site.base_url, api_key=key, max_retries=0, timeout=0.8)
    with hasty, pytest.raises(openai.APITimeoutError):
        hasty.post("/chat/completions", body=body, cast_to=object)
    if returns == "when it has ended":
        until(lambda: site.records(secret=key))
    with openai.OpenAI(base_url=site.base_url, api_key=key, timeout=30) as client:
        found = client.post(
            "/chat/completions",
            body=body,
            cast_to=object,
            options={"headers": {"x-stainless-retry-count": "1"}},
        )
    assert found["choices"][0]["message"]["content"].endswith("1 2 3 4 5")
    assert site.coze.ledger()["requests"]["POST /v1/workflow/run"] == 1
    assert len(site.records(secret=key)) == 1
