"""Every fault on demand, for whom it is meant and as often as it is meant."""

import json
import re
import time
from typing import Any

import pytest

from cozechat.emulator.process import RunningEmulator

from .raw import Session, assertion, claims, count_to, exchange


def test_an_html_page_with_502(alice: Session, arm: Any) -> None:
    arm("html-502")
    reply = alice.get("/v1/users/me")
    assert (reply.status, reply.headers["content-type"]) == (502, "text/html")
    assert b"<html>" in reply.body
    assert alice.get("/v1/users/me").status == 200


def test_429_says_when_to_come_back(alice: Session, arm: Any) -> None:
    arm("rate-limited", seconds=2)
    reply = alice.get("/v1/users/me")
    assert (reply.status, reply.headers["retry-after"], reply.json["code"]) == (429, "2", 4020)


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("unauthorized", 401, 4100), ("token-invalid", 200, 4100), ("access-token-invalid", 200, 700012006)],
)
def test_a_good_token_is_refused_once(alice: Session, arm: Any, name: str, status: int, code: int) -> None:
    conversation = alice.conversation()
    arm(name)
    reply = alice.chat("hello", conversation)
    assert (reply.status, reply.json["code"]) == (status, code)
    assert alice.chat("hello", conversation).events[-1] == "done"


def test_a_json_error_of_any_code_instead_of_a_stream(alice: Session, arm: Any) -> None:
    arm("json-error", code=4028, msg="quota")
    conversation = alice.conversation()
    reply = alice.chat("hello", conversation)
    assert (reply.status, reply.json["code"], reply.json["msg"]) == (200, 4028, "quota")
    assert alice.chat("hello", conversation).events[-1] == "done"


def test_a_fault_strikes_only_its_session_and_only_so_often(alice: Session, bob: Session, arm: Any) -> None:
    arm("html-502", times=2)
    assert bob.get("/v1/users/me").status == 200
    assert [alice.get("/v1/users/me").status for _ in range(3)] == [502, 502, 200]


def test_a_fault_strikes_only_its_path(alice: Session, arm: Any) -> None:
    arm("html-502", path="/v1/conversation/create")
    assert alice.get("/v1/users/me").status == 200
    assert alice.post("/v1/conversation/create").status == 502


def test_an_exchange_can_fail(emulator: RunningEmulator, alice: Session, arm: Any) -> None:
    arm("exchange-error", error="access_deny")
    signed = [assertion(emulator.credentials, claims(emulator, session_name=alice.name)) for _ in range(2)]
    assert [exchange(emulator, token).status for token in signed] == [403, 200]


def test_expires_in_can_be_a_duration(emulator: RunningEmulator, alice: Session, arm: Any) -> None:
    arm("expires-in-relative")
    signed = [assertion(emulator.credentials, claims(emulator, session_name=alice.name)) for _ in range(2)]
    relative, absolute = (exchange(emulator, token).json["expires_in"] for token in signed)
    assert relative == 900
    assert absolute > 10**9


def test_the_first_byte_can_be_slow(alice: Session, arm: Any) -> None:
    arm("slow-first-byte", seconds=0.4, path="/v1/users")
    began = time.monotonic()
    assert alice.get("/v1/users/me").status == 200
    assert time.monotonic() - began >= 0.4


def test_a_request_can_be_reset(alice: Session, arm: Any) -> None:
    arm("reset-request")
    with pytest.raises(ConnectionResetError):
        alice.get("/v1/users/me")
    assert alice.get("/v1/users/me").status == 200


