"""The official JavaScript SDK against the emulator (the end of the list of conformance calls)."""

import json
from pathlib import Path
from typing import Any

import pytest

from cozechat.emulator.process import RunningEmulator
from tests.packages import npm, outcomes_of, value

HERE = Path(__file__).parent / "js"


@pytest.fixture(scope="session")
def outcomes(emulator: RunningEmulator) -> Any:
    """Every check's value, or the error that it ended with."""
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
    return outcomes_of(["node", "contract.mjs"], place=npm(HERE), given=given)


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
