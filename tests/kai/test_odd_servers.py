"""Servers that do not speak MCP, or break off: every answer has a name, and none shows the key."""

import pytest

from cozechat.kai import errors

KEY = "the-key-that-nobody-may-see"


def http(
    body: bytes, *, status: str = "200 OK", kind: str = "application/json", length: int | None = None
) -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


RPC_ERROR = b'{"jsonrpc":"2.0","id":@ID@,"error":{"code":-32603,"message":"the-key-that-nobody-may-see"}}'

ODD = {
    "html": (http(b"<h1>hello</h1>", kind="text/html"), errors.BadAnswer),
    "not-json": (http(b"coffee!"), errors.BadAnswer),
    "another-json": (http(b"[1, 2, 3]"), errors.BadAnswer),
    "half-json": (http(b'{"jsonrpc": "2.0", "id": 1, "resu'), errors.BadAnswer),
    "not-utf8": (http(b"\xff\xfe\x00"), errors.BadAnswer),
    "rpc-error": (http(RPC_ERROR), errors.BadAnswer),
    "server-error": (http(b"oops", status="500 Internal Server Error", kind="text/plain"), errors.BadAnswer),
    "accepted": (http(b"", status="202 Accepted"), errors.BadAnswer),
    "elsewhere": (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/mcp\r\nContent-Length: 0\r\n\r\n",
        errors.BadAnswer,
    ),
    "empty-stream": (http(b"", kind="text/event-stream"), errors.BadAnswer),
    "unauthorized": (http(b"", status="401 Unauthorized"), errors.Unauthorized),
    "forbidden": (http(b"", status="403 Forbidden"), errors.Unauthorized),
    "closed-at-once": (b"", errors.Unreachable),
    "breaks-off": (http(b'{"jsonrpc"', length=5_000), errors.Unreachable),
    "not-http": (b"SSH-2.0-OpenSSH_9.6\r\n", errors.Unreachable),
    "huge": (http(b" " * 3_000_000), errors.TooLarge),
    "huge-stream": (http(b"data: " + b"x" * 3_000_000, kind="text/event-stream"), errors.TooLarge),
}


@pytest.mark.parametrize("name", sorted(ODD))
async def test_an_odd_answer_has_a_name(name, answering, connect):
    answer, error = ODD[name]
    async with answering(answer) as server, connect(server.url, key=KEY) as kai:
        with pytest.raises(errors.KaiError) as caught:
            await kai.invoke_tool("coffee_knowledge_query", {"query": "latte"}, timeout=10)

    assert type(caught.value) is error
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_silent_server_is_given_up(answering, connect):
    async with answering(None) as server, connect(server.url, key=KEY) as kai:
        with pytest.raises(errors.ToolTimeout):
            await kai.invoke_tool("coffee_knowledge_query", {"query": "latte"}, timeout=0.5)


async def test_the_key_travels_in_its_header_and_to_nobody_else(answering, connect):
    async with answering(ODD["elsewhere"][0]) as server, connect(server.url, key=KEY) as kai:
        with pytest.raises(errors.BadAnswer):
            await kai.list_tools()

        assert server.requests
        assert all(f"Bearer {KEY}".encode() in request for request in server.requests)
        assert all(KEY.encode() not in request.split(b"\r\n\r\n", 1)[1] for request in server.requests)


@pytest.mark.parametrize("name", ["rpc-error", "not-json", "unauthorized", "huge"])
async def test_no_log_shows_the_key_or_what_was_said(name, answering, connect, caplog):
    caplog.set_level("INFO")
    async with answering(ODD[name][0]) as server, connect(server.url, key=KEY) as kai:
        with pytest.raises(errors.KaiError):
            await kai.invoke_tool("coffee_knowledge_query", {"query": "a private question"}, timeout=10)

    assert KEY not in caplog.text
    assert "a private question" not in caplog.text
    assert "coffee!" not in caplog.text
