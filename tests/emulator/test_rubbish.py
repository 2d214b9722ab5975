"""Whatever is thrown at the emulator, it answers in Coze's words and serves the next caller."""

import json
import socket
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cozechat.emulator.process import RunningEmulator

from .raw import CHAT, Session, address, request

CREATE = "/v1/conversation/create"


def send(alice: Session, path: str, body: bytes, *, method: str = "POST", **headers: str) -> Any:
    given = {"Authorization": f"Bearer {alice.token}"} | headers
    return request(alice.emulator, method, path, body=body, headers=given)


@pytest.mark.parametrize("path", [CREATE, CHAT, "/v1/conversation/message/list?conversation_id=1"])
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'"text"',
        b"[1]",
        b"5",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"a":NaN}',
        b'{"a":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: body[:8].hex(),
)
def test_a_body_that_is_no_json_object_is_4000(alice: Session, path: str, body: bytes) -> None:
    reply = send(alice, path, body)
    assert (reply.status, reply.json["code"]) == (200, 4000)


@pytest.mark.parametrize(("path", "limit"), [(CREATE, 15), (CHAT, 20)])
def test_a_body_over_the_limit_is_4000_and_one_below_is_read(alice: Session, path: str, limit: int) -> None:
    over = b'{"name":"' + b"x" * (limit * 1024 * 1024) + b'"}'
    reply = send(alice, path, over)
    assert (reply.json["code"], "too large" in reply.json["msg"]) == (4000, True)
    assert "too large" not in send(alice, path, over[: limit * 1024 * 1024]).json["msg"]


def test_half_an_emoji_becomes_a_replacement_character(alice: Session) -> None:
    made = send(alice, CREATE, b'{"name":"a\\ud83d","meta_data":{"\\ude00":"\\ud83d\\ude00"}}').json["data"]
    assert (made["name"], made["meta_data"]) == ("a\ufffd", {"\ufffd": "😀"})
    raw = b'{"name":"\xed\xa0\xbd"}'
    assert send(alice, CREATE, raw).json["code"] == 4000


def test_a_zero_byte_is_a_character_like_any_other(alice: Session) -> None:
    conversation = alice.conversation(name="a\0b")
    assert alice.chat("a\0b", conversation).events[-1] == "done"
    assert alice.messages(conversation)["data"][1]["content"] == "a\0b"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("POST", "/v1/workflows/chat/", 404),
        ("GET", "/v1/workflows/chat", 405),
        ("DELETE", "/v1/users/me", 405),
        ("PATCH", "/v1/users/me", 405),
        ("GET", "/v1/conversations/%2e%2e/x", 404),
        ("GET", "/%ff%00", 404),
        ("GET", "/emulator/", 404),
    ],
)
def test_an_unknown_path_or_method_is_answered_in_json(
    alice: Session, method: str, path: str, status: int
) -> None:
    reply = send(alice, path, b"", method=method)
    assert (reply.status, reply.json["code"]) == (status, 4000)
    assert "x-tt-logid" in reply.headers


@pytest.mark.parametrize(
    "identifier", ["", "0", "x", "%00", "'; DROP TABLE messages; --", "9" * 400, "%ED%A0%BD", "１"]
)
def test_a_strange_conversation_id_is_not_found(alice: Session, identifier: str) -> None:
    reply = alice.get(f"/v1/conversation/retrieve?conversation_id={quote(identifier, safe='%')}")
    assert reply.json["code"] in (4000, 4002)
    assert alice.chat("hello", identifier or " ").json["code"] == 4002


def test_any_content_type_will_do(alice: Session) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk", ""):
        reply = send(alice, CREATE, b'{"name":"n"}', **{"Content-Type": kind})
        assert reply.json["data"]["name"] == "n"


def test_unknown_fields_are_ignored(alice: Session) -> None:
    made = alice.post(CREATE, {"name": "n", "colour": "green", "id": "1"}).json["data"]
    assert made["id"] != "1"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = ["workflow_id", "app_id", "bot_id", "conversation_id", "additional_messages", "parameters", "ext"]
NAMES += [
    "name",
    "messages",
    "meta_data",
    "connector_id",
    "session_name",
    "role",
    "content",
    "limit",
    "order",
]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.dictionaries(st.sampled_from(NAMES), JSON),
    path=st.sampled_from(
        [CREATE, CHAT, "/v1/conversation/message/list?conversation_id=1", "/v1/conversations/1/clear"]
    ),
)
def test_wrong_types_never_break_anything(alice: Session, body: dict[str, Any], path: str) -> None:
    reply = send(alice, path, json.dumps(body).encode())
    assert reply.status == 200
    assert reply.json["code"] in (0, 4000, 4002, 4003, 4004, 4006, 4200)


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/workflows/chat HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/workflows/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort",
        b"POST /v1/workflows/chat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/users/me HTTP/1.1\r\n\r\n",
        b"GET /v1/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: \xff\xfe\r\n\r\n",
    ],
    ids=range(10),
)
def test_bytes_that_are_no_request_hurt_nobody(
    emulator: RunningEmulator, alice: Session, sent: bytes
) -> None:
    with socket.create_connection(address(emulator), timeout=5) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass
    assert alice.get("/v1/users/me").json["code"] == 0
