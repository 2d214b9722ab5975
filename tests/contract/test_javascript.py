"""The official JavaScript SDK against the emulator (the end of the list of conformance calls)."""

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

from cozechat.emulator.process import RunningEmulator

HERE = Path(__file__).parent / "js"
INSTALLED = Path(__file__).parents[2] / "var" / "contract-js"
SECONDS = 180
WITHOUT_PROXY = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


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
    """The SDK as the lock file has it, installed once outside the repository's own files."""
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
            absent(f"the JavaScript SDK could not be installed: {done.stderr[-500:]}")
        with contextlib.suppress(OSError):
            draft.rename(place)
        shutil.rmtree(draft, ignore_errors=True)
    shutil.copy(HERE / "contract.mjs", place)
    return place


@pytest.fixture(scope="session")
def outcomes(emulator: RunningEmulator) -> Any:
    """Every check's value, or the error that it ended with."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        absent("node and npm are needed for the JavaScript SDK")
    known = emulator.credentials
    given = {
        "baseURL": emulator.base_url,
        "clientId": known.client_id,
        "publicKeyId": known.public_key_id,
        "privateKey": known.private_key,
        "ids": {
            "app": known.app_id,
            "bot": known.bot_id,
            "workflow": known.workflow_id,
            "run": known.run_workflow_id,
            "question": known.question_workflow_id,
        },
    }
    environment = WITHOUT_PROXY | {"COZE_CONTRACT": json.dumps(given)}
    done = run(["node", "contract.mjs"], place=install(), **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def value(outcomes: Any, name: str) -> Any:
    assert "error" not in outcomes[name], outcomes[name]
    return outcomes[name]["value"]


def events(outcomes: Any, name: str) -> list[str]:
    return [event["event"] for event in value(outcomes, name)]


def said(events: list[Any]) -> str:
    deltas = [event["data"]["content"] for event in events if event["event"] == "conversation.message.delta"]
    return "".join(deltas)


def test_a_token_is_traded_for_a_session(outcomes: Any) -> None:
    token = value(outcomes, "token")
    assert token["access_token"].startswith("czs_")
    assert token["expires_in"] > 10**9
    assert outcomes["wrongKeyId"]["error"]["message"]


def test_conversations_are_made_listed_and_cleared(outcomes: Any) -> None:
    all_of_it = value(outcomes, "conversations")
    made, cleared, found = all_of_it["made"], all_of_it["cleared"], all_of_it["found"]
    assert made["meta_data"] == {"k": "v"}
    assert made["id"] in [each["id"] for each in all_of_it["listed"]["conversations"]]
    assert cleared["id"] == found["last_section_id"] != made["last_section_id"]
    assert all_of_it["bare"]["id"]


@pytest.mark.parametrize("name", ["workflowChat", "botStream"])
def test_a_chat_is_streamed_to_its_end(outcomes: Any, name: str) -> None:
    assert events(outcomes, name) == [
        "conversation.chat.created",
        "conversation.chat.in_progress",
        *["conversation.message.delta"] * 3,
        *["conversation.message.completed"] * 2,
        "conversation.chat.completed",
        "done",
    ]
    assert said(value(outcomes, name)) == "1 2 3"


def test_a_refusal_before_the_stream_is_an_error_event(outcomes: Any) -> None:
    (event,) = value(outcomes, "refusedWorkflowChat")
    assert event["event"] == "error"
    refusal = event["data"] if isinstance(event["data"], dict) else json.loads(event["data"])
    assert refusal["code"] == 4200


def test_a_bot_is_polled(outcomes: Any) -> None:
    polled = value(outcomes, "createAndPoll")
    assert polled["chat"]["status"] == "completed"
    assert [message["type"] for message in polled["messages"]] == ["answer", "verbose"]
    by_hand = value(outcomes, "chatByHand")
    assert by_hand["found"]["status"] == "in_progress"
    assert by_hand["canceled"]["status"] == "canceled"


def test_a_picture_is_uploaded_and_shown(outcomes: Any) -> None:
    picture = value(outcomes, "picture")
    size = (HERE / "package.json").stat().st_size
    assert (picture["file"]["bytes"], picture["found"]["file_name"]) == (size, "package.json")
    assert picture["last"]["data"]["status"] == "completed"


def test_a_workflow_runs_at_once_and_for_later(outcomes: Any) -> None:
    assert json.loads(value(outcomes, "run")["data"]) == {"output": "1 2 3"}
    (history,) = value(outcomes, "runLater")["history"]
    assert history["execute_status"] == "Success"


def test_a_workflow_streams_and_is_resumed(outcomes: Any) -> None:
    assert events(outcomes, "runStream") == [*["Message"] * 4, "Done"]
    assert [event["event"] for event in value(outcomes, "resumed")["first"]] == ["Message", "Interrupt"]
    assert value(outcomes, "resumed")["rest"][-1]["event"] == "Done"


def test_refusals_are_errors_of_the_right_kind(outcomes: Any) -> None:
    assert outcomes["deadToken"]["error"]["name"] == "AuthenticationError"
    assert outcomes["deadToken"]["error"]["code"] == 4100
    assert outcomes["foreign"]["error"]["code"] == 4002
