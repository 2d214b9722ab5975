"""Workflow runs through the SDK (conformance 17 and 18)."""

import asyncio
import json
import time
from typing import Any

import pytest

from .sdk import Sdk, async_coze, cozepy, refusal

Kind = cozepy.WorkflowEventType


def test_a_run_answers_at_once(sdk: Sdk) -> None:
    coze = sdk.coze()
    for workflow_id in (sdk.credentials.run_workflow_id, sdk.credentials.workflow_id):
        result = coze.workflows.runs.create(workflow_id=workflow_id, parameters={"input": "count to 3"})
        assert json.loads(result.data) == {"output": "1 2 3"}
        assert result.execute_id in result.debug_url
        assert result.usage.output_count == 3
    plain = coze.workflows.runs.create(workflow_id=workflow_id, parameters={"a": 1})
    assert json.loads(plain.data)["output"]


def finished(coze: Any, place: dict[str, str]) -> Any:
    deadline = time.monotonic() + 10
    while True:
        history = coze.workflows.runs.run_histories.retrieve(**place)
        if history.execute_status != cozepy.WorkflowExecuteStatus.RUNNING:
            return history
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_for_later_is_looked_up_until_it_has_succeeded(sdk: Sdk) -> None:
    coze, workflow_id = sdk.coze(), sdk.credentials.run_workflow_id
    begun = coze.workflows.runs.create(
        workflow_id=workflow_id, parameters={"input": "count to 3"}, is_async=True, ext={"user_id": "7"}
    )
    assert not begun.data
    place = {"workflow_id": workflow_id, "execute_id": begun.execute_id}
    first = coze.workflows.runs.run_histories.retrieve(**place)
    assert (first.execute_status, first.output) == (cozepy.WorkflowExecuteStatus.RUNNING, "")
    history = finished(coze, place)
    assert history.execute_status == cozepy.WorkflowExecuteStatus.SUCCESS
    assert json.loads(json.loads(history.output)["Output"]) == {"output": "1 2 3"}
    assert (history.run_mode, history.connector_uid, history.error_code) == (2, "7", 0)
    for node in history.node_execute_status.values():
        output = coze.workflows.runs.run_histories.execute_nodes.retrieve(
            **place, node_execute_uuid=node.node_execute_uuid
        )
        assert output.is_finish
    assert json.loads(output.node_output) == {"output": "1 2 3"}


def test_a_long_run_takes_as_long_as_it_is_told(sdk: Sdk) -> None:
    coze, workflow_id = sdk.coze(), sdk.credentials.long_workflow_id
    began = time.monotonic()
    begun = coze.workflows.runs.create(
        workflow_id=workflow_id, parameters={"input": "hi", "seconds": 0.6}, is_async=True
    )
    history = finished(coze, {"workflow_id": workflow_id, "execute_id": begun.execute_id})
    assert time.monotonic() - began >= 0.6
    assert history.execute_status == cozepy.WorkflowExecuteStatus.SUCCESS


@pytest.mark.parametrize("later", [False, True])
def test_a_run_can_fail(sdk: Sdk, later: bool) -> None:
    sdk.emulator.arm("run-failed", session_name="failing", times=1)
    coze, workflow_id = sdk.coze(sdk.token("failing")), sdk.credentials.run_workflow_id
    if not later:
        error = refusal(lambda: coze.workflows.runs.create(workflow_id=workflow_id))
        assert (error.code, "execute_id=" in error.debug_url) == (720701013, True)
        return
    begun = coze.workflows.runs.create(workflow_id=workflow_id, is_async=True)
    history = finished(coze, {"workflow_id": workflow_id, "execute_id": begun.execute_id})
    assert (history.execute_status, history.error_code) == (cozepy.WorkflowExecuteStatus.FAIL, 720701013)


def test_a_run_of_somebody_else_answers_like_one_that_does_not_exist(sdk: Sdk) -> None:
    alice, bob, workflow_id = sdk.coze(), sdk.coze(), sdk.credentials.run_workflow_id
    mine = alice.workflows.runs.create(workflow_id=workflow_id, is_async=True).execute_id
    errors = [
        refusal(
            lambda one=one: bob.workflows.runs.run_histories.retrieve(workflow_id=workflow_id, execute_id=one)
        )
        for one in (mine, "7000000000000000001")
    ]
    assert [error.code for error in errors] == [4314, 4314]
    assert errors[0].msg == errors[1].msg
    nodes = alice.workflows.runs.run_histories.execute_nodes
    place = {"workflow_id": workflow_id, "execute_id": mine}
    assert refusal(lambda: nodes.retrieve(**place, node_execute_uuid="1")).code == 4314


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"workflow_id": "7480012345678902999"}, 4200),
        ({"workflow_id": "7480012345678902002"}, 4200),
        ({"app_id": "7480012345678903001", "bot_id": "7480012345678904001"}, 4000),
        ({"app_id": "7480012345678903999"}, 4200),
        ({"bot_id": "7480012345678904999"}, 4006),
    ],
)
def test_a_wrong_run_is_refused(sdk: Sdk, changes: dict[str, str], code: int) -> None:
    given = {"workflow_id": sdk.credentials.run_workflow_id} | changes
    coze = sdk.coze()
    assert refusal(lambda: coze.workflows.runs.create(**given)).code == code
    assert refusal(lambda: coze.workflows.runs.stream(**given)).code == code


