"""A streamed run: frames with ids become typed events, in every dress they come in."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cozechat.coze import errors
from cozechat.coze.client import CozeClient
from cozechat.coze.run_events import Heartbeat, RunDone, RunInterrupted, RunMessage, RunReader
from cozechat.coze.run_records import Interrupt, WorkflowRun
from cozechat.coze.types import UnknownEvent, Usage
from tests.coze.asking import hear, names
from tests.coze.wire import ALICE, HASTY, CozeStub, Script, Step, chunked, run, until_close

RUN = WorkflowRun("7480012345678902005", {"input": "x"})
SAMPLE = rb"""id: 0
event: Message
data: {"content":"msg","node_is_finish":false,"node_seq_id":"0","node_title":"Message"}

id: 1
event: PING
data: {"content":"{}"}

id: 2
event: Message
data: {"content":" two","node_is_finish":true,"node_seq_id":"1","node_title":"Message","node_id":"9","content_type":"text","ext":{"a":"b"}}

id: 3
event: Message
data: {"content":"{\"output\":\"msg two\"}","cost":"0.00","node_is_finish":true,"node_seq_id":"0","node_title":"","token":0,"usage":{"input_count":1,"output_count":2,"token_count":3}}

id: 4
event: Done
data: {"debug_url":"https://www.coze.cn/work_flow?execute_id=7480012345678909001\u0026space_id=7"}

