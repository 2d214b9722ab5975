"""Coze's events become typed ones, in every dress they come in."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cozechat.coze import errors
from cozechat.coze.events import ChatReader
from cozechat.coze.types import (
    ActionRequired,
    ChatCompleted,
    ChatCreated,
    ChatInProgress,
    MessageCompleted,
    MessageDelta,
    StreamDone,
    UnknownEvent,
    Usage,
)

DELTA = "conversation.message.delta"
MESSAGE = "conversation.message.completed"
FAILED = "conversation.chat.failed"
COMPLETED = "conversation.chat.completed"


def reader() -> ChatReader:
    return ChatReader(conversation_id="456")


def read(name: str, data: Any, *, by: ChatReader | None = None) -> list[Any]:
    text = data if isinstance(data, str) else json.dumps(data)
    return (by or reader()).read(name, text)


def verbose(msg_type: str, data: Any = "") -> dict[str, Any]:
    content = {"msg_type": msg_type, "data": data, "from_module": None, "from_unit": None}
    return {
        "id": "125",
        "type": "verbose",
        "role": "assistant",
        "content": json.dumps(content),
        "chat_id": "567",
    }


def test_the_start_of_a_chat_names_it():
    same = reader()
    assert read("conversation.chat.created", {"id": "1", "conversation_id": "456"}, by=same) == [
        ChatCreated("1", "456")
    ]
    assert read("conversation.chat.in_progress", {}, by=same) == [ChatInProgress("1")]


def test_a_delta_carries_text_and_thinking():
    assert read(DELTA, {"id": "2", "type": "answer", "content": "", "reasoning_content": "hm"}) == [
        MessageDelta("2", "", "hm")
    ]
    assert read(DELTA, {"id": "2", "content": "I", "reasoning_content": None}) == [MessageDelta("2", "I", "")]


def test_a_delta_of_something_else_than_an_answer_is_not_part_of_the_answer():
    assert isinstance(read(DELTA, {"id": "2", "type": "tool_output", "content": "x"})[0], UnknownEvent)


def test_a_nul_in_an_answer_is_passed_on_as_it_came():
    assert read(DELTA, {"id": "2", "content": "a\x00b"}) == [MessageDelta("2", "a\x00b", "")]


def test_a_completed_message_is_whole_even_with_ids_as_numbers():
    (done,) = read(
        MESSAGE, {"id": 7390342853760696354, "type": "answer", "content": "hi", "created_at": "1733407182"}
    )
    assert done.message.id == "7390342853760696354"
    assert done.message.created_at == 1733407182


def test_the_end_of_a_chat_brings_its_usage():
    usage = {"token_count": 32, "output_count": "11", "input_count": 21}
    same = reader()
    assert read(COMPLETED, {"id": "1", "usage": usage, "last_error": {"code": 0, "msg": ""}}, by=same) == [
        ChatCompleted("1", Usage(input_tokens=21, output_tokens=11, total_tokens=32))
    ]
    assert same.finished


@pytest.mark.parametrize(
    "usage", [None, [], {"token_count": None}, {"input_count": -5}, {"output_count": "many"}]
)
def test_a_strange_usage_counts_as_none(usage: Any):
    (end,) = read(COMPLETED, {"id": "1", "usage": usage})
    assert end.usage == Usage(0, 0, 0)


@pytest.mark.parametrize("data", ['"[DONE]"', "[DONE]", "", "{}", "null"])
def test_done_is_understood_in_every_form(data: str):
    same = reader()
    read(COMPLETED, {"id": "1"}, by=same)
    assert same.read("done", data) == [StreamDone("")]


def test_done_may_bring_a_debug_url():
    same = reader()
    read(COMPLETED, {"id": "1"}, by=same)
    assert same.read("done", r'{"debug_url":"https://x/?a=1\u0026b=2"}') == [StreamDone("https://x/?a=1&b=2")]


def test_done_without_an_end_of_the_chat_is_a_truncated_answer():
    with pytest.raises(errors.Truncated) as caught:
        read("done", {"debug_url": "https://x/"})
    assert caught.value.debug_url == "https://x/"


@pytest.mark.parametrize(
    "name", ["conversation.video.delta", "PING", "ping", "", "conversation.chat.canceled"]
)
def test_an_unknown_event_is_named_whatever_it_carries(name: str):
    assert read(name, "not JSON") == [UnknownEvent(name)]


INTERRUPTS = {
    "verbose interrupt": (MESSAGE, verbose("interrupt")),
    "finish reason 1": (MESSAGE, verbose("generate_answer_finish", '{"finish_reason":1,"FinData":""}')),
    "finish reason 1 as an object": (MESSAGE, verbose("generate_answer_finish", {"finish_reason": 1})),
    "requires_action": ("conversation.chat.requires_action", {"id": "567", "status": "requires_action"}),
}


@pytest.mark.parametrize("form", INTERRUPTS)
def test_every_form_of_an_interrupt_asks_for_action_with_the_question(form: str):
    same = reader()
    read(MESSAGE, {"id": "124", "type": "answer", "content": "中午吃啥了", "chat_id": "567"}, by=same)
    events = read(*INTERRUPTS[form], by=same)
    assert events[-1] == ActionRequired("567", "中午吃啥了", {})
    assert same.finished


def test_all_forms_of_an_interrupt_together_ask_once():
    same = reader()
    events = [event for name, data in INTERRUPTS.values() for event in read(name, data, by=same)]
    assert [type(event) for event in events].count(ActionRequired) == 1


def test_what_is_to_be_done_for_a_tool_is_handed_on():
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": []}}
    (event,) = read("conversation.chat.requires_action", {"id": "1", "required_action": action})
    assert event.required_action == action


@pytest.mark.parametrize(
    "message",
    [
        verbose("generate_answer_finish", '{"finish_reason":0}'),
        verbose("generate_answer_finish", ""),
        verbose("empty result"),
    ]
    + [
        {"type": "verbose", "content": text}
        for text in ("", "x", "[]", '{"msg_type":"generate_answer_finish","data":"["}')
    ],
)
def test_another_verbose_message_is_no_interrupt(message: dict[str, Any]):
    (event,) = read(MESSAGE, message)
    assert isinstance(event, MessageCompleted)


FAILURES = [
    (FAILED, {"code": "720702204", "msg": "会话名不存在"}, errors.BadRequest, 720702204),
    (
        FAILED,
        {"id": "7", "last_error": {"code": 5000, "msg": "event interval error"}},
        errors.UpstreamFailed,
        5000,
    ),
    (FAILED, {"id": "7", "last_error": {"code": "4028", "msg": "quota"}}, errors.QuotaExceeded, 4028),
    (FAILED, {}, errors.UpstreamFailed, None),
    (FAILED, "", errors.UpstreamFailed, None),
    (
        COMPLETED,
        {"id": "7", "status": "failed", "last_error": {"code": 4013, "msg": "x"}},
        errors.Overloaded,
        4013,
    ),
    ("error", {"code": "4000", "msg": "missing parameter"}, errors.BadRequest, 4000),
    ("error", {"code": 4016, "msg": "busy"}, errors.ConversationBusy, 4016),
    ("error", {}, errors.UpstreamFailed, None),
    ("error", "<html>", errors.UpstreamFailed, None),
]


@pytest.mark.parametrize(("name", "data", "kind", "code"), FAILURES)
def test_every_form_of_a_failure_is_raised(
    name: str, data: Any, kind: type[errors.CozeError], code: int | None
):
    with pytest.raises(errors.CozeError) as caught:
        read(name, data)
    assert type(caught.value) is kind
    assert caught.value.code == code


@pytest.mark.parametrize("name", [DELTA, MESSAGE, COMPLETED, "conversation.chat.created"])
@pytest.mark.parametrize(
    "data",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        '{"x":NaN}',
        '{"x":Infinity}',
        '{"a":' * 100_000,
        '{"x":' + "9" * 5000 + "}",
    ],
)
def test_data_that_is_no_sound_json_object_is_a_bad_response(name: str, data: str):
    with pytest.raises(errors.BadResponse):
        read(name, data)


@pytest.mark.parametrize("name", [DELTA, MESSAGE])
def test_content_that_is_no_text_is_a_bad_response(name: str):
    with pytest.raises(errors.BadResponse):
        read(name, {"id": "1", "content": {"a": 1}})


@pytest.mark.parametrize("name", ["conversation.chat.created", DELTA, MESSAGE, COMPLETED])
def test_an_event_of_another_conversation_is_never_shown(name: str):
    with pytest.raises(errors.WrongConversation):
        read(name, {"id": "1", "conversation_id": "of-bob", "content": "Bob's secret"})


def test_an_event_that_names_no_conversation_is_let_through():
    assert read(DELTA, {"id": "1", "conversation_id": "", "content": "x"}) == [MessageDelta("1", "x", "")]


def deltas(*pieces: str, field: str = "content") -> str:
    same = reader()
    events = [event for piece in pieces for event in read(DELTA, {"id": "1", field: piece}, by=same)]
    events += read(MESSAGE, {"id": "1", "type": "answer", "content": "".join(pieces)}, by=same)
    return "".join(getattr(event, field) for event in events if isinstance(event, MessageDelta))


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
def test_an_emoji_cut_in_two_comes_out_whole(field: str):
    assert deltas("a\ud83d", "\ude00b", field=field) == "a😀b"
    assert deltas("a\ud83d", "", "\ude00b", field=field) == "a😀b"


def test_two_messages_at_once_do_not_mix_their_halves():
    same = reader()
    pieces = [("1", "\ud83d"), ("2", "\ud83d"), ("1", "\ude00"), ("2", "\ude01")]
    events = [
        event for name, piece in pieces for event in read(DELTA, {"id": name, "content": piece}, by=same)
    ]
    assert [(event.message_id, event.content) for event in events[2:]] == [("1", "😀"), ("2", "😁")]


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["\ud83d"], "\ufffd"),
        (["\ude00"], "\ufffd"),
        (["\ud83d", "x"], "\ufffdx"),
        (["\ud83d\ud83d", "\ude00"], "\ufffd😀"),
        (["\ude00\ud83d", "\ude00"], "\ufffd😀"),
    ],
)
def test_half_an_emoji_is_replaced(pieces: list[str], text: str):
    assert deltas(*pieces) == text


def test_half_an_emoji_at_the_end_of_the_chat_is_replaced_too():
    same = reader()
    read(DELTA, {"id": "1", "content": "\ud83d"}, by=same)
    assert read(COMPLETED, {"id": "9"}, by=same)[0] == MessageDelta("1", "\ufffd", "")


@given(
    st.lists(
        st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\ud83d\ude00")), max_size=4), max_size=6
    )
)
def test_any_pieces_give_what_the_whole_gives(pieces: list[str]):
    whole = "".join(pieces).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert deltas(*pieces) == whole


@given(
    st.sampled_from(
        [DELTA, MESSAGE, COMPLETED, FAILED, "error", "done", "conversation.chat.requires_action"]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "type", "content", "code", "last_error", "usage", "msg"]), inner
            )
        ),
    ),
)
def test_whatever_comes_is_an_event_or_an_error_of_ours(name: str, data: Any):
    try:
        events = read(name, data)
    except errors.CozeError:
        return
    for event in events:
        assert "\ud800" not in repr(event)
