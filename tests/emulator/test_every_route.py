"""Rubbish for every route there is: an answer in Coze's words each time, and the emulator lives."""

import json
from typing import Any

import pytest

from cozechat.emulator.app import ROUTES
from cozechat.emulator.calls import Guard, Route
from cozechat.emulator.process import RunningEmulator

from .raw import Session, assertion, claims, exchange, request

PUBLIC = [route for route in ROUTES.all if not route.path.startswith("/emulator/")]
PLACES = ("x", "0", "%00", "%FF%FE", "9" * 400, "'; DROP TABLE documents; --".replace(" ", "%20"), "%2e%2e")
BODIES = [
    b"",
    b"null",
    b"{",
    b'"text"',
    b"[1]",
    b"\xff\xfe",
    b"\x00" * 50,
    b'{"a":NaN}',
    b'{"a":' * 50_000,
    b'{"workflow_id":1e999}',
    b"--x\r\n\r\n--x--",
]
NAMES = [
    "workflow_id",
    "app_id",
    "bot_id",
    "user_id",
    "conversation_id",
    "chat_id",
    "additional_messages",
    "parameters",
    "ext",
    "stream",
    "is_async",
    "auto_save_history",
    "tool_outputs",
    "event_id",
    "resume_data",
    "interrupt_type",
    "connector_uid",
    "data",
    "keywords",
    "name",
    "messages",
    "meta_data",
    "custom_variables",
    "session_name",
    "role",
    "content",
    "content_type",
    "type",
    "limit",
    "order",
    "before_id",
    "feedback_type",
    "grant_type",
    "duration_seconds",
    "scope",
    "page_num",
    "page_size",
    "page_index",
    "workspace_id",
    "space_id",
    "file_id",
]
VALUES: list[Any] = [None, True, -1, 10**30, 1.5, "", "\0", "x" * 5000, [], [[]], [{}], {}, {"a": {"b": []}}]


def send(session: Session, route: Route, *, place: str, query: str, body: bytes, **headers: str) -> Any:
    path = route.path
    for name in (
        "conversation_id",
        "message_id",
        "account_id",
        "bot_id",
        "workflow_id",
        "execute_id",
        "node_id",
    ):
        path = path.replace(f"{{{name}}}", place)
    given = {"Authorization": f"Bearer {session.token}"} | headers
    return request(session.emulator, route.method, f"{path}?{query}", body=body, headers=given)


def check(reply: Any) -> None:
    assert reply.status in (200, 400, 401, 403, 404, 405)
    assert "x-tt-logid" in reply.headers
    if reply.headers["content-type"] != "text/event-stream":
        assert "code" in reply.json or "error_message" in reply.json or "access_token" in reply.json
        assert reply.json.get("code") != 5000


