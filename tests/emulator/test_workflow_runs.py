"""Workflow runs, byte for byte and rule by rule."""

import re
import time
from typing import Any

import pytest

from cozechat.emulator import process

from .raw import Session, wait_until

RUN, LONG, QUESTION = "7480012345678902005", "7480012345678902006", "7480012345678902003"


def stream(session: Session, workflow_id: str = RUN, **parameters: Any) -> Any:
    given = {"workflow_id": workflow_id, "parameters": {"input": "count to 3"} | parameters}
    return session.post("/v1/workflow/stream_run", given)


def test_frames_are_numbered_and_their_lines_stand_in_order(alice: Session) -> None:
    reply = stream(alice)
    message = (
        r'id: %d\nevent: Message\ndata: \{"content":"%s","node_is_finish":%s,"node_seq_id":"%d",'
        r'"node_title":"Message"\}\n\n'
    )
    shape = (
        "".join(
            message % (number, text, "true" if number == 2 else "false", number)
            for number, text in enumerate(("1", " 2", " 3"))
        )
        + r'id: 3\nevent: Message\ndata: \{"content":"\{\\"output\\":\\"1 2 3\\"\}","cost":"0\.00",'
        + r'"node_is_finish":true,"node_seq_id":"0","node_title":"End","token":0,"usage":\{.+\}\}\n\n'
        + r'id: 4\nevent: Done\ndata: \{"debug_url":"https://www\.coze\.cn/work_flow\?execute_id=\d+\\u0026.+"\}\n\n'
    )
    assert re.fullmatch(shape, reply.body.decode())
    assert reply.headers["content-type"] == "text/event-stream"


def test_an_interrupt_is_the_last_frame_and_names_its_event(alice: Session) -> None:
    reply = stream(alice, QUESTION)
    assert re.search(
        r'\nid: 1\nevent: Interrupt\ndata: \{"interrupt_data":\{"data":"\{.+\}",'
        r'"event_id":"\d+/\d+","type":2\},"node_title":"问答"\}\n\n$',
        reply.body.decode(),
    )


def test_a_result_stands_at_the_top(alice: Session) -> None:
    reply = alice.post("/v1/workflow/run", {"workflow_id": RUN, "parameters": '{"input":"count to 3"}'})
    assert set(reply.json) == {"code", "msg", "data", "debug_url", "execute_id", "usage", "detail"}
    assert reply.json["data"] == '{"output":"1 2 3"}'


@pytest.mark.parametrize(
    "changes",
    [
        {"workflow_id": None},
        {"parameters": "["},
        {"parameters": "[]"},
        {"parameters": []},
        {"is_async": "yes"},
        {"ext": {"user_id": 1}},
        {"workflow_version": 1},
    ],
)
def test_a_wrong_run_is_4000(alice: Session, changes: dict[str, Any]) -> None:
    for path in ("/v1/workflow/run", "/v1/workflow/stream_run")[: 1 if "is_async" in changes else 2]:
        assert alice.post(path, {"workflow_id": RUN} | changes).json["code"] == 4000


def test_a_run_for_later_goes_on_over_a_restart(tmp_path: Any) -> None:
    with process.start(tmp_path) as first:
        alice = Session(first)
        begun = alice.post(
            "/v1/workflow/run",
            {"workflow_id": LONG, "is_async": True, "parameters": {"seconds": 1, "input": "count to 2"}},
        ).json
        path = f"/v1/workflows/{LONG}/run_histories/{begun['execute_id']}"
        (history,) = alice.get(path).json["data"]
        assert (history["execute_status"], history["output"], history["error_code"]) == ("Running", "", "")
    with process.start(tmp_path) as second:
        again = Session(second, name=alice.name)
        wait_until(lambda: again.get(path).json["data"][0]["execute_status"] == "Success")


def test_a_minute_is_what_a_long_run_takes_unless_told_otherwise(start: Any, alice: Session) -> None:
    body = {"workflow_id": LONG, "is_async": True}
    execute_id = alice.post("/v1/workflow/run", body).json["execute_id"]
    path = f"/v1/workflows/{LONG}/run_histories/{execute_id}"
    assert alice.get(path).json["data"][0]["execute_status"] == "Running"
    brisk = Session(start(arguments=["--long-run-seconds", "0.3"]))
    began = time.monotonic()
    assert "Done" in brisk.post("/v1/workflow/run", {"workflow_id": LONG}).json["data"]
    assert 0.3 <= time.monotonic() - began < 5


