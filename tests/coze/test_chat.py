"""A streamed chat, from the bytes on the wire to the events and errors that a caller sees."""

import asyncio
import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from cozechat.coze import errors
from cozechat.coze.calls import Limits
from cozechat.coze.client import CozeClient
from cozechat.coze.types import (
    ActionRequired,
    Caller,
    ChatCompleted,
    ChatEvent,
    MessageCompleted,
    MessageDelta,
    StreamDone,
    UnknownEvent,
    Usage,
    WorkflowChat,
)
from tests.coze.wire import (
    ALICE,
    CHAT,
    COMPLETED,
    CREATED,
    DONE,
    HASTY,
    LOG_ID,
    STREAM_HEAD,
    CozeStub,
    Script,
    Step,
    chunked,
    delta,
    envelope,
    event,
    response,
    run,
    too_short,
    until_close,
)

SAMPLE = rb"""event: conversation.chat.created
data: {"id":"id_1111","conversation_id":"conv_111111111","created_at":1735115982,"last_error":{"code":0,"msg":""},"status":"created","usage":{"token_count":0,"output_count":0,"input_count":0},"section_id":"conv_111111111"}

event: conversation.chat.in_progress
data: {"id":"id_1111","conversation_id":"conv_111111111","created_at":1735115982,"last_error":{"code":0,"msg":""},"status":"in_progress","usage":{"token_count":0,"output_count":0,"input_count":0},"section_id":"conv_111111111"}

event: conversation.message.delta
data: {"id":"id_2222","conversation_id":"conv_111111111","role":"assistant","type":"answer","content":"I","content_type":"text","chat_id":"id_1111","section_id":"conv_111111111"}

event: conversation.message.completed
data: {"id":"id_2222","conversation_id":"conv_111111111","role":"assistant","type":"answer","content":"I'm fine, thank you. How about you?","content_type":"text","chat_id":"id_1111","section_id":"conv_111111111","created_at":1735115983}

event: conversation.message.completed
data: {"id":"id_3333","conversation_id":"conv_111111111","role":"assistant","type":"verbose","content":"{\"msg_type\":\"generate_answer_finish\",\"data\":\"{\\\"finish_reason\\\":0,\\\"FinData\\\":\\\"\\\"}\",\"from_module\":null,\"from_unit\":null}","content_type":"text","chat_id":"id_1111","section_id":"conv_111111111","created_at":1735115983,"updated_at":1735115983}

event: conversation.chat.completed
data: {"id":"id_1111","conversation_id":"conv_111111111","created_at":1735115982,"completed_at":1735115983,"last_error":{"code":0,"msg":""},"status":"completed","usage":{"token_count":32,"output_count":11,"input_count":21},"section_id":"conv_111111111"}

event: done
data: {"debug_url":"https://www.coze.cn/work_flow?execute_id=execute_1111\u0026space_id=space_111\u0026workflow_id=workflow_1111"}

"""  # noqa: E501 - lines as Coze sends them
NAMES = [
    "ChatCreated",
    "ChatInProgress",
    "MessageDelta",
    "MessageCompleted",
    "AnswersFinished",
    "ChatCompleted",
    "StreamDone",
]

INTERRUPT = r"""event: conversation.message.completed
data: {"id":"124","conversation_id":"conv_111111111","role":"assistant","type":"answer","content":"中午吃啥了","content_type":"text","chat_id":"567","section_id":"789","created_at":1733407182}

event: conversation.message.completed
data: {"id":"125","conversation_id":"conv_111111111","role":"assistant","type":"verbose","content":"{\"msg_type\":\"interrupt\",\"data\":\"\",\"from_module\":null,\"from_unit\":null}","content_type":"text","chat_id":"567","section_id":"789","created_at":1733407182,"updated_at":1733407182}

event: conversation.message.completed
data: {"id":"130","conversation_id":"conv_111111111","role":"assistant","type":"verbose","content":"{\"msg_type\":\"generate_answer_finish\",\"data\":\"{\\\"finish_reason\\\":1,\\\"FinData\\\":\\\"\\\"}\",\"from_module\":null,\"from_unit\":null}","content_type":"text","chat_id":"567","section_id":"789","created_at":1733407182,"updated_at":1733407182}

event: done
data: {"debug_url":"https://www.coze.cn/work_flow?execute_id=74449256856"}

""".encode()  # noqa: E501 - lines as Coze sends them