def each(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize("route", PUBLIC, ids=each)
def test_what_is_no_request_is_answered(alice: Session, route: Route) -> None:
    for number, body in enumerate(BODIES):
        place = PLACES[number % len(PLACES)]
        kind = "multipart/form-data; boundary=x" if number % 2 else "application/json"
        query = f"conversation_id={place}&chat_id={place}&bot_id={place}&page_num={place}"
        check(send(alice, route, place=place, query=query, body=body, **{"Content-Type": kind}))
    assert alice.get("/v1/users/me").json["code"] == 0


@pytest.mark.parametrize("route", PUBLIC, ids=each)
def test_wrong_types_are_answered(alice: Session, route: Route) -> None:
    for number, value in enumerate(VALUES):
        one = dict.fromkeys(NAMES, value)
        mixed = {name: VALUES[(place + number) % len(VALUES)] for place, name in enumerate(NAMES)}
        for body in (one, mixed):
            query = "&".join(f"{name}={str(item)[:20]}" for name, item in body.items()).replace(" ", "")
            query = query.encode("ascii", "replace").decode().replace("\0", "%00")
            check(send(alice, route, place="x", query=query, body=json.dumps(body).encode()))


MESSAGE = {"role": "user", "type": "question", "content": "hi", "content_type": "text", "meta_data": {}}
OPTIONS = {"parameters": {"a": "b"}, "ext": {"user_id": "1"}, "connector_id": "1024", "session_name": "x"}
GOOD: dict[str, dict[str, Any]] = {
    "/v1/workflows/chat": {
        "workflow_id": "7480012345678902001",
        "app_id": "7480012345678903001",
        "additional_messages": [MESSAGE],
        **OPTIONS,
    },
    "/v3/chat": {
        "bot_id": "7480012345678904001",
        "user_id": "u",
        "stream": True,
        "auto_save_history": True,
        "additional_messages": [MESSAGE],
        "custom_variables": {"a": "b"},
        "meta_data": {"a": "b"},
        "shortcut_command": {},
        "extra_params": {},
        "enable_card": False,
        **OPTIONS,
    },
    "/v1/workflow/run": {"workflow_id": "7480012345678902005", "is_async": False, **OPTIONS},
    "/v1/workflow/stream_run": {
        "workflow_id": "7480012345678902005",
        **OPTIONS,
    },
    "/v1/workflows/resume": {
        "workflow_id": "7480012345678902003",
        "event_id": "1/2",
        "resume_data": "x",
        "interrupt_type": 2,
    },
    "/v1/conversation/create": {"name": "n", "messages": [MESSAGE], "meta_data": {}, "bot_id": None},
    "/v1/variables": {
        "bot_id": "7480012345678904001",
        "connector_uid": "u",
        "data": [{"keyword": "k", "value": "v"}],
    },
}


@pytest.mark.parametrize("path", GOOD)
def test_one_wrong_field_in_a_good_request_is_answered(alice: Session, path: str) -> None:
    method = "PUT" if path == "/v1/variables" else "POST"
    for name, good in GOOD[path].items():
        for value in VALUES:
            check(alice.call(method, path, GOOD[path] | {name: value}))
        if isinstance(good, list):
            for field in good[0]:
                for value in VALUES:
                    check(alice.call(method, path, GOOD[path] | {name: [good[0] | {field: value}]}))
    assert alice.call(method, path, GOOD[path]).status == 200


@pytest.mark.parametrize("route", PUBLIC, ids=each)
def test_nobody_gets_in_without_a_token(emulator: RunningEmulator, route: Route) -> None:
    nobody = Session(emulator, token="czs_garbage")
    reply = send(nobody, route, place="1", query="", body=b"{}")
    if route.guard is Guard.TOKEN:
        assert (reply.status, reply.json["code"]) == (200, 4100)
    else:
        assert reply.json["error_code"] == "invalid_client"


def test_huge_bodies_are_refused_and_the_next_caller_is_served(start: Any) -> None:
    alice = Session(start(arguments=["--upload-megabytes", "1"]))
    huge = b'{"a":"' + b"x" * (21 * 1024 * 1024) + b'"}'
    for path, code in (
        ("/v1/workflow/run", 4000),
        ("/v1/workflow/stream_run", 4000),
        ("/v3/chat", 4000),
        ("/v1/files/upload", 4302),
    ):
        headers = {"Authorization": f"Bearer {alice.token}"}
        assert request(alice.emulator, "POST", path, body=huge, headers=headers).json["code"] == code
    assert alice.get("/v1/users/me").json["code"] == 0


FORM = "multipart/form-data; boundary=x"
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n%s\r\n'


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        (FORM, FILE % b"abc" + b"--x--\r\n", 0),
        (FORM, FILE % b"abc" + FILE % b"def" + b"--x--\r\n", 4301),
        (FORM, FILE % b"" + b"--x--\r\n", 4300),
        (FORM, FILE.replace(b'"file"', b'"data"') % b"abc" + b"--x--\r\n", 4300),
        (FORM, FILE % b"abc", 4304),
        (FORM, b"abc", 4304),
        ("multipart/form-data", FILE % b"abc" + b"--x--\r\n", 4304),
        ("application/json", b'{"file":"abc"}', 4304),
        (FORM, b"", 4300),
    ],
)
def test_an_upload_is_one_file_in_a_form(alice: Session, kind: str, body: bytes, code: int) -> None:
    headers = {"Authorization": f"Bearer {alice.token}", "Content-Type": kind}
    reply = request(alice.emulator, "POST", "/v1/files/upload", body=body, headers=headers)
    assert reply.json["code"] == code
    if code == 0:
        assert (reply.json["data"]["bytes"], reply.json["data"]["file_name"]) == (3, "a.txt")


def test_a_file_of_another_account_is_not_there(emulator: RunningEmulator, alice: Session) -> None:
    headers = {"Authorization": f"Bearer {alice.token}", "Content-Type": FORM}
    body = FILE % b"abc" + b"--x--\r\n"
    file = request(emulator, "POST", "/v1/files/upload", body=body, headers=headers).json["data"]["id"]
    signed = assertion(emulator.credentials, claims(emulator, session_name=alice.name))
    path = "/api/permission/oauth2/account/7480000000000000009/token"
    elsewhere = Session(emulator, token=exchange(emulator, signed, path=path).json["access_token"])
    found = [
        session.get(f"/v1/files/retrieve?file_id={file}").json["code"]
        for session in (alice, Session(emulator), elsewhere)
    ]
    assert found == [0, 0, 4200]
