"""The official OpenAI client for Node against the gateway."""

from pathlib import Path
from typing import Any

import pytest

from tests.packages import error, npm, outcomes_of, value

from .running import Site

ANSWER = "1 2 3 4 5"


@pytest.fixture(scope="module")
def found(running_site: Site) -> Any:
    """Every check's value, or the error that it ended with."""
    given = {
        "baseURL": running_site.base_url,
        "key": running_site.key(),
        "workflow": running_site.ids["run"],
    }
    return outcomes_of(["node", "gateway.mjs"], place=npm(Path(__file__).parent / "js"), given=given)


def said(chunks: list[Any]) -> str:
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])


def test_models_are_listed_and_retrieved(found: Any) -> None:
    assert {"gpt-4", "coze-workflow"} <= set(value(found, "models"))
    assert value(found, "model")["object"] == "model"
    refused = error(found, "unknownModel")
    assert (refused["name"], refused["code"]) == ("NotFoundError", "model_not_found")


def test_an_answer_comes_whole_with_its_request_id(found: Any) -> None:
    whole = value(found, "whole")
    assert whole["data"]["choices"][0]["message"]["content"] == ANSWER
    assert whole["data"]["choices"][0]["finish_reason"] == "stop"
    assert whole["request_id"].startswith("req_")


def test_an_answer_comes_in_chunks_and_the_client_is_let_go(found: Any) -> None:
    streamed = value(found, "chunks")
    assert said(streamed["chunks"]) == ANSWER
    assert streamed["chunks"][0]["choices"][0]["delta"]["role"] == "assistant"
    assert streamed["chunks"][-1]["choices"] == []
    assert streamed["chunks"][-1]["usage"] == value(found, "whole")["data"]["usage"]
    assert streamed["took"] < 4000


def test_the_clients_helper_finds_everything_it_asks_for(found: Any) -> None:
    (choice,) = value(found, "helper")["choices"]
    assert (choice["message"]["role"], choice["message"]["content"]) == ("assistant", ANSWER)


def test_the_samples_of_the_workflow_document_run_as_they_are(found: Any) -> None:
    assert value(found, "workflow")["choices"][0]["message"]["content"] == ANSWER
    assert said(value(found, "workflowStream")) == ANSWER


def test_refusals_are_errors_of_the_right_kind(found: Any) -> None:
    assert (error(found, "twoChoices")["name"], error(found, "twoChoices")["param"]) == (
        "BadRequestError",
        "n",
    )
    wrong = error(found, "wrongKey")
    assert (wrong["name"], wrong["code"]) == ("AuthenticationError", "invalid_api_key")
    assert wrong["requestID"].startswith("req_")
    assert error(found, "notThere")["name"] == "NotFoundError"


def test_responses_come_whole_streamed_and_later(found: Any) -> None:
    assert value(found, "response")["output_text"] == ANSWER
    events = value(found, "responseStream")
    assert (events[0], events[-1]) == ("response.created", "response.completed")
    assert value(found, "responseHelper")["output_text"] == ANSWER
    later = value(found, "background")
    assert (later["first"], later["found"]["status"]) == ("in_progress", "completed")
    assert later["text"].endswith(ANSWER)