def text(events: list[Any]) -> str:
    spoken = [event.message for event in events if event.event == Kind.MESSAGE]
    return "".join(message.content for message in spoken if message.node_title == "Message")


def test_a_run_streams_its_nodes(sdk: Sdk) -> None:
    coze = sdk.coze()
    stream = coze.workflows.runs.stream(
        workflow_id=sdk.credentials.run_workflow_id,
        parameters={"input": "count to 5"},
        app_id=sdk.credentials.app_id,
    )
    assert stream.response.logid
    events = list(stream)
    assert [event.id for event in events] == list(range(6))
    assert text(events) == "1 2 3 4 5"
    spoken = [event.message for event in events]
    assert [message.node_seq_id for message in spoken] == ["0", "1", "2", "3", "4", "0"]
    assert [message.node_is_finish for message in spoken] == [False] * 4 + [True, True]
    assert json.loads(spoken[-1].content) == {"output": "1 2 3 4 5"}
    assert spoken[-1].usage.output_count == 5


def test_a_run_streams_asynchronously_too(sdk: Sdk) -> None:
    async def main() -> None:
        async with async_coze(sdk, sdk.token("async run")) as coze:
            runs, workflow_id = coze.workflows.runs, sdk.credentials.run_workflow_id
            stream = runs.stream(workflow_id=workflow_id, parameters={"input": "count to 2"})
            assert text([event async for event in stream]) == "1 2"
            result = await runs.create(workflow_id=workflow_id, parameters={"input": "count to 2"})
            assert json.loads(result.data) == {"output": "1 2"}
            place = {"workflow_id": workflow_id, "execute_id": result.execute_id}
            assert (await runs.run_histories.retrieve(**place)).execute_status == "Success"

    asyncio.run(main())


def test_heartbeats_are_unknown_events_and_harm_nothing(sdk: Sdk) -> None:
    coze = sdk.coze(sdk.token("patient"))
    sdk.emulator.arm("ping", session_name="patient", times=1)
    run = {"workflow_id": sdk.credentials.run_workflow_id, "parameters": {"input": "count to 2"}}
    events = list(coze.workflows.runs.stream(**run))
    assert [event.event for event in events].count(Kind.UNKNOWN) == 2
    assert text(events) == "1 2"
    long = {"workflow_id": sdk.credentials.long_workflow_id, "parameters": {"input": "x", "seconds": 0.2}}
    assert [event.event for event in coze.workflows.runs.stream(**long)].count(Kind.UNKNOWN) == 10


def test_an_interrupted_run_goes_on_with_the_answer(sdk: Sdk) -> None:
    coze, workflow_id = sdk.coze(), sdk.credentials.question_workflow_id
    events = list(coze.workflows.runs.stream(workflow_id=workflow_id, parameters={"input": "hi"}))
    assert [event.event for event in events] == [Kind.MESSAGE, Kind.INTERRUPT]
    interrupt = events[-1].interrupt.interrupt_data
    assert interrupt.type == 2
    given = {"workflow_id": workflow_id, "event_id": interrupt.event_id, "interrupt_type": 2}
    bob = sdk.coze()
    assert refusal(lambda: bob.workflows.runs.resume(**given, resume_data="tea")).code == 4314
    rest = list(coze.workflows.runs.resume(**given, resume_data="tea"))
    assert rest[0].id == 0
    assert "**tea**" in text(rest)
    assert refusal(lambda: coze.workflows.runs.resume(**given, resume_data="tea")).code == 4315


def test_an_error_in_a_run_is_an_event(sdk: Sdk) -> None:
    coze = sdk.coze(sdk.token("erring"))
    sdk.emulator.arm("error-event", code=4000, msg="missing", session_name="erring", times=1)
    events = list(coze.workflows.runs.stream(workflow_id=sdk.credentials.run_workflow_id))
    assert events[-1].event == Kind.ERROR
    assert (events[-1].error.error_code, events[-1].error.error_message) == (4000, "missing")
