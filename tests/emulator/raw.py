"""A client that hides nothing: whole replies, and streams as the bytes that came."""

import functools
import http.client
import json
import secrets
import socket
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization

from cozechat.emulator.credentials import EmulatorCredentials
from cozechat.emulator.process import RunningEmulator

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CHAT = "/v1/workflows/chat"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def frames(self) -> list[tuple[str, str]]:
        """Event name and data line of every frame, with nothing allowed in between."""
        parts = self.body.decode().split("\n\n")
        assert parts.pop() == "", "the stream ends with a blank line"
        pairs = []
        for part in parts:
            event, data = part.split("\n")
            assert event.startswith("event: ") and data.startswith("data: "), part
            pairs.append((event[7:], data[6:]))
        return pairs

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.frames]

    @property
    def deltas(self) -> list[str]:
        frames = [json.loads(data) for event, data in self.frames if event == "conversation.message.delta"]
        return [frame["content"] for frame in frames]

    @property
    def answer(self) -> str:
        return "".join(self.deltas)

    def data(self, event: str) -> Any:
        return next(json.loads(data) for name, data in self.frames if name == event)


def address(emulator: RunningEmulator) -> tuple[str, int]:
    host, port = emulator.base_url.removeprefix("http://").split(":")
    return host, int(port)


def request(
    emulator: RunningEmulator,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    connection = http.client.HTTPConnection(*address(emulator), timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        reply = connection.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        return Reply(reply.status, found, reply.read())
    finally:
        connection.close()


def claims(emulator: RunningEmulator, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    given = {
        "iss": emulator.credentials.client_id,
        "aud": emulator.base_url.removeprefix("http://"),
        "iat": now,
        "exp": now + 600,
        "jti": secrets.token_hex(16),
    } | changes
    return {name: value for name, value in given.items() if value is not None}


def assertion(
    credentials: EmulatorCredentials,
    payload: dict[str, Any],
    *,
    kid: str | None = None,
    key: str | None = None,
    algorithm: str = "RS256",
) -> str:
    header = {"kid": kid or credentials.public_key_id}
    return jwt.encode(payload, _parsed(key or credentials.private_key), algorithm=algorithm, headers=header)


@functools.cache
def _parsed(pem: str) -> Any:
    """Reading the text of a key takes far longer than signing with it."""
    return serialization.load_pem_private_key(pem.encode(), password=None)


def exchange(
    emulator: RunningEmulator, token: str | None, *, path: str = "/api/permission/oauth2/token", **body: Any
) -> Reply:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    content = {"grant_type": GRANT_TYPE, "duration_seconds": 900} | body
    return request(emulator, "POST", path, body=json.dumps(content).encode(), headers=headers)


@dataclass
class Session:
    """One user's session: a token for one `session_name`."""

    emulator: RunningEmulator
    name: str | None = field(default_factory=lambda: f"u_{secrets.token_hex(8)}")
    token: str = ""

    def __post_init__(self) -> None:
        if not self.token:
            signed = assertion(self.emulator.credentials, claims(self.emulator, session_name=self.name))
            self.token = exchange(self.emulator, signed).json["access_token"]

    def call(self, method: str, path: str, body: Any = None) -> Reply:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        return request(self.emulator, method, path, body=content, headers=headers)

    def post(self, path: str, body: Any = None) -> Reply:
        return self.call("POST", path, body)

    def get(self, path: str) -> Reply:
        return self.call("GET", path)

    def conversation(self, **body: Any) -> str:
        identifier: str = self.post("/v1/conversation/create", body).json["data"]["id"]
        return identifier

    def chat_body(self, text: str, conversation: str | None = None, **changes: Any) -> dict[str, Any]:
        credentials = self.emulator.credentials
        given = {
            "workflow_id": credentials.workflow_id,
            "app_id": credentials.app_id,
            "conversation_id": conversation,
            "additional_messages": [{"role": "user", "content": text, "content_type": "text"}],
        } | changes
        return {name: value for name, value in given.items() if value is not None}

    def chat(self, text: str, conversation: str | None = None, **changes: Any) -> Reply:
        return self.post(CHAT, self.chat_body(text, conversation, **changes))

    def messages(self, conversation: str, **body: Any) -> Any:
        return self.post(f"/v1/conversation/message/list?conversation_id={conversation}", body).json

    def open_chat(self, text: str, conversation: str) -> socket.socket:
        """A chat whose answer is left on the socket."""
        body = json.dumps(self.chat_body(text, conversation)).encode()
        head = (
            f"POST {CHAT} HTTP/1.1\r\nHost: emulator\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection = socket.create_connection(address(self.emulator), timeout=10)
        connection.sendall(head.encode() + body)
        return connection


def count_to(alice: Session, number: int = 20) -> Reply:
    """A chat of a known length in a conversation of its own."""
    return alice.chat(f"count to {number}", alice.conversation())


def wait_until(condition: Any, *, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
