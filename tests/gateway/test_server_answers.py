"""What the server itself answers under `/v1/`, before or after any of our code: in JSON as everything else."""

import contextlib
import json
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from .running import until
from .test_ending import mortal

__all__ = ["mortal"]
ASK = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


def answered(site, data):
    """Status, headers and body of the answer to these bytes."""
    where = urlsplit(site.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as line:
        line.sendall(data)
        found = b""
        # What is left of a body that nobody wants ends in a reset.
        with contextlib.suppress(ConnectionError):
            while chunk := line.recv(65536):
                found += chunk
    head, _blank, body = found.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    return int(first.split()[1]), httpx.Headers([tuple(entry.split(": ", 1)) for entry in rest]), body


def is_ours(headers, body, *, code):
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"].startswith("req_")
    assert headers["access-control-allow-origin"] == "*"
    return True


CHUNKED = ASK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (ASK + b"Content-Length: 99000000\r\n\r\n", 413, "request_too_large"),
        (CHUNKED + b"1600000\r\n" + b"x" * 0x1600000 + b"\r\n0\r\n\r\n", 413, "request_too_large"),
        (CHUNKED + b"rubbish\r\n", 400, "bad_request"),
        (ASK + b"no colon\r\n\r\n", 400, "bad_request"),
        (ASK + b"Content-Length: many\r\n\r\n", 400, "bad_request"),
        (ASK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "bad_request"),
        (ASK + b"X-Long: " + b"x" * 20_000 + b"\r\n\r\n", 400, "bad_request"),
        (b"GET /v1/\xff HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 400, "bad_request"),
        (b"GET /v1/models?\xff HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 400, "bad_request"),
    ],
    ids=[
        "large",
        "large in chunks",
        "no chunk",
        "no header",
        "no length",
        "two lengths",
        "long",
        "path",
        "query",
    ],
)
def test_what_the_server_refuses_it_refuses_in_json(data, status, code, site):
    found, headers, body = answered(site, data)
    assert found == status
    assert is_ours(headers, body, code=code)


def test_elsewhere_the_server_speaks_as_before(site):
    status, headers, _body = answered(site, b"GET / HTTP/1.1\r\nno colon\r\n\r\n")
    assert status == 400
    assert "x-request-id" not in headers


def test_a_process_that_ends_says_so_in_json(mortal):
    key = mortal.key()
    body = {
        "model": "gpt-4",
        "stream": True,
        "messages": [{"role": "user", "content": "slowly count to 200"}],
    }
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{mortal.base_url}/chat/completions"
    with (
        httpx.Client(trust_env=False, timeout=60) as client,
        client.stream("POST", url, json=body, headers=headers) as running,
    ):
        lines = running.iter_lines()
        next(lines)
        mortal.ask_to_stop()

        def refused():
            found = mortal.post("/v1/chat/completions", key=key, json={})
            return found if found.status_code == 503 else None

        found = until(refused, seconds=10)
        assert is_ours(found.headers, found.content, code="restarting")
        assert 1 <= int(found.headers["retry-after"]) <= 60
        assert found.headers["connection"] == "close"
        assert "data: [DONE]" in list(lines)
    mortal.stop()
    mortal.start()
