"""Somebody between this site and Coze who reads what is asked, passes it on, and alters answers if told to."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
from django.test import AsyncClient

from cozechat.gateway.engine import engine

QUESTION = [{"role": "user", "content": "count to 5"}]
_HOPS = {"host", "connection", "transfer-encoding", "content-length", "accept-encoding"}


class Overheard:
    """What was asked, in its order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[tuple[str, str, Any]] = []
        self.assertions: list[dict[str, Any]] = []
        self.alters: Callable[[bytes], bytes] = lambda content: content

    def note(self, method: str, path: str, *, headers: dict[str, str], body: bytes) -> None:
        self.requests.append((method, path.partition("?")[0], json.loads(body) if body else None))
        assertion = headers.get("authorization", "").removeprefix("Bearer ")
        if assertion.count(".") == 2:
            self.assertions.append(jwt.decode(assertion, options={"verify_signature": False}))

    def paths(self) -> list[str]:
        """The calls that were no preparation and no tidying up."""
        calls = [f"{method} {path}" for method, path, _body in self.requests]
        return [call for call in calls if "oauth2" not in call and "/v1/conversation" not in call]

    def body(self, path: str) -> Any:
        """The body of the only call to this path."""
        (found,) = [body for _method, asked, body in self.requests if asked == path]
        return found


@contextmanager
def eavesdropper(coze: str) -> Iterator[Overheard]:
    """Stands in front of the Coze at this address."""

    class Between(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            overheard.note(self.command, self.path, headers=headers, body=body)
            kept = {name: value for name, value in headers.items() if name not in _HOPS}
            told = client.request(self.command, coze + self.path, headers=kept, content=body)
            self.send_response(told.status_code)
            for name, value in told.headers.items():
                if name.lower() not in _HOPS:
                    self.send_header(name, value)
            content = overheard.alters(told.content)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def __getattr__(self, name: str) -> Any:
            """Every method is answered alike."""
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def log_message(self, *_what: Any) -> None:
            """Nothing of it is for the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Between)
    overheard = Overheard(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    with httpx.Client(trust_env=False, timeout=30) as client, server:
        thread.start()
        try:
            yield overheard
        finally:
            server.shutdown()
            thread.join()


async def ask(
    key: str, model: str, *, messages: Any = QUESTION, user: str = "", status: int = 200, **more: Any
) -> Any:
    """What this process's gateway answers: an object, or the bytes of a stream."""
    headers = {"authorization": f"Bearer {key}"} | ({"x-end-user-id": user} if user else {})
    try:
        response = await AsyncClient().post(
            "/v1/chat/completions",
            {"model": model, "messages": messages} | more,
            content_type="application/json",
            headers=headers,
        )
        if response.streaming:
            return b"".join([part async for part in response.streaming_content])
        assert response.status_code == status, response.content
        return response.json()
    finally:
        await engine().aclose()
