"""LangChain's `ChatOpenAI` against the gateway, unchanged but for address and key, with its own retries."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.packages import error, outcomes_of, pip, value

from .running import Site
from .test_ai_sdk import PENNILESS

HERE = Path(__file__).parent / "langchain"
ANSWER = "1 2 3 4 5"


@pytest.fixture(scope="module")
def keys(running_site: Site) -> dict[str, str]:
    running_site.colleague.does(PENNILESS)
    return {"alice": running_site.key(), "penniless": running_site.key("penniless"), "wrong": "sk-cc-wrong"}


@pytest.fixture(scope="module")
def found(running_site: Site, keys: dict[str, str]) -> Iterator[Any]:
    """Every check's value, or the error that it ended with; and under which names Coze was asked."""
    packages = pip(HERE)
    running_site.coze.reset_ledger()
    given = {"base_url": running_site.base_url, "keys": keys, "workflow": running_site.ids["run"]}
    command = [sys.executable, "-P", str(HERE / "calls.py")]
    quiet = {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"}
    outcomes = outcomes_of(command, place=packages, given=given, PYTHONPATH=str(packages), **quiet)
    yield outcomes | {"ledger": running_site.coze.ledger()}


@pytest.mark.parametrize("call", ["invoke", "ainvoke", "responses", "workflow"])
def test_an_answer_comes_whole_and_counted(call: str, found: Any) -> None:
    whole = value(found, call)
    assert whole["text"] == ANSWER
    assert whole["usage"]["input_tokens"] > 0 < whole["usage"]["output_tokens"]


@pytest.mark.parametrize("call", ["stream", "astream", "responses, streamed"])
def test_an_answer_comes_in_pieces_and_counted(call: str, found: Any) -> None:
    streamed = value(found, call)
    assert streamed["text"] == ANSWER
    assert streamed["pieces"] > 1
    assert streamed["usage"]["total_tokens"] == value(found, "invoke")["usage"]["total_tokens"]


@pytest.mark.parametrize("call", ["invoke", "stream", "astream"])
def test_an_answer_says_that_it_has_ended(call: str, found: Any) -> None:
    assert value(found, call)["finish_reason"] == "stop"


def test_the_system_message_and_the_history_are_heard(found: Any) -> None:
    assert "Zoe" in value(found, "history")["text"]


@pytest.mark.parametrize(
    ("call", "kind", "status", "code"),
    [
        ("wrong key", "AuthenticationError", 401, "invalid_api_key"),
        ("unknown model", "NotFoundError", 404, "model_not_found"),
        ("no money", "RateLimitError", 429, "insufficient_quota"),
        ("no money, streamed", "RateLimitError", 429, "insufficient_quota"),
    ],
)
def test_a_refusal_is_an_error_of_the_right_kind(
    call: str, kind: str, status: int, code: str, found: Any
) -> None:
    refused = error(found, call)
    assert kind in refused["kinds"]
    assert (refused["status"], refused["code"]) == (status, code)


def test_a_lack_of_money_is_not_asked_about_again(
    running_site: Site, keys: dict[str, str], found: Any
) -> None:
    """LangChain leaves retries to OpenAI's client, which makes two of a 429 unless it is told not to."""
    records = running_site.records(secret=keys["penniless"])
    assert [record["error_code"] for record in records] == ["insufficient_quota"] * 2


def test_a_failure_in_the_stream_is_an_error_and_no_end(found: Any) -> None:
    assert error(found, "cut short")["code"] == "workflow_interrupted"


def test_each_user_has_a_session_of_their_own(running_site: Site, keys: dict[str, str], found: Any) -> None:
    assert value(found, "alice")["text"] == value(found, "bob")["text"] == ANSWER
    # Alice, Bob, and the key that named nobody.
    assert len(found["ledger"]["chats_per_session"]) == 3
    assert found["ledger"]["session_name_mismatches"] == []
    assert len({record["end_user"] for record in running_site.records(secret=keys["alice"])}) == 3


def test_a_conversation_goes_on_for_who_began_it_and_for_nobody_else(found: Any) -> None:
    talk = value(found, "conversation")
    assert "Zoe" in talk["text"]
    hers, nobodys = talk["bobs"]
    assert hers == nobodys
    assert hers[0] == 404