"""  # noqa: E501 - lines as Coze sends them
WAITING = {
    "interrupt_data": {"data": "", "event_id": "7404830425073352713/2769808280134765896", "type": 2},
    "node_title": "问答",
}
INTERRUPTED = RunInterrupted(Interrupt("7404830425073352713/2769808280134765896", 2, node_title="问答"))


def play(script: Script) -> tuple[list[Any], errors.CozeError | None]:
    events, error, request = hear(lambda client: client.runs.stream(ALICE, RUN), script)
    assert request.target == "/v1/workflow/stream_run"
    return events, error


def frame(name: str, data: Any, *, number: int = 0) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"id: {number}\nevent: {name}\ndata: {text}\n\n".encode()


def message(content: str, *, last: bool = False, title: str = "Message") -> bytes:
    fields = {"content": content, "node_is_finish": last, "node_seq_id": "0", "node_title": title}
    return frame("Message", fields)


def read(name: str, data: Any, *, by: RunReader | None = None) -> list[Any]:
    return (by or RunReader()).read(name, data if isinstance(data, str) else json.dumps(data))


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_run_comes_out_node_by_node(size: int):
    events, error = play(chunked(*(SAMPLE[at : at + size] for at in range(0, len(SAMPLE), size))))
    assert error is None
    assert events == [
        RunMessage("msg", "Message", "0", False),
        Heartbeat(),
        RunMessage(" two", "Message", "1", True, node_id="9", ext={"a": "b"}),
        RunMessage('{"output":"msg two"}', "", "0", True, usage=Usage(1, 2, 3)),
        RunDone("https://www.coze.cn/work_flow?execute_id=7480012345678909001&space_id=7"),
    ]
    assert events[-1].execute_id == "7480012345678909001"


def test_frames_without_ids_and_in_lower_case_are_understood_too():
    plain = SAMPLE.replace(b"event: Message", b"event: message").replace(b"event: Done", b"event: done")
    without = b"\n".join(line for line in plain.split(b"\n") if not line.startswith(b"id:"))
    assert play(until_close(without)) == play(until_close(SAMPLE))


def test_an_interrupt_is_an_end_with_or_without_done():
    asked = message("tea?", last=True, title="问答") + frame("Interrupt", WAITING)
    for rest in (b"", frame("Done", {}), b"half a fra"):
        events, error = play(until_close(asked + rest))
        assert error is None
        assert names(events) == ["RunMessage", "RunInterrupted"]
        assert events[1] == INTERRUPTED


@pytest.mark.parametrize(
    "data",
    [{}, {"interrupt_data": None}, {"interrupt_data": {"type": 2}}, {"interrupt_data": {"event_id": ""}}],
)
def test_an_interrupt_that_nobody_could_resume_is_a_bad_response(data: Any):
    with pytest.raises(errors.BadResponse):
        read("Interrupt", data)


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        ({"error_code": 4000, "error_message": "Request parameter error"}, errors.BadRequest, 4000),
        ({"error_code": "720701013", "error_message": "server issues"}, errors.UpstreamFailed, 720701013),
        ({"code": "4100", "msg": "x"}, errors.TokenRefused, 4100),
        ({}, errors.UpstreamFailed, None),
        ("", errors.UpstreamFailed, None),
        ("<html>", errors.UpstreamFailed, None),
    ],
)
def test_an_error_ends_the_run_under_its_own_name(data: Any, kind: type, code: int | None):
    text = data if isinstance(data, str) else json.dumps(data)
    with pytest.raises(errors.CozeError) as caught:
        read("Error", text)
    assert (type(caught.value), caught.value.code) == (kind, code)


def test_what_came_before_an_error_is_kept():
    events, error = play(
        until_close(message("a"), frame("Error", {"error_code": 5000, "error_message": "x"}))
    )
    assert events == [RunMessage("a", "Message", "0", False)]
    assert type(error) is errors.UpstreamFailed


@pytest.mark.parametrize("script", [until_close(message("a")), until_close(message("a")[:-20]), chunked()])
def test_a_run_without_an_end_is_truncated(script: Script):
    assert type(play(script)[1]) is errors.Truncated


@pytest.mark.parametrize("data", ["{}", ""])
def test_done_may_say_nothing(data: str):
    reader = RunReader()
    assert reader.read("Done", data) == [RunDone("")]
    assert (reader.done, RunDone("").execute_id) == (True, "")


@pytest.mark.parametrize("data", ["", "{", "[]", "null", '{"content":1}', '{"content":{"a":1}}', '{"x":NaN}'])
def test_a_message_that_is_none_is_a_bad_response(data: str):
    with pytest.raises(errors.BadResponse):
        read("Message", data)


def test_a_sequence_may_be_a_number_and_most_may_be_missing():
    assert read("Message", {"content": "x", "node_seq_id": 3}) == [RunMessage("x", "", "3", False)]
    assert read("Message", {"content": None}) == [RunMessage("", "", "", False)]


def test_unknown_events_are_named_and_harm_nothing():
    assert read("Sparkle", "no JSON") == [UnknownEvent("Sparkle")]
    assert read("PING", "") == read("ping", "no JSON") == [Heartbeat()]


def test_an_emoji_cut_in_two_comes_out_whole_in_its_own_node():
    same = RunReader()
    pieces = [("a", "\ud83d", False), ("b", "\ud83d", False), ("a", "\ude00", True), ("b", "x", True)]
    texts = [
        (event.node_title, event.content)
        for title, content, last in pieces
        for event in read(
            "Message", {"content": content, "node_title": title, "node_is_finish": last}, by=same
        )
    ]
    assert texts == [("a", ""), ("b", ""), ("a", "😀"), ("b", "\ufffdx")]


def test_half_an_emoji_at_the_end_of_a_node_is_replaced():
    assert read("Message", {"content": "a\ud83d", "node_is_finish": True}) == [
        RunMessage("a\ufffd", "", "", True)
    ]


def test_letters_that_look_like_line_ends_stay_in_the_output():
    text = "a\u2028b\u2029c\u0085d"
    events, error = play(until_close(message(text), frame("Done", {})))
    assert error is None
    assert events[0].content == text


@given(
    st.sampled_from(["Message", "Interrupt", "Error", "Done", "PING", "x"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["content", "interrupt_data", "event_id", "type", "usage", "error_code"]),
                inner,
            )
        ),
    ),
)
def test_whatever_comes_is_an_event_or_an_error_of_ours(name: str, data: Any):
    try:
        events = read(name, data)
    except errors.CozeError:
        return
    assert all(
        isinstance(event, RunMessage | RunInterrupted | Heartbeat | RunDone | UnknownEvent)
        for event in events
    )


def test_a_run_that_says_that_it_works_is_not_given_up():
    """A chat is: there pings are all that a broken answer has to say."""
    beats = [step for _ in range(6) for step in (frame("PING", {"content": "{}"}), Step(seconds=0.1))]

    async def scene(client: CozeClient, coze: CozeStub) -> list[Any]:
        async with client.runs.stream(ALICE, RUN) as stream:
            return [event async for event in stream]

    impatient = replace(HASTY, content_timeout=0.25)
    events = run(scene, chunked(*beats, frame("Done", {})), limits=impatient)
    assert events == [*[Heartbeat()] * 6, RunDone("")]
    unknown = [step for _ in range(6) for step in (frame("Sparkle", {}), Step(seconds=0.1))]
    with pytest.raises(errors.TimedOut):
        run(scene, chunked(*unknown, frame("Done", {})), limits=impatient)
