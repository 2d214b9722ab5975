"""Workflow runs: what goes over the wire, and what comes of results, histories, nodes and interrupts."""

import json
from dataclasses import replace
from typing import Any

import pytest

from cozechat.coze import errors
from cozechat.coze.outputs import RunOutput
from cozechat.coze.refusals import AlreadyEnded
from cozechat.coze.run_records import Interrupt, NodeState, RunResult, StartedRun, WorkflowRun
from cozechat.coze.statuses import Status
from cozechat.coze.types import Usage
from tests.coze.asking import ask, hear, refusal, unsent
from tests.coze.wire import ALICE, HASTY, LOG_ID, Script, Step, envelope, response, until_close

WORKFLOW, EXECUTION = "7480012345678902005", "7480012345678909001"
RUN = WorkflowRun(workflow_id=WORKFLOW, parameters={"input": "你好"})
DEBUG = f"https://www.coze.cn/work_flow?execute_id={EXECUTION}&space_id=7&workflow_id={WORKFLOW}"
EVENT = {"event_id": "7404830425073352713/2769808280134765896", "type": 2, "data": ""}
INTERRUPT = Interrupt("7404830425073352713/2769808280134765896", 2)
RESULT = {
    "debug_url": DEBUG,
    "execute_id": EXECUTION,
    "usage": {"input_count": 50, "token_count": 150, "output_count": 100},
}
HISTORY = {
    "execute_id": EXECUTION,
    "execute_status": "Success",
    "bot_id": "0",
    "connector_id": "1024",
    "connector_uid": "u_alice",
    "run_mode": 2,
    "output": '{"Output":"{\\"output\\":\\"hi\\"}","node_status":"{}"}',
    "create_time": "1730174063",
    "update_time": 1730174065,
    "error_code": "",
    "error_message": "",
    "debug_url": DEBUG,
    "usage": {"input_count": 1, "output_count": 2, "token_count": 3},
    "node_execute_status": {
        "End": {"node_id": "900001", "is_finish": True, "node_execute_uuid": "78923", "loop_index": 1}
    },
    "is_output_trimmed": True,
    "logid": "20241029",
}


def test_a_run_is_asked_for_in_the_users_name():
    run = replace(RUN, app_id="75", ext={"latitude": "30"}, version="v1")
    found, request = ask(lambda client: client.runs.run(ALICE, run), envelope('{"output":"hi"}', **RESULT))
    assert found == RunResult(EXECUTION, RunOutput('{"output":"hi"}'), Usage(50, 100, 150), debug_url=DEBUG)
    assert found.output.value == {"output": "hi"}
    assert (request.method, request.target) == ("POST", "/v1/workflow/run")
    assert request.json == {
        "workflow_id": WORKFLOW,
        "parameters": {"input": "你好"},
        "app_id": "75",
        "ext": {"user_id": "u_alice", "latitude": "30"},
        "workflow_version": "v1",
        "session_name": "u_alice",
    }


def test_empty_parameters_are_dropped_unless_they_are_meant():
    run = WorkflowRun(WORKFLOW, {"a": None, "b": "", "c": [], "d": {}, "e": 0, "f": False, "g": "x"})
    _, request = ask(lambda client: client.runs.run(ALICE, run), envelope("", **RESULT))
    assert request.json["parameters"] == {"e": 0, "f": False, "g": "x"}
    _, request = ask(
        lambda client: client.runs.run(ALICE, replace(run, drop_empty=False)), envelope("", **RESULT)
    )
    assert request.json["parameters"] == run.parameters


def test_a_run_for_an_app_and_a_bot_is_not_sent():
    both = replace(RUN, app_id="1", bot_id="2")
    assert isinstance(unsent(lambda client: client.runs.run(ALICE, both)), errors.BadRequest)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ('{"output":"a \\"quoted\\"\\nline"}', {"output": 'a "quoted"\nline'}),
        ("[1,2]", [1, 2]),
        ('"text"', "text"),
        ("plain words", "plain words"),
        ("", ""),
        ('{"n":NaN}', '{"n":NaN}'),
        ("[" * 100_000, "[" * 100_000),
        ('{"half":"\\ud83d"}', {"half": "\ufffd"}),
        (None, ""),
        ({"output": "never wrapped"}, {"output": "never wrapped"}),
    ],
)
def test_an_output_is_its_json_or_else_its_text(data: Any, value: Any):
    found, _ = ask(lambda client: client.runs.run(ALICE, RUN), envelope(data, **RESULT))
    assert found.output.value == value


