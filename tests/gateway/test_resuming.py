"""A run that asks back is resumed by whoever was asked, and by nobody else."""

import openai
import pytest

from .conftest import client_for
from .running import until

QUESTION = [{"role": "user", "content": "count to 5"}]
ANSWER = [{"role": "user", "content": "a cup of tea"}]
END = "So it is **a cup of tea**. Thank you; the flow went on and has finished."


def interrupted(client, *, model="question", stream=False, **more):
    """What an interrupted run's error says."""
    with pytest.raises(openai.APIError) as failed:
        list(client.chat.completions.create(model=model, messages=QUESTION, stream=stream, **more))
    assert failed.value.code == "workflow_interrupted"
    return failed.value.body["coze"]


def resumed(client, coze, *, model="question", messages=ANSWER, **more):
    resume = {name: coze[name] for name in ("event_id", "interrupt_type") if name in coze}
    return client.chat.completions.create(
        model=model, messages=messages, extra_body={"coze": {"resume": resume}}, **more
    )


def refusal(client, coze, **more):
    with pytest.raises(openai.APIStatusError) as refused:
        resumed(client, coze, **more)
    return refused.value


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("first", [False, True], ids=["asked whole", "asked streamed"])
def test_an_answer_resumes_the_run_and_is_billed_as_a_call(first, stream, site, client, key):
    coze = interrupted(client, stream=first)
    found = resumed(client, coze, stream=stream)
    if stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in found)
    else:
        text = found.choices[0].message.content
    assert text == END
    asked, answered = until(lambda: len(rows := site.records(secret=key)) == 2 and rows)
    assert (asked["status"], asked["error_code"]) == ("failed", "workflow_interrupted")
    assert (answered["status"], answered["usage_source"]) == ("completed", "upstream")
    assert answered["cost"] > 0
    assert asked["request_id"] != answered["request_id"]
    path = "POST /v1/workflow/stream_resume" if stream else "POST /v1/workflows/resume"
    assert site.coze.ledger()["requests"][path] == 1
    assert site.books() == []


def test_a_long_run_is_resumed_and_looked_up(site, client):
    model = f"workflow-async:{site.ids['question']}"
    coze = interrupted(client, model=model)
    assert resumed(client, coze, model=model).choices[0].message.content.endswith(END)


def test_the_type_need_not_be_said_and_responses_resume_too(client):
    coze = interrupted(client)
    body = {"coze": {"resume": {"event_id": coze["event_id"]}}}
    found = client.responses.create(model="question", input="a cup of tea", extra_body=body)
    assert found.output_text == END


def test_a_run_that_asks_again_is_resumed_again(client):
    coze = interrupted(client)
    with pytest.raises(openai.APIError) as failed:
        resumed(client, coze, messages=[{"role": "user", "content": " "}])
    assert failed.value.code == "workflow_interrupted"
    again = failed.value.body["coze"]
    assert again["event_id"] != coze["event_id"]
    assert resumed(client, again).choices[0].message.content == END


def test_a_run_is_resumed_once(site, client):
    coze = interrupted(client)
    resumed(client, coze)
    before = site.balance()
    refused = refusal(client, coze)
    assert (refused.status_code, refused.code) == (502, "4315")
    assert until(lambda: site.balance() == before)


def test_bob_cannot_answer_for_alice(site, client):
    """He hears exactly what he hears of a run that there never was."""
    coze = interrupted(client, user="alice")
    assert site.holds() == []
    never = coze | {"event_id": "1/2"}
    before = site.balance(), site.balance("bob")

    def bob_tries(bobs, **more):
        refused = refusal(bobs, coze, **more)
        missing = refusal(bobs, never, **more)
        assert (refused.status_code, refused.code, refused.message) == (
            404,
            "interruption_not_found",
            missing.message,
        )

    bob_tries(client, user="bob")
    bob_tries(client)
    for owner in ("alice", "bob"):
        with client_for(site, site.key(owner)) as others:
            bob_tries(others, user="alice")
    # Under another model, or as what it is not, it is none either.
    bob_tries(client, user="alice", model="summary")
    assert refusal(client, coze | {"interrupt_type": 5}, user="alice").code == "interruption_not_found"
    assert (site.balance(), site.balance("bob")) == before
    assert "POST /v1/workflows/resume" not in site.coze.ledger()["requests"]
    assert resumed(client, coze, user="alice").choices[0].message.content == END


@pytest.mark.parametrize(
    ("resume", "param"),
    [
        ("x", "coze.resume"),
        ({}, "coze.resume.event_id"),
        ({"event_id": 5}, "coze.resume.event_id"),
        ({"event_id": "nul\0"}, "coze.resume.event_id"),
        ({"event_id": "1/2", "interrupt_type": "2"}, "coze.resume.interrupt_type"),
    ],
    ids=["text", "empty", "number", "nul", "type"],
)
def test_what_is_no_resumption_is_said(resume, param, client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            model="question", messages=ANSWER, extra_body={"coze": {"resume": resume}}
        )
    assert refused.value.param == param


def test_a_chat_is_not_resumed(client):
    refused = refusal(client, {"event_id": "1/2"}, model="gpt-4")
    assert (refused.status_code, refused.param) == (400, "coze.resume")