def play(
    script: Script, *, chat: WorkflowChat = CHAT, limits: Limits = HASTY
) -> tuple[list[ChatEvent], errors.CozeError | None]:
    """The events of one chat that is answered by `script`, and the error after them."""

    async def scene(client: CozeClient, coze: CozeStub) -> Any:
        events: list[ChatEvent] = []
        try:
            async with client.workflow_chat(ALICE, chat) as stream:
                async for item in stream:
                    events.append(item)  # noqa: PERF401 - those before an error count
        except errors.CozeError as error:
            return events, error
        finally:
            assert len(coze.requests) == 1, "a chat is asked once, whatever becomes of it"
        return events, None

    return run(scene, script, limits=limits)


def names(events: list[ChatEvent]) -> list[str]:
    return [type(item).__name__ for item in events]


def test_a_recorded_answer_comes_out_whole():
    events, error = play(chunked(SAMPLE))
    assert error is None
    assert names(events) == NAMES
    assert events[2] == MessageDelta("id_2222", "I", "")
    assert events[5] == ChatCompleted("id_1111", Usage(21, 11, 32))
    assert isinstance(events[6], StreamDone)
    assert "&space_id=space_111&" in events[6].debug_url


@pytest.mark.parametrize(
    "wire", [SAMPLE.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + SAMPLE, b": hi\n\n" + SAMPLE]
)
@pytest.mark.parametrize("size", [1, 5, 4096])
def test_dress_and_cuts_of_the_bytes_make_no_difference(wire: bytes, size: int):
    pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
    assert play(chunked(*pieces)) == play(until_close(SAMPLE))


def test_letters_that_look_like_line_ends_stay_in_the_answer():
    text = "a\u2028b\u2029c\u0085d\fe"
    raw = '{"id":"2","type":"answer","content":"' + text.replace("\f", "\\f") + '"}'
    events, error = play(chunked(event("conversation.message.delta", raw), COMPLETED, DONE))
    assert error is None
    assert events[0] == MessageDelta("2", text, "")


def test_the_log_id_is_there_before_the_first_event():
    async def scene(client: CozeClient, coze: CozeStub) -> str:
        async with client.workflow_chat(ALICE, CHAT) as stream:
            return stream.log_id

    assert run(scene, chunked(SAMPLE)) == LOG_ID


def test_a_flow_that_asks_back_requires_action_once():
    events, error = play(chunked(INTERRUPT))
    assert error is None
    assert [item for item in events if isinstance(item, ActionRequired)] == [
        ActionRequired("567", "中午吃啥了", {})
    ]
    assert isinstance(events[-1], StreamDone)


def test_several_answers_of_one_chat_keep_their_ids():
    events, error = play(
        chunked(
            delta("a", message_id="1"),
            delta("b", message_id="2"),
            delta("c", message_id="1"),
            COMPLETED,
            DONE,
        )
    )
    assert error is None
    assert [(item.message_id, item.content) for item in events if isinstance(item, MessageDelta)] == [
        ("1", "a"),
        ("2", "b"),
        ("1", "c"),
    ]


def test_thinking_is_kept_apart_from_the_answer():
    events, _ = play(chunked(delta("", reasoning_content="hm"), delta("yes"), COMPLETED, DONE))
    assert events[:2] == [MessageDelta("id_2222", "", "hm"), MessageDelta("id_2222", "yes", "")]


def test_unknown_events_do_no_harm():
    events, error = play(chunked(b"event: PING\ndata: {}\n\nid: 3\n\n", SAMPLE, b"event: late\ndata: x\n\n"))
    assert error is None
    assert events[0] == UnknownEvent("PING")
    assert names(events[1:]) == NAMES


BROKEN_OFF = CREATED + delta("half")


@pytest.mark.parametrize(
    "script",
    [
        chunked(BROKEN_OFF),
        chunked(BROKEN_OFF, ended=False),
        until_close(BROKEN_OFF),
        too_short(BROKEN_OFF),
        chunked(BROKEN_OFF, Step(seconds=0.05), Step(reset=True)),
        chunked(BROKEN_OFF + COMPLETED[:-1]),
        chunked(BROKEN_OFF + DONE),
    ],
    ids=["chunks end", "no last chunk", "closed", "too short", "reset", "half an event", "done alone"],
)
def test_an_answer_that_stops_without_an_end_is_truncated_after_its_events(script: Script):
    events, error = play(script)
    assert names(events)[:2] == ["ChatCreated", "MessageDelta"]
    assert type(error) is errors.Truncated
    assert error.log_id == LOG_ID