def test_a_question_interrupts_runs_of_every_mode_and_is_answered(alice: Session) -> None:
    for is_async in (False, True):
        body = {"workflow_id": QUESTION, "parameters": {"input": "hi"}, "is_async": is_async}
        begun = alice.post("/v1/workflow/run", body).json
        path = f"/v1/workflows/{QUESTION}/run_histories/{begun['execute_id']}"
        (history,) = alice.get(path).json["data"]
        interrupt = history["interrupt_data"] if is_async else begun["interrupt_data"]
        assert history["execute_status"] == "Running"
        answer = {"workflow_id": QUESTION, "event_id": interrupt["event_id"], "interrupt_type": 2}
        for wrong in (
            {"resume_data": None},
            {"interrupt_type": 5},
            {"event_id": interrupt["event_id"] + "0"},
        ):
            given = {"resume_data": "tea"} | answer | wrong
            assert alice.post("/v1/workflows/resume", given).json["code"] == 4000
        done = alice.post("/v1/workflows/resume", {"resume_data": "tea"} | answer).json
        assert "**tea**" in done.get("data", "") or is_async
        wait_until(
            lambda path=path: alice.get(path).json["data"][0]["execute_status"] == "Success", seconds=5
        )


def test_the_common_faults_strike_a_streamed_run(alice: Session, arm: Any) -> None:
    arm("truncate", after=1)
    assert stream(alice).body.count(b"event: ") == 1
    arm("half-frame", after=1)
    assert not stream(alice).body.endswith(b"\n\n")
    arm("unknown-event", after=1)
    assert re.findall(rb"id: (\d)\nevent: (\w+)", stream(alice).body)[:3] == [
        (b"0", b"Message"),
        (b"1", b"PING"),
        (b"2", b"Sparkle"),
    ]
    arm("invalid-utf8", after=1)
    with pytest.raises(UnicodeDecodeError):
        stream(alice).body.decode()
    arm("huge-delta", size=5000)
    assert b"x" * 5000 in stream(alice).body
    arm("many-deltas", count=3000)
    assert stream(alice).body.count(b"event: Message") == 3001
    arm("no-done")
    assert b"event: Done" not in stream(alice).body
    arm("error-event", after=1, code=4000, msg="missing")
    assert stream(alice).body.endswith(
        b'id: 1\nevent: Error\ndata: {"error_code":4000,"error_message":"missing"}\n\n'
    )


def test_a_run_that_errs_is_a_failure_in_its_history(alice: Session, arm: Any) -> None:
    arm("run-failed", code=5000, msg="broken")
    begun = alice.post("/v1/workflow/run", {"workflow_id": RUN, "is_async": True}).json
    path = f"/v1/workflows/{RUN}/run_histories/{begun['execute_id']}"
    wait_until(lambda: alice.get(path).json["data"][0]["execute_status"] == "Fail")
    (history,) = alice.get(path).json["data"]
    assert (history["error_code"], history["error_message"]) == ("5000", "broken")


@pytest.mark.parametrize("seconds", ["nan", "inf", -1, 10**400, 90_000, [], "soon"])
def test_a_nonsensical_duration_counts_as_none_given(alice: Session, seconds: Any) -> None:
    body = {"workflow_id": LONG, "is_async": True, "parameters": {"seconds": seconds}}
    begun = alice.post("/v1/workflow/run", body).json
    path = f"/v1/workflows/{LONG}/run_histories/{begun['execute_id']}"
    assert alice.get(path).json["data"][0]["execute_status"] == "Running"


def test_a_free_plan_runs_nothing_for_later(start: Any) -> None:
    alice = Session(start(arguments=["--free-plan"]))
    codes = [
        alice.post("/v1/workflow/run", {"workflow_id": RUN, "is_async": later}).json["code"]
        for later in (False, True)
    ]
    assert codes == [0, 6003]


def test_a_run_that_is_waited_for_too_long_loses_its_connection(start: Any) -> None:
    alice = Session(start(arguments=["--sync-seconds", "0.2", "--long-run-seconds", "0.4"]))
    with pytest.raises(ConnectionError):
        alice.post("/v1/workflow/run", {"workflow_id": LONG})
    assert alice.post("/v1/workflow/run", {"workflow_id": RUN}).json["code"] == 0


