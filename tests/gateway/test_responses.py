"""`/v1/responses` through the official client: whole, streamed, in the background."""

import openai
import pytest

from .conftest import client_for
from .running import until


@pytest.mark.parametrize("model", ["gpt-4", "flow", "summary"])
def test_a_response_comes_whole(model, client):
    found = client.responses.create(model=model, input="count to 5")
    assert found.id.startswith("resp_")
    assert (found.status, found.output_text) == ("completed", "1 2 3 4 5")
    assert found.usage.total_tokens == found.usage.input_tokens + found.usage.output_tokens > 0


def test_messages_and_instructions_are_heard(client):
    found = client.responses.create(
        model="gpt-4",
        instructions="My name is Zoe.",
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "hello"}]},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "what is my name?"},
        ],
    )
    assert "Zoe" in found.output_text


def test_a_streamed_response_has_every_event(client):
    events = list(client.responses.create(model="gpt-4", input="count to 3", stream=True))
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events[4:-4]) == events[-1].response.output_text == "1 2 3"


def test_the_clients_helper_for_streams_gets_a_whole_response(client):
    with client.responses.stream(model="gpt-4", input="count to 3") as stream:
        found = stream.get_final_response()
    assert (found.output_text, found.status) == ("1 2 3", "completed")


async def test_the_asynchronous_client_gets_the_same(site, key):
    async with openai.AsyncOpenAI(base_url=site.base_url, api_key=key, max_retries=0) as client:
        found = await client.responses.create(model="gpt-4", input="count to 3")
    assert found.output_text == "1 2 3"


def test_a_failure_in_the_stream_is_an_event(site, client):
    site.coze.arm("error-event", after=2, times=1)
    events = list(client.responses.create(model="gpt-4", input="count to 9", stream=True))
    assert events[-1].type == "response.failed"
    assert events[-1].response.status == "failed"


def test_a_long_workflow_runs_in_the_background_and_is_fetched(site, client, key):
    begun = client.responses.create(
        model="long", input="count to 5", background=True, extra_body={"workflow_parameters": {"seconds": 1}}
    )
    assert begun.status == "in_progress"
    assert begun.background is True

    def done():
        found = client.responses.retrieve(begun.id)
        return found if found.status != "in_progress" else None

    found = until(done)
    assert (found.id, found.status) == (begun.id, "completed")
    assert found.output_text.endswith("1 2 3 4 5")
    assert len(site.records(secret=key)) == 1


def test_a_response_is_fetched_by_its_own_key_and_end_user_only(site, client):
    made = client.responses.create(model="gpt-4", input="count to 3", user="alice")
    assert client.responses.retrieve(made.id).output_text == "1 2 3"
    as_alice = {"X-End-User-Id": "alice"}
    assert client.responses.retrieve(made.id, extra_headers=as_alice).output_text == "1 2 3"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id, extra_headers={"X-End-User-Id": "bob"})
    for owner in ("bob", "alice"):
        with client_for(site, site.key(owner)) as others, pytest.raises(openai.NotFoundError):
            others.responses.retrieve(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_unknown")


def test_what_shall_not_be_kept_is_not_kept(client):
    made = client.responses.create(model="gpt-4", input="count to 3", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


@pytest.mark.parametrize(
    "more",
    [
        {"input": None},
        {"input": []},
        {"input": [{"type": "function_call_output", "call_id": "1", "output": "x"}]},
        {"previous_response_id": "resp_1"},
        {"tools": [{"type": "web_search"}]},
        {"background": True, "stream": True},
        {"text": {"format": {"type": "json_object"}}},
    ],
)
def test_what_cannot_be_answered_is_refused(more, site, key):
    found = site.post("/v1/responses", key=key, json={"model": "gpt-4", "input": "hi"} | more)
    assert found.status_code == 400
    assert found.json()["error"]["param"]