def test_a_run_for_later_is_answered_without_a_code():
    answer = response(json.dumps({"debug_url": DEBUG, "execute_id": EXECUTION, "msg": ""}).encode())
    found, request = ask(lambda client: client.runs.start(ALICE, RUN), answer)
    assert found == StartedRun(EXECUTION, DEBUG)
    assert request.json["is_async"] is True


def test_a_run_for_later_may_be_named_in_its_debug_url_alone():
    found, _ = ask(lambda client: client.runs.start(ALICE, RUN), envelope(debug_url=DEBUG))
    assert found.execute_id == EXECUTION


@pytest.mark.parametrize("body", [b'{"msg":""}', b"[]", b"<html>", b'{"debug_url":"https://[x"}'])
def test_a_run_for_later_that_nobody_could_look_up_is_a_bad_response(body: bytes):
    error = refusal(lambda client: client.runs.start(ALICE, RUN), response(body))
    assert type(error) is errors.BadResponse


def test_later_runs_need_a_paid_plan():
    error = refusal(lambda client: client.runs.start(ALICE, RUN), envelope(code=6003, msg="paid"))
    assert type(error) is errors.QuotaExceeded


def test_a_run_that_fails_says_where_to_look():
    failed = envelope(code=720701013, msg="We're currently experiencing server issues.", debug_url=DEBUG)
    error = refusal(lambda client: client.runs.run(ALICE, RUN), failed)
    assert (type(error), error.code, error.debug_url) == (errors.UpstreamFailed, 720701013, DEBUG)


def test_a_run_may_be_silent_for_longer_than_other_calls():
    """The time limit of the others is 0.2 seconds here."""
    slow = [b"", Step(seconds=0.6), *envelope('{"output":"hi"}', **RESULT)]
    found, _ = ask(lambda client: client.runs.run(ALICE, RUN), slow, limits=HASTY)
    assert found.output.value == {"output": "hi"}
    error = refusal(lambda client: client.runs.start(ALICE, RUN), slow, limits=HASTY)
    assert type(error) is errors.TimedOut


def test_a_run_whose_connection_is_lost_is_not_begun_again():
    async def act(client: Any) -> Any:
        with pytest.raises(errors.ConnectionLost):
            await client.runs.run(ALICE, RUN)

    ask(act, [b"", Step(reset=True)])  # which sees one request, no more


def test_an_interrupted_run_names_what_it_waits_for():
    waiting = {**EVENT, "data": '{"content_type":"text","content":"tea?"}', "required_parameters": {"x": 1}}
    found, _ = ask(lambda client: client.runs.run(ALICE, RUN), envelope("", **RESULT, interrupt_data=waiting))
    assert (found.interrupt.event_id, found.interrupt.kind) == (EVENT["event_id"], 2)
    assert (found.interrupt.question, found.interrupt.required_parameters) == ("tea?", {"x": 1})


@pytest.mark.parametrize(
    ("data", "question"), [("", ""), ("tea?", "tea?"), ('{"x":1}', '{"x":1}'), ("[1]", "[1]")]
)
def test_a_question_is_whatever_words_there_are(data: str, question: str):
    assert replace(INTERRUPT, data=data).question == question


def test_a_run_goes_on_with_the_answer_under_the_name_event_id():
    found, request = ask(
        lambda client: client.runs.resume(ALICE, WORKFLOW, interrupt=INTERRUPT, answer="tea"),
        envelope('{"output":"tea"}', **RESULT),
    )
    assert found.output.value == {"output": "tea"}
    given = {
        "workflow_id": WORKFLOW,
        "event_id": EVENT["event_id"],
        "resume_data": "tea",
        "interrupt_type": 2,
        "session_name": "u_alice",
    }
    assert (request.target, request.json) == ("/v1/workflows/resume", given)
    events, error, request = hear(
        lambda client: client.runs.stream_resume(ALICE, WORKFLOW, interrupt=INTERRUPT, answer="tea"),
        until_close(b"id: 0\nevent: Done\ndata: {}\n\n"),
    )
    assert (len(events), error) == (1, None)
    assert (request.target, request.json) == ("/v1/workflow/stream_resume", given)


def test_nobody_resumes_what_has_ended():
    ended: Script = envelope(code=4315, msg="finished")
    error = refusal(lambda client: client.runs.resume(ALICE, "7", interrupt=INTERRUPT, answer="x"), ended)
    assert type(error) is AlreadyEnded
    _, error, _ = hear(
        lambda client: client.runs.stream_resume(ALICE, "7", interrupt=INTERRUPT, answer="x"), ended
    )
    assert type(error) is AlreadyEnded
    refused = envelope(code=4000, msg="wrong")
    error = refusal(lambda client: client.runs.resume(ALICE, "7", interrupt=INTERRUPT, answer="x"), refused)
    assert type(error) is errors.BadRequest