def test_an_empty_answer_is_asked_for_again_and_the_fourth_is_refused(alice: Session) -> None:
    begun = alice.post("/v1/workflow/run", {"workflow_id": QUESTION}).json
    seen = [begun["interrupt_data"]["event_id"]]
    for _ in range(3):
        given = {
            "workflow_id": QUESTION,
            "event_id": seen[-1],
            "resume_data": " ",
            "interrupt_type": 2,
        }
        seen.append(alice.post("/v1/workflows/resume", given).json["interrupt_data"]["event_id"])
    assert len(set(seen)) == 4
    given = {"workflow_id": QUESTION, "event_id": seen[-1], "resume_data": "tea", "interrupt_type": 2}
    assert alice.post("/v1/workflows/resume", given).json["code"] == 4000
    assert alice.post("/v1/workflows/resume", given | {"event_id": seen[0]}).json["code"] == 4000


def test_a_run_is_found_under_its_own_workflow_alone(alice: Session) -> None:
    execute_id = alice.post("/v1/workflow/run", {"workflow_id": RUN}).json["execute_id"]
    codes = [alice.get(f"/v1/workflows/{one}/run_histories/{execute_id}").json["code"] for one in (RUN, LONG)]
    assert codes == [0, 4314]


TRIP, ORDER = "7480012345678902007", "7480012345678902008"


def test_a_trip_speaks_node_by_node_and_counts_for_each(alice: Session) -> None:
    frames = stream(alice, TRIP, city="Oslo", days=2).body.decode()
    for place, title in enumerate(("Research", "Write the plan")):
        last = (
            rf'"content_type":"text","node_execute_uuid":"\d+{place}","node_id":"{100002 + place}",'
            rf'"node_is_finish":true,"node_seq_id":"\d+","node_title":"{title}","usage":'
        )
        assert re.search(last, frames)
    assert frames.rstrip().endswith('workflow_id=7480012345678902007\\u0026execute_mode=2"}')


def test_a_trip_without_its_city_is_refused_and_one_to_nowhere_fails_in_its_second_node(
    alice: Session,
) -> None:
    assert alice.post("/v1/workflow/run", {"workflow_id": TRIP, "parameters": {}}).json["code"] == 4000
    frames = stream(alice, TRIP, city="Atlantis").body.decode()
    assert re.search(
        r'event: Error\ndata: \{"error_code":720701013,"error_message":"node Write the plan', frames
    )
    waited = alice.post("/v1/workflow/run", {"workflow_id": TRIP, "parameters": {"city": "Atlantis"}}).json
    assert waited["code"] == 720701013


def test_an_order_offers_options_then_wants_inputs_of_the_documented_shape(alice: Session) -> None:
    begun = alice.post("/v1/workflow/run", {"workflow_id": ORDER, "parameters": {"drink": "latte"}}).json
    asked = begun["interrupt_data"]
    assert asked["type"] == 2
    assert '"options": [{\\"name' in asked["data"] or "Small" in asked["data"]
    answer = {"workflow_id": ORDER, "event_id": asked["event_id"], "resume_data": "Large"}
    wanted = alice.post("/v1/workflows/resume", answer | {"interrupt_type": 2}).json["interrupt_data"]
    assert wanted["type"] == 5
    assert wanted["required_parameters"]["name"]["required"] is True
    assert set(wanted["required_parameters"]["minutes"]) == {
        "type",
        "required",
        "description",
        "default_value",
    }
    answer |= {"event_id": wanted["event_id"], "resume_data": '{"name": "Ada"}'}
    assert alice.post("/v1/workflows/resume", answer | {"interrupt_type": 2}).json["code"] == 4000
    done = alice.post("/v1/workflows/resume", answer | {"interrupt_type": 5}).json
    assert done["data"] == '{"drink":"latte","size":"Large","for":{"name":"Ada"}}'


def test_the_nodes_of_a_long_run_come_one_after_another(alice: Session) -> None:
    body = {"workflow_id": LONG, "is_async": True, "parameters": {"seconds": 1, "input": "hi"}}
    execute_id = alice.post("/v1/workflow/run", body).json["execute_id"]
    path = f"/v1/workflows/{LONG}/run_histories/{execute_id}"
    first = alice.get(path).json["data"][0]["node_execute_status"]
    assert {title: node["is_finish"] for title, node in first.items()} == {"Start": True, "Research": False}
    wait_until(lambda: alice.get(path).json["data"][0]["execute_status"] == "Success")
    last = alice.get(path).json["data"][0]["node_execute_status"]
    assert {title: node["is_finish"] for title, node in last.items()} == dict.fromkeys(
        ("Start", "Research", "Write", "End"), True
    )
