"""Bodies of requests and the grammar of answers, as pure functions."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cozechat.gateway.answers import Answer, Counts, Text
from cozechat.gateway.chunks import Chunks, completion, error_event
from cozechat.gateway.errors import Refusal, retry_after
from cozechat.gateway.json_bodies import read_object
from cozechat.gateway.requests import read_chat
from cozechat.gateway.response_events import Events, Response
from cozechat.gateway.response_requests import read_response

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = (
    "model", "messages", "stream", "stream_options", "n", "user", "safety_identifier", "metadata", "tools",
    "max_tokens", "response_format", "modalities", "workflow_id", "workflow_parameters", "input", "text",
    "instructions", "background", "store",
)  # fmt: skip
MESSAGE = st.fixed_dictionaries(
    {}, optional={"role": st.sampled_from(["user", "assistant", "system", "tool", 1]), "content": ANYTHING}
)
BODY = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(NAMES, ANYTHING)
    | {"model": st.text(min_size=1, max_size=5), "messages": st.lists(MESSAGE, max_size=3) | ANYTHING},
)
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@given(BODY)
def test_a_body_is_a_question_or_a_refusal_that_names_a_parameter(body):
    for read in (read_chat, read_response):
        try:
            asked = read(body)
        except Refusal as refusal:
            assert refusal.status == 400
            assert refusal.param
            assert json.dumps(refusal.body())
        else:
            assert asked.question.text or asked.question.attachments


@given(st.binary(max_size=200))
def test_bytes_are_an_object_or_no_valid_json(data):
    try:
        assert isinstance(read_object(data), dict)
    except Refusal as refusal:
        assert refusal.code == "invalid_json"


@given(ANYTHING)
def test_whatever_is_read_can_be_written_again(value):
    body = json.dumps({"k": value}).encode()
    json.dumps(read_object(body), ensure_ascii=False).encode()


def test_half_a_surrogate_is_mended():
    assert read_object(rb'{"a": ["\ud83d\ude00", "\ud83d", {"\udc00": 1}]}') == {"a": ["😀", "�", {"�": 1}]}


@pytest.mark.parametrize(
    ("body", "end_user"),
    [
        ({"user": "a"}, "a"),
        ({"user": {"id": 7}}, "7"),
        ({"user": {"name": "x"}}, ""),
        ({"user": "a", "safety_identifier": "b"}, "b"),
        ({}, ""),
    ],
)
def test_the_end_user_is_found_in_every_shape(body, end_user):
    assert read_chat(CHAT | body).end_user == end_user


def test_parts_become_text_and_attachments():
    parts = [
        {"type": "text", "text": "one"},
        {"type": "image_url", "image_url": {"url": "https://example.invalid/a.png"}},
        {"type": "text", "text": "two"},
    ]
    asked = read_chat({"model": "m", "messages": [{"role": "user", "content": parts}]})
    assert asked.question.text == "one\ntwo"
    assert [attachment.kind for attachment in asked.question.attachments] == ["image"]


def items(raw):
    return [json.loads(line[6:]) for line in raw.decode().splitlines() if line.startswith("data: {")]


@given(st.lists(st.tuples(st.text(), st.text()), max_size=6), st.booleans())
def test_chunks_keep_to_their_grammar_and_add_up_to_the_answer(pieces, include_usage):
    answer = Answer(text="".join(content for content, _ in pieces), counts=Counts(3, 4))
    chunks = Chunks(request_id="req_1", model="m", created=1, include_usage=include_usage)
    spoken = [chunks.text(Text(content, reasoning)) for content, reasoning in pieces]
    raw = b"".join([chunks.opening(), *spoken, chunks.closing(answer)])
    assert raw.endswith(b"data: [DONE]\n\n")
    assert raw.count(b"\n\n") == raw.count(b"data: ")
    found = items(raw)
    choices = [item["choices"][0] for item in found if item["choices"]]
    assert ["role" in choice["delta"] for choice in choices] == [True] + [False] * (len(choices) - 1)
    assert "".join(choice["delta"].get("content", "") for choice in choices) == answer.text
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["stop"]
    assert {item["id"] for item in found} == {"chatcmpl-1"}
    assert [bool(item.get("usage")) for item in found].count(True) == int(include_usage)
    whole = completion(answer, request_id="req_1", model="m", created=1)
    assert whole["choices"][0]["message"]["content"] == answer.text
    assert Answer.from_json(json.loads(json.dumps(answer.as_json()))) == answer


@given(st.lists(st.text(), max_size=6))
def test_events_are_numbered_and_add_up_to_the_response(texts):
    answer = Answer(text="".join(texts))
    events = Events(Response(request_id="req_1", model="m", created=1))
    raw = b"".join([events.opening(), *map(events.text, texts), events.closing(answer)])
    found = items(raw)
    assert [item["sequence_number"] for item in found] == list(range(len(found)))
    assert "".join(item["delta"] for item in found if item["type"].endswith("delta")) == answer.text
    assert found[-1]["response"]["output"][0]["content"][0]["text"] == answer.text


@given(st.floats(min_value=0, max_value=1e9) | st.none())
def test_nobody_is_told_to_sleep_for_more_than_a_minute(seconds):
    headers = retry_after(seconds)
    assert 1 <= int(headers["retry-after"]) <= 60
    assert int(headers["retry-after-ms"]) <= 60_000


def test_an_error_is_told_as_it_was_stored():
    refusal = Refusal(502, "4015", "no", param="model", headers={"a": "b"}, coze={"kind": "x"})
    again = Refusal.from_json(json.loads(json.dumps(refusal.as_json())))
    assert error_event(again) == error_event(refusal)
    assert isinstance(refusal.body()["error"]["code"], str)


@pytest.mark.parametrize("include_usage", [True, False])
@pytest.mark.parametrize("model", ['a"b', '""', '{"content":""}'])
def test_a_models_name_in_quotes_breaks_no_chunk(model, include_usage):
    chunks = Chunks(request_id="req_1", model=model, created=1, include_usage=include_usage)
    (item,) = items(chunks.text(Text('"so"\u2028')) + b"data: [DONE]\n\n")
    assert item["model"] == model
    assert item["choices"][0]["delta"] == {"content": '"so"\u2028'}
    assert ("usage" in item) == include_usage
