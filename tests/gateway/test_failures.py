"""What Coze does wrong: a status of its own before the first word, an error in the stream after it, and what it costs."""

import openai
import pytest

from .conftest import client_for
from .running import until

QUESTION = [{"role": "user", "content": "count to 9"}]


def ask(client, *, stream, model="gpt-4"):
    found = client.chat.completions.create(model=model, messages=QUESTION, stream=stream)
    return list(found) if stream else found


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "fault", "details", "status", "code"),
    [
        ("gpt-4", "json-error", {"code": 4008, "msg": "quota"}, 502, "4008"),
        ("flow", "json-error", {"code": 5000, "msg": "server error"}, 502, "5000"),
        ("gpt-4", "html-502", {"path": "/v3/chat$"}, 502, "upstream_error"),
        ("gpt-4", "rate-limited", {"path": "/v3/chat$", "seconds": 3600}, 429, "rate_limit_exceeded"),
        ("gpt-4", "reset-request", {"path": "/v3/chat$"}, 502, "unreachable"),
        ("gpt-4", "exchange-error", {"error": "invalid_client"}, 502, "auth"),
        ("draft-bot", "", {}, 502, "4015"),
        ("bot:1", "", {}, 404, "model_not_found"),
    ],
)
def test_a_refusal_before_the_first_word_has_a_status_and_costs_nothing(
    model, fault, details, status, code, stream, site, client
):
    before = site.balance()
    if fault:
        site.coze.revoke_tokens()
        site.coze.arm(fault, **details)
    with pytest.raises(openai.APIStatusError) as refused:
        ask(client, stream=stream, model=model)
    assert refused.value.status_code == status
    if code != "auth":
        assert refused.value.code == code
    retry = refused.value.response.headers.get("retry-after")
    assert retry is None or int(retry) <= 60
    assert until(lambda: site.balance() == before)
    assert site.holds() == []


@pytest.mark.parametrize("model", ["gpt-4", "flow"])
@pytest.mark.parametrize(
    ("fault", "details", "code", "source"),
    [
        ("error-event", {"after": 3, "code": 5000}, "5000", "estimated"),
        ("chat-failed", {"after": 3, "code": 5000}, "5000", "estimated"),
        ("chat-failed-bare", {"after": 3}, "720702204", "estimated"),
        ("truncate", {"after": 3, "finish": 0}, "truncated", "estimated"),
        ("truncate", {"after": 3}, "truncated", "upstream"),
        ("half-frame", {"after": 3}, "truncated", "upstream"),
        ("reset", {"after": 3}, "truncated", "upstream"),
        ("garbage-frame", {"after": 3}, "bad_response", "upstream"),
    ],
)
def test_a_failure_after_the_first_word_is_an_error_in_the_stream(
    fault, details, code, source, model, site, client, key
):
    site.coze.arm(fault, times=1, **details)
    words = []
    with pytest.raises(openai.APIError) as failed:
        stream = client.chat.completions.create(model=model, messages=QUESTION, stream=True)
        words.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert failed.value.code == code
    assert "".join(words).startswith("1 2")
    (record,) = until(lambda: site.records(secret=key))
    assert (record["status"], record["error_code"], record["usage_source"]) == ("failed", code, source)
    # If Coze does not say what it has cost, the input is charged, by an estimate that says so.
    assert bool(record["output_tokens"]) == (source == "upstream")
    assert record["cost"] == record["input_tokens"] * 1000 + record["output_tokens"] * 1500
    assert site.books() == []


def test_what_breaks_off_costs_what_coze_counted_for_the_whole_of_it(site, client, key):
    """The chat goes on at Coze for a second; its end is waited for, and not by the client."""
    question = [{"role": "user", "content": "slowly count to 30"}]
    raw = client.chat.completions.with_raw_response.create(model="gpt-4", messages=question)
    (undisturbed,) = site.records(raw.headers["x-request-id"])
    site.coze.arm("reset", times=1, after=1)
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="gpt-4", messages=question, stream=True))
    assert len(site.records(secret=key)) == 1
    record = until(lambda: site.records(secret=key)[1:])[0]
    assert (record["status"], record["cost"]) == ("failed", undisturbed["cost"])
    assert site.coze.ledger()["requests"]["GET /v3/chat/retrieve"] >= 1


def test_a_conversation_is_taken_while_what_broke_off_still_runs_there(site, client, key):
    """Coze would refuse the next question: the site says when to come back instead."""
    raw = client.chat.completions.with_raw_response.create(
        model="gpt-4", messages=QUESTION, extra_headers={"X-Conversation-Id": "new"}
    )
    there = {"X-Conversation-Id": raw.headers["x-conversation-id"]}
    site.coze.arm("reset", times=1, after=1)
    slow = [{"role": "user", "content": "slowly count to 60"}]
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="gpt-4", messages=slow, stream=True, extra_headers=there))
    codes = []

    def answered():
        try:
            return client.chat.completions.create(model="gpt-4", messages=QUESTION, extra_headers=there)
        except openai.APIError as error:
            codes.append(error.code)
            return None

    assert until(answered, seconds=60).choices[0].message.content.endswith("9")
    assert set(codes) == {"conversation_busy"}
    assert len(site.records(secret=key)) == 3
    assert site.books() == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_after_acceptance_is_asked_for_once_only(stream, site, key):
    site.coze.arm("error-event", after=0)
    with client_for(site, key, max_retries=2) as client, pytest.raises(openai.APIError):
        ask(client, stream=stream)
    assert sum(site.coze.ledger()["chats"].values()) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_of_no_words_is_an_error(stream, site, client):
    site.coze.arm("empty-answer", times=1)
    with pytest.raises(openai.APIError) as failed:
        ask(client, stream=stream)
    assert failed.value.code == "empty_response"


def test_another_conversations_words_are_never_passed_on(site, client):
    site.coze.arm("wrong-conversation", times=1)
    with pytest.raises(openai.APIError) as failed:
        ask(client, stream=False)
    assert "1 2 3" not in failed.value.message


def test_a_token_that_coze_has_revoked_is_exchanged_once(site, client):
    ask(client, stream=False)
    site.coze.revoke_tokens()
    assert ask(client, stream=False).choices[0].message.content.endswith("9")
    site.coze.arm("token-invalid", times=1, path="/v3/chat$")
    assert ask(client, stream=False).choices[0].message.content.endswith("9")


def test_a_tool_that_nobody_here_has_is_an_error(client):
    with pytest.raises(openai.APIError) as failed:
        client.chat.completions.create(
            model="tool-bot", messages=[{"role": "user", "content": "look up coffee for me"}]
        )
    assert failed.value.code == "tool_required"
