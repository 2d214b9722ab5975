"""The bytes of a streamed chat against the samples of Coze's documentation and its SDK's test data."""

import json
import re

from .raw import Session

CHAT_KEYS = ["id", "conversation_id", "created_at", "last_error", "status", "usage", "section_id"]
MESSAGE_KEYS = ["id", "conversation_id", "role", "type", "content", "content_type", "chat_id", "section_id"]


def test_a_chat_opens_with_created_and_in_progress_exactly_as_sampled(alice: Session) -> None:
    conversation = alice.conversation()
    reply = alice.chat("hello", conversation)
    shape = (
        r"event: conversation\.chat\.created\n"
        r'data: \{"id":"(\d{19})","conversation_id":"%s","created_at":\d{10},'
        r'"last_error":\{"code":0,"msg":""\},"status":"created",'
        r'"usage":\{"token_count":0,"output_count":0,"input_count":0\},"section_id":"%s"\}\n\n'
        r"event: conversation\.chat\.in_progress\n"
        r'data: \{"id":"\1","conversation_id":"%s","created_at":\d{10},'
        r'"last_error":\{"code":0,"msg":""\},"status":"in_progress",'
        r'"usage":\{"token_count":0,"output_count":0,"input_count":0\},"section_id":"%s"\}\n\n'
    ) % ((conversation,) * 4)
    assert re.match(shape, reply.body.decode())


def test_a_delta_is_one_line_of_json_with_the_sampled_keys_in_order(alice: Session) -> None:
    reply = alice.chat("count to 3", alice.conversation())
    deltas = [data for event, data in reply.frames if event == "conversation.message.delta"]
    assert [list(json.loads(data)) for data in deltas[:-1]] == [MESSAGE_KEYS] * 2
    assert re.fullmatch(
        r'\{"id":"\d{19}","conversation_id":"\d{19}","role":"assistant","type":"answer","content":"1",'
        r'"content_type":"text","chat_id":"\d{19}","section_id":"\d{19}"\}',
        deltas[0],
    )


def test_only_the_last_delta_carries_a_time(alice: Session) -> None:
    reply = alice.chat("count to 5", alice.conversation())
    keys = [list(json.loads(data)) for event, data in reply.frames if event == "conversation.message.delta"]
    assert ["created_at" in each for each in keys] == [False] * 4 + [True]
    assert keys[-1] == [*MESSAGE_KEYS, "created_at"]


def test_a_chat_ends_with_answer_verbose_completed_and_done(alice: Session) -> None:
    reply = alice.chat("count to 3", alice.conversation())
    assert reply.events == [
        "conversation.chat.created",
        "conversation.chat.in_progress",
        *["conversation.message.delta"] * 3,
        "conversation.message.completed",
        "conversation.message.completed",
        "conversation.chat.completed",
        "done",
    ]
    answer, verbose, completed = (json.loads(data) for _, data in reply.frames[-4:-1])
    assert list(answer) == [*MESSAGE_KEYS, "created_at"]
    assert answer["content"] == reply.answer == "1 2 3"
    assert list(verbose) == [*MESSAGE_KEYS, "created_at", "updated_at"]
    assert verbose["type"] == "verbose"
    assert list(completed) == [*CHAT_KEYS[:3], "completed_at", *CHAT_KEYS[3:]]


def test_the_verbose_message_is_json_in_json_in_json(alice: Session) -> None:
    reply = alice.chat("count to 3", alice.conversation())
    wanted = (
        r'"content":"{\"msg_type\":\"generate_answer_finish\",'
        r"\"data\":\"{\\\"finish_reason\\\":0,\\\"FinData\\\":\\\"\\\"}\","
        r'\"from_module\":null,\"from_unit\":null}","content_type":"text"'
    )
    assert wanted in reply.frames[-3][1]


def test_done_carries_a_debug_url_with_escaped_ampersands(alice: Session) -> None:
    reply = alice.chat("hello", alice.conversation())
    assert re.fullmatch(
        rb'event: done\ndata: \{"debug_url":"https://www\.coze\.cn/work_flow\?'
        rb'execute_id=\d+\\u0026space_id=\d+\\u0026workflow_id=\d+"\}\n\n',
        reply.body[reply.body.rindex(b"event: done") :],
    )


def test_usage_adds_up_and_is_filled_at_the_end_only(alice: Session) -> None:
    reply = alice.chat("count to 7", alice.conversation())
    usage = reply.data("conversation.chat.completed")["usage"]
    assert list(usage) == ["token_count", "output_count", "input_count"]
    assert usage["token_count"] == usage["input_count"] + usage["output_count"]
    assert usage["output_count"] == 7


def test_a_stream_says_what_it_is_and_closes_its_connection(alice: Session) -> None:
    headers = alice.chat("hello", alice.conversation()).headers
    assert headers["content-type"] == "text/event-stream"
    assert headers["cache-control"] == "no-cache"
    assert headers["transfer-encoding"] == "chunked"
    assert headers["connection"] == "close"
    assert re.fullmatch(r"\d{14}[0-9A-F]{20}", headers["x-tt-logid"])


def test_chinese_is_raw_and_line_ends_are_escaped(alice: Session) -> None:
    reply = alice.chat("你能做什么", alice.conversation())
    assert "扣子".encode() in reply.body
    assert "\n\n" in reply.answer
    assert not set("\u2028\u2029\x85") & set(reply.body.decode())
    said = alice.chat("say \u2028 and \u2029 and \x85 once more", alice.conversation())
    assert not set("\u2028\u2029\x85") & set(said.body.decode())


def test_every_reply_has_its_log_id_twice(alice: Session) -> None:
    good, bad = alice.get("/v1/users/me"), alice.get("/v1/conversation/retrieve?conversation_id=1")
    for reply in (good, bad):
        assert reply.json["detail"]["logid"] == reply.headers["x-tt-logid"]
    assert bad.status == 200