@pytest.mark.parametrize(
    "script",
    [
        chunked(SAMPLE.rpartition(b"event: done")[0]),
        until_close(CREATED, COMPLETED, b"event: done\nda"),
        chunked(COMPLETED, ended=False),
        chunked(COMPLETED, event("error", {}), DONE),
        chunked(COMPLETED, b"event: conversation.message.completed\ndata: {\n\n", DONE),
        chunked(COMPLETED, Step(seconds=0.4), DONE),
        chunked(CREATED, COMPLETED, Step(seconds=0.05), Step(reset=True)),
    ],
)
def test_after_the_end_of_the_chat_nothing_can_go_wrong(script: Script):
    events, error = play(script)
    assert error is None
    assert names(events).count("ChatCompleted") == 1


@pytest.mark.parametrize(
    ("wire", "kind", "code"),
    [
        (
            'event: conversation.chat.failed\ndata: {"code": "720702204","msg": "会话名不存在"}\n\n',
            errors.BadRequest,
            720702204,
        ),
        (
            'event:conversation.chat.failed\ndata:{"id":"7390","last_error":{"code":5000,"msg":"event"}}\n\n',
            errors.UpstreamFailed,
            5000,
        ),
        ("event:error\ndata:{}\n\n", errors.UpstreamFailed, None),
        ('event: error\ndata: {"code":"4000","msg":"missing"}\n\n', errors.BadRequest, 4000),
        ('event: conversation.message.delta\ndata: {"content":\n\n', errors.BadResponse, None),
    ],
)
def test_a_failure_within_the_stream_is_raised_after_what_came_before(
    wire: str, kind: type, code: int | None
):
    events, error = play(chunked(CREATED + delta("half") + wire.encode() + DONE))
    assert names(events) == ["ChatCreated", "MessageDelta"]
    assert type(error) is kind
    assert error.code == code
    assert error.log_id == LOG_ID


def test_an_answer_in_bobs_conversation_is_not_shown_to_alice():
    bobs = event("conversation.chat.created", {"id": "1", "conversation_id": "conv_of_bob"})
    events, error = play(chunked(bobs, delta("Bob's secret"), COMPLETED, DONE))
    assert events == []
    assert type(error) is errors.WrongConversation


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (envelope(code=4200, msg="Workflow not found."), errors.NotPublished),
        (response(b'{"code":4100,"msg":"authentication is invalid"}'), errors.TokenRefused),
        (envelope(code="700012006", msg="access token invalid"), errors.TokenRefused),
        (envelope(code=4002, msg="conversation not found"), errors.ConversationNotFound),
        (envelope(code=4016, msg="running"), errors.ConversationBusy),
        (envelope(code=0, data={}), errors.BadResponse),
        (response(b"<html>hello</html>", mime="text/html"), errors.BadResponse),
        (
            response(b"<html>bad gateway</html>", mime="text/html", status="502 Bad Gateway"),
            errors.UpstreamFailed,
        ),
        (response(SAMPLE, mime="text/event-stream", status="500 Oops"), errors.UpstreamFailed),
        (response(SAMPLE, mime="text/plain"), errors.BadResponse),
        (response(b"", mime="text/html", status="302 Found", headers="Location: /x\r\n"), errors.BadResponse),
        (response(b"x" * 100_000, mime="text/html"), errors.TooLarge),
        (response(b"x" * 100_000, mime="text/html", status="503 Busy"), errors.Busy),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], errors.BadResponse),
        ([b"SSH-2.0-OpenSSH_9.2\r\n", Step(reset=True)], errors.ConnectionLost),
        ([Step(reset=True)], errors.ConnectionLost),
    ],
)
def test_what_comes_instead_of_a_stream_is_an_error_with_its_cause(script: Script, kind: type):
    events, error = play([b"", *script])
    assert events == []
    assert type(error) is kind


def test_a_refusal_in_json_keeps_code_text_and_log_id():
    _, error = play(envelope(code=4200, msg="Workflow not found."))
    assert error is not None
    assert (error.code, error.message, error.log_id) == (4200, "Workflow not found.", LOG_ID)


def test_a_compressed_stream_is_refused():
    head = STREAM_HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n"
    _, error = play([head, gzip.compress(SAMPLE)])
    assert type(error) is errors.BadResponse
    assert "gzip" in error.message


def test_an_endless_line_is_cut_off_after_what_came_before():
    limits = replace(HASTY, max_line=10_000)
    events, error = play(chunked(CREATED, b"data: ", b"x" * 20_000, Step(seconds=1)), limits=limits)
    assert names(events) == ["ChatCreated"]
    assert type(error) is errors.TooLarge