def test_a_stream_can_be_reset_in_the_middle(alice: Session, arm: Any) -> None:
    conversation = alice.conversation()
    arm("reset", after=4)
    with alice.open_chat("count to 20", conversation) as connection:
        received = b""
        with pytest.raises(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
    assert b"conversation.chat.completed" not in received


def test_a_stream_can_stall_while_its_run_goes_on(alice: Session, arm: Any) -> None:
    conversation = alice.conversation()
    arm("stall", after=4)
    with alice.open_chat("count to 20", conversation) as connection:
        connection.settimeout(0.4)
        received = b""
        with pytest.raises(TimeoutError):
            while chunk := connection.recv(65536):
                received += chunk
        assert received.count(b"event: conversation.message.delta") == 4
    assert alice.messages(conversation)["data"][0]["content"].endswith(" 20")


def test_a_stall_can_pass(alice: Session, arm: Any) -> None:
    arm("stall", after=4, seconds=0.3)
    began = time.monotonic()
    assert count_to(alice).events[-1] == "done"
    assert time.monotonic() - began >= 0.3


def test_a_stream_can_end_without_a_terminal_event(alice: Session, arm: Any) -> None:
    arm("truncate", after=4)
    reply = count_to(alice)
    assert reply.events == [
        "conversation.chat.created",
        "conversation.chat.in_progress",
        *["conversation.message.delta"] * 4,
    ]


def test_a_stream_can_end_in_the_middle_of_a_frame(alice: Session, arm: Any) -> None:
    arm("half-frame", after=4)
    reply = count_to(alice)
    assert not reply.body.endswith(b"\n\n")
    assert reply.body.count(b"event: conversation.message.delta\ndata: {") == 5


def test_garbage_can_stand_between_good_frames(alice: Session, arm: Any) -> None:
    arm("garbage-frame", after=4)
    reply = count_to(alice)
    assert b"\xff\xfe not json\n\n" in reply.body
    assert reply.body.count(b"event: conversation.message.delta") == 21
    assert b"event: done" in reply.body


def test_unknown_events_can_stand_between_good_ones(alice: Session, arm: Any) -> None:
    arm("unknown-event", after=4)
    reply = count_to(alice)
    assert reply.events[6:8] == ["PING", "conversation.message.sparkle"]
    assert len(reply.deltas) == 20


def test_an_error_event_ends_a_chat_without_an_answer(alice: Session, arm: Any) -> None:
    arm("error-event", after=2, code=4000, msg="missing")
    conversation = alice.conversation()
    reply = alice.chat("count to 20", conversation)
    assert reply.frames[-1] == ("error", '{"code":"4000","msg":"missing"}')
    assert len(alice.messages(conversation)["data"]) == 1
    assert alice.chat("count to 2", conversation).answer == "1 2"


def test_a_chat_can_fail_with_its_last_error(alice: Session, arm: Any) -> None:
    arm("chat-failed", code=4028, msg="quota", after=99)
    conversation = alice.conversation()
    reply = alice.chat("count to 20", conversation)
    assert reply.events[-2:] == ["conversation.chat.failed", "done"]
    failed = reply.data("conversation.chat.failed")
    assert failed["status"] == "failed"
    assert failed["last_error"] == {"code": 4028, "msg": "quota"}
    assert list(failed)[:5] == ["id", "conversation_id", "created_at", "completed_at", "failed_at"]
    assert len(alice.messages(conversation)["data"]) == 1


def test_a_chat_can_fail_with_a_bare_string_code(alice: Session, arm: Any) -> None:
    arm("chat-failed-bare", after=0)
    reply = count_to(alice)
    assert reply.frames[-2] == ("conversation.chat.failed", '{"code": "720702204","msg": "会话名不存在"}')
    assert reply.deltas == []


def test_every_byte_can_come_alone(alice: Session, arm: Any) -> None:
    conversation = alice.conversation()
    arm("one-byte-writes")
    with alice.open_chat("count to 3", conversation) as connection:
        raw = b""
        while chunk := connection.recv(65536):
            raw += chunk
    body = raw.partition(b"\r\n\r\n")[2]
    assert re.fullmatch(rb"(1\r\n[\s\S]\r\n)+0\r\n\r\n", body)
    assert b"event: done" in re.sub(rb"1\r\n([\s\S])\r\n", rb"\1", body)


def test_a_delta_can_have_a_megabyte(alice: Session, arm: Any) -> None:
    arm("huge-delta")
    reply = count_to(alice)
    assert max(map(len, reply.deltas)) == 1_000_000
    assert reply.data("conversation.message.completed")["content"] == reply.answer


def test_line_separators_can_come_unescaped(alice: Session, arm: Any) -> None:
    arm("line-separators")
    reply = count_to(alice)
    assert {"\u2028", "\u2029", "\x85"} <= set(reply.body.decode())
    assert reply.data("conversation.message.completed")["content"] == reply.answer


def test_a_stream_can_carry_another_conversation(alice: Session, arm: Any) -> None:
    arm("wrong-conversation")
    conversation = alice.conversation()
    reply = alice.chat("count to 3", conversation)
    assert {json.loads(data)["conversation_id"] for _, data in reply.frames[:-1]}.isdisjoint({conversation})
    assert len(alice.messages(conversation)["data"]) == 2


def test_a_flow_can_ask_back_in_either_form(alice: Session, arm: Any) -> None:
    arm("interrupt")
    assert count_to(alice).events[-4:] == [*["conversation.message.completed"] * 3, "done"]
    arm("requires-action")
    reply = count_to(alice)
    assert reply.events[-2:] == ["conversation.chat.requires_action", "done"]
    chat = reply.data("conversation.chat.requires_action")
    call = chat["required_action"]["submit_tool_outputs"]["tool_calls"][0]
    assert (chat["status"], call["type"]) == ("requires_action", "reply_message")


def test_a_reset_stream_leaves_the_server_well(alice: Session, arm: Any) -> None:
    for _ in range(5):
        arm("reset", after=1)
        conversation = alice.conversation()
        with alice.open_chat("count to 20", conversation) as connection, pytest.raises(ConnectionResetError):
            while connection.recv(65536):
                pass
    assert count_to(alice).events[-1] == "done"


def test_a_connection_that_we_reset_is_no_reader_who_left(start: Any) -> None:
    emulator = start(faults=["reset:after=1,times=1"])
    alice = Session(emulator)
    with (
        alice.open_chat("count to 20", alice.conversation()) as connection,
        pytest.raises(ConnectionResetError),
    ):
        while connection.recv(65536):
            pass
    assert count_to(alice).events[-1] == "done"
    assert emulator.ledger()["abandoned"] == 0
