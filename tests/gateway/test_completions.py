"""Chat completions through the official Python client."""

import asyncio
import base64
import json
import re
import time

import httpx
import openai
import pytest

from .conftest import client_for
from .running import until

QUESTION = [{"role": "user", "content": "count to 5"}]
ANSWER = "1 2 3 4 5"
MODELS = ["gpt-4", "flow", "summary", "bot:{bot}", "workflow:{run}"]
LINE = re.compile(rb": [^\n]*|data: (\{.*\}|\[DONE\])|")
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n not much of a picture").decode()


@pytest.fixture(params=MODELS)
def model(request, site):
    return request.param.format(**site.ids)


def said(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_an_answer_comes_whole(client, model):
    found = client.chat.completions.create(model=model, messages=QUESTION)
    assert found.id.startswith("chatcmpl-")
    assert (found.object, found.model) == ("chat.completion", model)
    assert abs(found.created - time.time()) < 60
    assert found.choices[0].message.content == ANSWER
    assert (found.choices[0].message.role, found.choices[0].finish_reason) == ("assistant", "stop")
    usage = found.usage
    assert usage.prompt_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_an_answer_comes_in_chunks(client, model):
    chunks = list(client.chat.completions.create(model=model, messages=QUESTION, stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.role for chunk in chunks[1:]] == [None] * (len(chunks) - 1)
    assert said(chunks) == ANSWER
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert [chunk for chunk in chunks if chunk.usage] == []


def test_the_counts_of_a_stream_are_those_of_the_whole(client, model):
    whole = client.chat.completions.create(model=model, messages=QUESTION)
    options = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(model=model, messages=QUESTION, stream=True, stream_options=options)
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage.model_dump() == whole.usage.model_dump()
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


def test_the_clients_helper_for_streams_gets_a_whole_completion(client):
    with client.chat.completions.stream(model="gpt-4", messages=QUESTION) as stream:
        found = stream.get_final_completion()
    assert found.choices[0].message.role == "assistant"
    assert (found.choices[0].message.content, found.choices[0].finish_reason) == (ANSWER, "stop")


async def test_the_asynchronous_client_gets_the_same(site, key):
    async with openai.AsyncOpenAI(base_url=site.base_url, api_key=key, max_retries=0) as client:
        whole = await client.chat.completions.create(model="gpt-4", messages=QUESTION)
        stream = await client.chat.completions.create(model="gpt-4", messages=QUESTION, stream=True)
        chunks = [chunk async for chunk in stream]
    assert whole.choices[0].message.content == said(chunks) == ANSWER


def test_a_stream_keeps_to_the_grammar_and_ends_with_its_last_line(site, key):
    body = {"model": "gpt-4", "messages": QUESTION, "stream": True}
    with (
        httpx.Client(trust_env=False, timeout=30) as client,
        client.stream(
            "POST",
            f"{site.base_url}/chat/completions",
            json=body,
            headers={"Authorization": f"Bearer {key}"},
        ) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-request-id"].startswith("req_")
        raw, done_at = b"", 0.0
        for piece in response.iter_raw():
            raw += piece
            done_at = done_at or (time.monotonic() if b"[DONE]" in raw else 0.0)
        closed_after = time.monotonic() - done_at
    lines = raw.split(b"\n")
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert raw.endswith(b"data: [DONE]\n\n")
    assert closed_after < 0.2
    for line in lines:
        if line.startswith(b"data: {"):
            json.loads(line[6:])


def test_a_request_has_its_usage_record_under_the_id_that_the_client_sees(site, key, client):
    raw = client.chat.completions.with_raw_response.create(model="gpt-4", messages=QUESTION)
    (record,) = site.records(raw.headers["x-request-id"])
    usage = raw.parse().usage
    assert (record["input_tokens"], record["output_tokens"]) == (usage.prompt_tokens, usage.completion_tokens)
    assert (record["status"], record["usage_source"], record["model"]) == ("completed", "upstream", "gpt-4")
    assert record["cost"] == usage.prompt_tokens * 1000 + usage.completion_tokens * 1500
    assert record["coze_chat_id"]
    assert site.records(secret=key)[0] == record
    (line,) = [line for line in site.log.read_text().splitlines() if f"call {record['request_id']}:" in line]
    assert f"total={usage.total_tokens}" in line
    assert "count to" not in line


def test_what_cannot_be_set_is_named_in_a_header(client):
    raw = client.chat.completions.with_raw_response.create(
        model="gpt-4", messages=QUESTION, temperature=0.2, max_tokens=50, stop=["x"]
    )
    assert set(raw.headers["x-cozechat-ignored"].split(",")) == {"temperature", "max_tokens", "stop"}


def test_pictures_reach_the_bot(site, client):
    parts = [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        {"type": "image_url", "image_url": {"url": "https://example.invalid/cat.png"}},
    ]
    found = client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": parts}])
    assert "[image] [image]" in found.choices[0].message.content
    assert site.coze.ledger()["requests"]["POST /v1/files/upload"] == 1


def test_a_chat_workflow_says_that_it_takes_no_pictures(client):
    parts = [{"type": "image_url", "image_url": {"url": "https://example.invalid/cat.png"}}]
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="flow", messages=[{"role": "user", "content": parts}])
    assert refused.value.code == "unsupported_parameter"


def test_history_and_system_messages_reach_the_bot(client):
    messages = [
        {"role": "system", "content": "My name is Zoe."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "what is my name?"},
    ]
    found = client.chat.completions.create(model="gpt-4", messages=messages)
    assert "Zoe" in found.choices[0].message.content


def manners(site, model, **wanted):
    site.colleague.does(f"""
from cozechat.catalog.models import Assistant
from cozechat.gateway.models import Manners
Manners.objects.update_or_create(assistant=Assistant.objects.get(gateway_name={model!r}), defaults={wanted!r})
""")


def test_system_messages_can_be_refused_or_passed_in_a_variable(site, client):
    messages = [
        {"role": "system", "content": "My name is Zoe."},
        {"role": "user", "content": "what is my name?"},
    ]
    try:
        manners(site, "gpt-4", system_messages="reject")
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="gpt-4", messages=messages)
        manners(site, "gpt-4", system_messages="variable", system_variable="SYSTEM")
        found = client.chat.completions.create(model="gpt-4", messages=messages)
        assert "Zoe" not in found.choices[0].message.content
        manners(site, "summary", system_messages="variable", system_variable="query", input_name="other")
    finally:
        manners(site, "gpt-4", system_messages="prepend")
        manners(site, "summary", system_messages="prepend", input_name="")


def test_the_last_message_of_the_user_is_the_question_wherever_it_stands(client):
    messages = [{"role": "user", "content": "count to 3"}, {"role": "assistant", "content": "Well:"}]
    for model in ("gpt-4", "summary"):
        found = client.chat.completions.create(model=model, messages=messages)
        assert found.choices[0].message.content == "1 2 3"


def test_reasoning_and_suggestions_stand_beside_the_answer(site, client):
    site.coze.arm("reasoning", times=2)
    site.coze.arm("follow-ups", times=2)
    whole = client.chat.completions.create(model="gpt-4", messages=QUESTION)
    chunks = list(client.chat.completions.create(model="gpt-4", messages=QUESTION, stream=True))
    assert whole.choices[0].message.content == said(chunks) == ANSWER
    reasoning = "".join(
        (chunk.choices[0].delta.model_extra or {}).get("reasoning_content", "") for chunk in chunks
    )
    assert whole.choices[0].message.model_extra["reasoning_content"] == reasoning != ""
    assert len(whole.model_extra["coze"]["follow_ups"]) == 3


def test_several_answers_are_divided_by_an_empty_line(site, client):
    site.coze.arm("several-answers", times=2, count=2)
    whole = client.chat.completions.create(model="gpt-4", messages=QUESTION)
    chunks = list(client.chat.completions.create(model="gpt-4", messages=QUESTION, stream=True))
    assert whole.choices[0].message.content == said(chunks) == f"{ANSWER}\n\nAnswer 2. 第2个回答。"


@pytest.mark.parametrize(
    "fault", ["line-separators", "one-byte-writes", "huge-delta", "ping", "unknown-event"]
)
def test_whatever_coze_writes_arrives_as_it_was_meant(fault, site, client):
    question = [{"role": "user", "content": "数到 5 👩‍👩‍👧"}]
    site.coze.arm(fault, times=2)
    whole = client.chat.completions.create(model="gpt-4", messages=question)
    chunks = list(client.chat.completions.create(model="gpt-4", messages=question, stream=True))
    assert whole.choices[0].message.content == said(chunks)
    assert whole.choices[0].message.content.endswith("5")


def test_a_question_of_the_flow_is_an_answer(site, client):
    site.coze.arm("requires-action", times=1)
    found = client.chat.completions.create(model="gpt-4", messages=QUESTION)
    assert "吃" in found.choices[0].message.content


def test_nothing_is_left_behind_at_coze(site, client):
    client.chat.completions.create(model="gpt-4", messages=QUESTION)

    gone = "DELETE /v1/conversations/{conversation_id}"
    assert until(lambda: site.coze.ledger()["requests"].get(gone)) == 1


async def test_fifty_streams_at_once_do_not_mix(site, key):
    async def ask(client, number):
        messages = [{"role": "user", "content": f"count to {number}"}]
        stream = await client.chat.completions.create(
            model="gpt-4", messages=messages, stream=True, user=f"user-{number}"
        )
        return said([chunk async for chunk in stream])

    async with openai.AsyncOpenAI(base_url=site.base_url, api_key=key, max_retries=0) as client:
        answers = await asyncio.gather(*(ask(client, number) for number in range(1, 51)))
    assert answers == [" ".join(map(str, range(1, number + 1))) for number in range(1, 51)]
    assert len(site.records(secret=key)) == 50
    assert site.books() == []


def test_the_samples_of_the_workflow_document_run_as_they_are(site, key):
    """Only base_url and key are changed; the model is fixed, the workflow is named beside it."""
    with client_for(site, key) as client:
        found = client.chat.completions.create(
            model="coze-workflow",
            messages=[{"role": "user", "content": "count to 4"}],
            extra_body={"workflow_id": site.ids["run"], "workflow_parameters": {"language": "en"}},
        )
        assert found.choices[0].message.content == "1 2 3 4"
        stream = client.chat.completions.create(
            model="coze-workflow",
            messages=[{"role": "user", "content": "count to 4"}],
            stream=True,
            extra_body={"workflow_id": site.ids["run"]},
        )
        assert said(stream) == "1 2 3 4"


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_in_very_many_pieces_arrives(stream, site, client):
    site.coze.arm("many-deltas", count=20_000, times=1)
    began = time.monotonic()
    found = client.chat.completions.create(model="gpt-4", messages=QUESTION, stream=stream)
    text = said(found) if stream else found.choices[0].message.content
    assert text.split() == [str(number) for number in range(1, 20_001)]
    assert time.monotonic() - began < 60