def looked_up(*rows: Any) -> Any:
    return ask(lambda client: client.runs.history(ALICE, WORKFLOW, EXECUTION), envelope(list(rows)))


def test_a_run_is_looked_up_in_its_workflows_histories():
    found, request = looked_up(HISTORY)
    assert (request.method, request.target) == (
        "GET",
        f"/v1/workflows/{WORKFLOW}/run_histories/{EXECUTION}",
    )
    assert (found.execute_id, found.status, found.usage) == (EXECUTION, Status.COMPLETED, Usage(1, 2, 3))
    assert found.output.value == {"output": "hi"}
    assert (found.created_at, found.updated_at, found.log_id) == (1730174063, 1730174065, "20241029")
    assert (found.error, found.is_output_trimmed, found.interrupt) == (None, True, None)
    assert found.nodes == (NodeState("End", "900001", True, "78923", loop_index=1),)


def test_an_output_that_is_not_wrapped_is_taken_as_it_is():
    assert looked_up({**HISTORY, "output": "plain"})[0].output == RunOutput("plain")
    assert looked_up({**HISTORY, "output": '{"output":1}'})[0].output.value == {"output": 1}
    assert looked_up({**HISTORY, "output": '{"Output":{"a":1}}'})[0].output.value == {"a": 1}


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Running", Status.IN_PROGRESS),
        ("running", Status.IN_PROGRESS),
        ("SUCCESS", Status.COMPLETED),
        ("completed", Status.COMPLETED),
        ("Fail", Status.FAILED),
        ("failed", Status.FAILED),
        ("canceled", Status.CANCELED),
        ("Cancel", Status.CANCELED),
    ],
)
def test_a_state_is_read_in_whatever_case(word: str, status: Status):
    assert looked_up({**HISTORY, "execute_status": word})[0].status is status


def test_a_run_that_waits_for_an_answer_is_not_running():
    found, _ = looked_up({**HISTORY, "execute_status": "Running", "interrupt_data": EVENT})
    assert (found.status, found.interrupt) == (Status.REQUIRES_ACTION, INTERRUPT)
    assert found.status.ended
    found, _ = looked_up({**HISTORY, "execute_status": "Running", "interrupt_data": {"event_id": ""}})
    assert found.status is Status.IN_PROGRESS


def test_a_failed_run_says_why():
    failed = {**HISTORY, "execute_status": "Fail", "error_code": "4028", "error_message": "quota"}
    found, _ = looked_up(failed)
    assert (type(found.error), found.error.code, found.error.log_id) == (
        errors.QuotaExceeded,
        4028,
        "20241029",
    )
    found, _ = looked_up({**failed, "error_code": "", "error_message": ""})
    assert type(found.error) is errors.UpstreamFailed


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (envelope([]), errors.NotFound),
        (envelope(), errors.NotFound),
        (envelope(code=4314, msg="no"), errors.NotFound),
        (envelope([{**HISTORY, "execute_id": "7480012345678909999"}]), errors.BadResponse),
        (envelope([{**HISTORY, "execute_status": "Dreaming"}]), errors.BadResponse),
        (envelope([{}]), errors.BadResponse),
        (envelope(HISTORY), errors.BadResponse),
    ],
)
def test_a_history_that_is_not_this_runs_is_an_error(answer: Script, kind: type):
    assert type(refusal(lambda client: client.runs.history(ALICE, WORKFLOW, EXECUTION), answer)) is kind


def test_a_node_says_what_it_put_out():
    found, request = ask(
        lambda client: client.runs.node_output(ALICE, WORKFLOW, EXECUTION, node_execute_uuid="78/23"),
        envelope({"is_finish": True, "node_output": '{"output":1}'}),
    )
    assert (found.is_finished, found.output.value) == (True, {"output": 1})
    assert request.target.endswith(f"/run_histories/{EXECUTION}/execute_nodes/78%2F23")


def test_a_refused_stream_is_json():
    for code, kind in ((4200, errors.NotPublished), (4100, errors.TokenRefused), (4000, errors.BadRequest)):
        _, error, _ = hear(lambda client: client.runs.stream(ALICE, RUN), envelope(code=code, msg="no"))
        assert (type(error), error and error.log_id) == (kind, LOG_ID)
