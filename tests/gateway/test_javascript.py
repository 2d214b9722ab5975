"""The official OpenAI client for Node against the gateway."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from .running import Site

HERE = Path(__file__).parent / "js"
INSTALLED = Path(__file__).parents[2] / "var" / "gateway-js"
SECONDS = 180
ANSWER = "1 2 3 4 5"


def absent(why: str) -> None:
    """Skips where a person works, and fails where everything has to be there."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def run(command: list[str], *, place: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=place,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def install() -> Path:
    """The client as the lock file has it, installed once outside the repository's own files."""
    lock = (HERE / "package-lock.json").read_bytes()
    place = INSTALLED / hashlib.sha256(lock).hexdigest()[:16]
    if not place.is_dir():
        INSTALLED.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=INSTALLED))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, draft)
        done = run(["npm", "ci", "--ignore-scripts", "--omit=peer", "--no-audit", "--no-fund"], place=draft)
        if done.returncode:
            shutil.rmtree(draft)
            absent(f"the client for Node could not be installed: {done.stderr[-500:]}")
        with contextlib.suppress(OSError):
            draft.rename(place)
        shutil.rmtree(draft, ignore_errors=True)
    shutil.copy(HERE / "gateway.mjs", place)
    return place


@pytest.fixture(scope="module")
def outcomes(running_site: Site) -> Any:
    """Every check's value, or the error that it ended with."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        absent("node and npm are needed for the client for Node")
    given = {
        "baseURL": running_site.base_url,
        "key": running_site.key(),
        "workflow": running_site.ids["run"],
    }
    environment = {"COZECHAT_GATEWAY": json.dumps(given), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = run(["node", "gateway.mjs"], place=install(), **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def value(outcomes: Any, name: str) -> Any:
    assert "error" not in outcomes[name], outcomes[name]
    return outcomes[name]["value"]


def error(outcomes: Any, name: str) -> Any:
    assert "error" in outcomes[name], outcomes[name]
    return outcomes[name]["error"]


def said(chunks: list[Any]) -> str:
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])


def test_models_are_listed_and_retrieved(outcomes: Any) -> None:
    assert {"gpt-4", "coze-workflow"} <= set(value(outcomes, "models"))
    assert value(outcomes, "model")["object"] == "model"
    refused = error(outcomes, "unknownModel")
    assert (refused["name"], refused["code"]) == ("NotFoundError", "model_not_found")


def test_an_answer_comes_whole_with_its_request_id(outcomes: Any) -> None:
    whole = value(outcomes, "whole")
    assert whole["data"]["choices"][0]["message"]["content"] == ANSWER
    assert whole["data"]["choices"][0]["finish_reason"] == "stop"
    assert whole["request_id"].startswith("req_")


def test_an_answer_comes_in_chunks_and_the_client_is_let_go(outcomes: Any) -> None:
    found = value(outcomes, "chunks")
    assert said(found["chunks"]) == ANSWER
    assert found["chunks"][0]["choices"][0]["delta"]["role"] == "assistant"
    assert found["chunks"][-1]["choices"] == []
    assert found["chunks"][-1]["usage"] == value(outcomes, "whole")["data"]["usage"]
    assert found["took"] < 4000


def test_the_clients_helper_finds_everything_it_asks_for(outcomes: Any) -> None:
    found = value(outcomes, "helper")
    assert found["choices"][0]["message"]["role"] == "assistant"
    assert found["choices"][0]["message"]["content"] == ANSWER


def test_the_samples_of_the_workflow_document_run_as_they_are(outcomes: Any) -> None:
    assert value(outcomes, "workflow")["choices"][0]["message"]["content"] == ANSWER
    assert said(value(outcomes, "workflowStream")) == ANSWER


def test_refusals_are_errors_of_the_right_kind(outcomes: Any) -> None:
    assert (error(outcomes, "twoChoices")["name"], error(outcomes, "twoChoices")["param"]) == (
        "BadRequestError",
        "n",
    )
    wrong = error(outcomes, "wrongKey")
    assert (wrong["name"], wrong["code"]) == ("AuthenticationError", "invalid_api_key")
    assert wrong["requestID"].startswith("req_")
    assert error(outcomes, "notThere")["name"] == "NotFoundError"


def test_responses_come_whole_streamed_and_later(outcomes: Any) -> None:
    assert value(outcomes, "response")["output_text"] == ANSWER
    events = value(outcomes, "responseStream")
    assert (events[0], events[-1]) == ("response.created", "response.completed")
    assert value(outcomes, "responseHelper")["output_text"] == ANSWER
    later = value(outcomes, "background")
    assert (later["first"], later["found"]["status"]) == ("in_progress", "completed")
    assert later["text"].endswith(ANSWER)
