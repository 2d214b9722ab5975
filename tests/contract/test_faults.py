"""What the SDK makes of faults (conformance 22), which is why our own client does not use it."""

import json
import re
import secrets
from typing import Any

import httpx
import pydantic
import pytest

from .sdk import Sdk, cozepy, refusal, said


class Asker:
    """A user with faults of their own."""

    def __init__(self, sdk: Sdk) -> None:
        self.sdk = sdk
        self.name = f"u_{secrets.token_hex(8)}"
        self.coze = sdk.coze(sdk.token(self.name))
        self.conversation_id = self.coze.conversations.create().id

    def arm(self, name: str, **settings: Any) -> None:
        self.sdk.emulator.arm(name, session_name=self.name, times=1, **settings)

    def stream(self, text: str = "count to 20") -> Any:
        return self.sdk.stream(self.coze, text, self.conversation_id)


@pytest.fixture
def alice(sdk: Sdk) -> Asker:
    return Asker(sdk)


def test_an_error_event_is_a_plain_exception(alice: Asker) -> None:
    alice.arm("error-event", code=4000, msg="missing")
    with pytest.raises(Exception, match=re.escape('error event: {"code":"4000","msg":"missing"}')) as caught:
        list(alice.stream())
    assert not isinstance(caught.value, cozepy.CozeAPIError)


def test_a_failed_chat_is_an_event_with_its_last_error(alice: Asker) -> None:
    alice.arm("chat-failed", code=4028, msg="quota")
    last = list(alice.stream())[-1]
    assert last.event == cozepy.ChatEventType.CONVERSATION_CHAT_FAILED
    assert (last.chat.status, last.chat.last_error.code) == ("failed", 4028)


def test_a_bare_failure_breaks_the_sdks_own_model(alice: Asker) -> None:
    alice.arm("chat-failed-bare")
    with pytest.raises(pydantic.ValidationError):
        list(alice.stream())


def test_a_json_error_before_the_stream_is_raised_by_the_call(alice: Asker) -> None:
    alice.arm("json-error", code=720701013, msg="server issues")
    error = refusal(alice.stream)
    assert (error.code, error.msg) == (720701013, "server issues")


@pytest.mark.parametrize(
    ("name", "code"), [("unauthorized", 4100), ("token-invalid", 4100), ("access-token-invalid", 700012006)]
)
def test_a_refused_token_is_an_api_error_once(alice: Asker, name: str, code: int) -> None:
    alice.arm(name)
    assert refusal(alice.stream).code == code
    assert said(alice.stream("count to 2")) == "1 2"


def test_a_rate_limit_is_an_api_error(alice: Asker) -> None:
    alice.arm("rate-limited")
    assert refusal(alice.stream).code == 4020


@pytest.mark.parametrize("name", ["truncate", "half-frame"])
def test_a_stream_that_breaks_off_ends_in_silence(alice: Asker, name: str) -> None:
    alice.arm(name, after=5)
    try:
        events = list(alice.stream())
    except pydantic.ValidationError:
        # The second half of a frame's data may be missing as well as its end.
        assert name == "half-frame"
    else:
        assert len([event for event in events if event.message]) == 5


def test_an_html_page_is_an_api_error_with_the_status_for_a_code(alice: Asker) -> None:
    alice.arm("html-502")
    error = refusal(alice.stream)
    assert (error.code, "<html>" in error.msg) == (502, True)


def test_a_reset_is_a_transport_error(alice: Asker) -> None:
    alice.arm("reset", after=5)
    with pytest.raises(httpx.TransportError):
        list(alice.stream())


def test_a_slow_first_byte_is_waited_for(alice: Asker) -> None:
    alice.arm("slow-first-byte", seconds=0.2)
    assert said(alice.stream("count to 2")) == "1 2"


def test_single_bytes_and_a_megabyte_are_read(alice: Asker) -> None:
    alice.arm("one-byte-writes")
    assert said(alice.stream("count to 2")) == "1 2"
    alice.arm("huge-delta", size=1_000_000)
    assert len(said(alice.stream("count to 2"))) == 1_000_003


def test_raw_line_separators_break_the_sdk(alice: Asker) -> None:
    alice.arm("line-separators")
    with pytest.raises(Exception, match=r"invalid|Invalid|JSON") as caught:
        list(alice.stream())
    assert not isinstance(caught.value, httpx.TransportError)


def test_an_unknown_event_is_passed_on_as_unknown(alice: Asker) -> None:
    alice.arm("unknown-event", after=2)
    events = list(alice.stream())
    unknown = [event.unknown for event in events if event.event == cozepy.ChatEventType.UNKNOWN]
    assert [each["event"] for each in unknown] == ["PING", "conversation.message.sparkle"]
    assert json.loads(unknown[0]["data"]) == {"content": "{}"}


def test_a_garbage_frame_breaks_the_stream(alice: Asker) -> None:
    alice.arm("garbage-frame")
    with pytest.raises((pydantic.ValidationError, UnicodeDecodeError)):
        list(alice.stream())


def test_requires_action_carries_the_question_as_a_tool_call(alice: Asker) -> None:
    alice.arm("requires-action")
    last = list(alice.stream())[-1]
    assert last.event == cozepy.ChatEventType.CONVERSATION_CHAT_REQUIRES_ACTION
    assert last.chat.status == cozepy.ChatStatus.REQUIRES_ACTION
    (call,) = last.chat.required_action.submit_tool_outputs.tool_calls
    assert call.type == cozepy.ChatToolCallType.REPLY_MESSAGE


def test_another_conversations_stream_can_be_told_by_its_id(alice: Asker) -> None:
    alice.arm("wrong-conversation")
    events = list(alice.stream())
    assert events[0].chat.conversation_id != alice.conversation_id


def test_twenty_thousand_deltas_are_read(alice: Asker) -> None:
    alice.arm("many-deltas")
    assert said(alice.stream()).endswith(" 20000 ")


@pytest.mark.parametrize("code", [4013, 4016, 4020, 4028])
def test_every_way_of_being_busy_keeps_its_code(alice: Asker, code: int) -> None:
    alice.arm("json-error", code=code, msg="later")
    error = refusal(alice.stream)
    assert (error.code, error.msg, bool(error.logid)) == (code, "later", True)


def test_a_heartbeat_is_an_unknown_event(alice: Asker) -> None:
    alice.arm("ping")
    events = list(alice.stream("count to 3"))
    assert [event.event for event in events].count(cozepy.ChatEventType.UNKNOWN) == 3
    assert said(iter(events)) == "1 2 3"


def test_several_answers_have_ids_of_their_own(alice: Asker) -> None:
    alice.arm("several-answers", count=2)
    completed = cozepy.ChatEventType.CONVERSATION_MESSAGE_COMPLETED
    whole = [event.message for event in alice.stream("count to 2") if event.event == completed]
    answers = [message for message in whole if message.type == cozepy.MessageType.ANSWER]
    assert len({message.id for message in answers}) == 2


def test_an_answer_of_no_words_is_completed(alice: Asker) -> None:
    alice.arm("empty-answer")
    last = list(alice.stream())[-1]
    assert last.chat.status == cozepy.ChatStatus.COMPLETED
    assert said(alice.stream("count to 2")) == "1 2"