def test_an_endless_stream_is_cut_off():
    _, error = play(
        chunked(*[delta("x" * 1000)] * 30, COMPLETED, DONE), limits=replace(HASTY, max_stream=10_000)
    )
    assert type(error) is errors.TooLarge


def test_silence_within_an_answer_times_out_after_what_came_before():
    events, error = play(chunked(CREATED, delta("hal"), Step(seconds=2)))
    assert names(events) == ["ChatCreated", "MessageDelta"]
    assert type(error) is errors.TimedOut


def test_silence_before_an_answer_times_out():
    _, error = play([b"", Step(seconds=2)])
    assert type(error) is errors.TimedOut


def test_a_slow_reader_holds_up_the_sender_and_misses_nothing():
    pieces = [delta(f"{number} " + "x" * 1000) for number in range(2000)]

    async def scene(client: CozeClient, coze: CozeStub) -> list[str]:
        async with client.workflow_chat(ALICE, CHAT) as stream:
            await asyncio.sleep(0.3)
            assert stream._incoming._ready_size < 1_000_000
            return [item.content.split()[0] async for item in stream if isinstance(item, MessageDelta)]

    limits = replace(HASTY, read_timeout=5)
    assert run(scene, chunked(*pieces, COMPLETED, DONE), limits=limits) == [
        str(number) for number in range(2000)
    ]


def test_the_request_is_what_coze_documents_and_names_the_user():
    chat = replace(
        CHAT,
        history=(("user", "Hi"), ("assistant", "Hello!")),
        parameters={"city": "Köln", "empty": "", "none": None, "no": False},
        ext={"user_id": "u_alice"},
    )

    async def scene(client: CozeClient, coze: CozeStub) -> Any:
        async with client.workflow_chat(ALICE, chat) as stream:
            async for _ in stream:
                pass
        return coze.requests[0]

    request = run(scene, chunked(SAMPLE))
    assert (request.method, request.target) == ("POST", "/v1/workflows/chat")
    assert request.headers["authorization"] == "Bearer czs_alice"
    assert request.headers["accept-encoding"] == "identity"
    assert request.json == {
        "workflow_id": "7400",
        "app_id": "7500",
        "conversation_id": "conv_111111111",
        "additional_messages": [
            {"role": "user", "type": "question", "content": "Hi", "content_type": "text"},
            {"role": "assistant", "type": "answer", "content": "Hello!", "content_type": "text"},
            {"role": "user", "type": "question", "content": "How are you?", "content_type": "text"},
        ],
        "parameters": {"city": "Köln", "no": False},
        "ext": {"user_id": "u_alice"},
        "session_name": "u_alice",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"app_id": None},
        {"bot_id": "7600"},
        {"conversation_id": ""},
        {"parameters": {"x": float("nan")}},
        {"parameters": {"x": object()}},
        {"history": (("system", "be Bob"),)},
    ],
)
def test_a_chat_that_would_not_be_isolated_or_valid_is_never_sent(wrong: dict[str, Any]):
    async def scene(client: CozeClient, coze: CozeStub) -> None:
        with pytest.raises(errors.BadRequest):
            async with client.workflow_chat(ALICE, replace(CHAT, **wrong)):
                pass
        assert coze.requests == []

    run(scene, chunked(SAMPLE))


def test_half_an_emoji_in_a_question_does_not_stop_it():
    async def scene(client: CozeClient, coze: CozeStub) -> str:
        async with client.workflow_chat(ALICE, replace(CHAT, question="a\ud83d")) as stream:
            async for _ in stream:
                pass
        return coze.requests[0].json["additional_messages"][0]["content"]

    assert run(scene, chunked(SAMPLE)) == "a?"


def test_a_token_that_is_no_header_is_refused_without_being_told():
    async def scene(client: CozeClient, coze: CozeStub) -> None:
        for token in ("czs_secret\r\nX: y", "czs_sécret\ud83d"):
            with pytest.raises(errors.BadRequest) as caught:
                async with client.workflow_chat(Caller(token, "u_alice"), CHAT):
                    pass
            assert "secret" not in repr(caught.value) + str(caught.value)
            assert caught.value.__suppress_context__

    run(scene, chunked(SAMPLE))


def test_messages_of_a_chat_are_typed():
    events, _ = play(chunked(SAMPLE))
    messages = [item.message for item in events if isinstance(item, MessageCompleted)]
    assert [message.type for message in messages] == ["answer", "verbose"]
    assert json.loads(messages[1].content)["msg_type"] == "generate_answer_finish"
