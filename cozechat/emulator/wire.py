"""JSON replies and server-sent events, byte for byte as Coze writes them."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Header = tuple[bytes, bytes]

_escape_text = json.encoder.encode_basestring
# Some readers take these three for the end of a line; a JSON string may carry them escaped.
_LINE_ENDS = {0x2028: "\\u2028", 0x2029: "\\u2029", 0x85: "\\u0085"}
_ABSENT = object()


def quoted(text: str, *, raw_line_ends: bool = False) -> str:
    """`text` as a JSON string, Chinese left as it is."""
    escaped = _escape_text(text)
    return escaped if raw_line_ends or escaped.isascii() else escaped.translate(_LINE_ENDS)


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_LINE_ENDS)


def frame(event: str, data: str, *, space: str = " ") -> bytes:
    """One event; `/v1/workflows/chat` puts a space after the colons, `/v3/chat` does not."""
    return f"event:{space}{event}\ndata:{space}{data}\n\n".encode()


@dataclass(slots=True)
class Reply:
    """A whole HTTP answer."""

    body: bytes
    status: int = 200
    content_type: bytes = b"application/json; charset=utf-8"
    headers: tuple[Header, ...] = ()

    async def write(self, send: Send, *, log_id: str) -> None:
        headers = [
            (b"content-type", self.content_type),
            (b"content-length", str(len(self.body)).encode()),
            (b"x-tt-logid", log_id.encode()),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def bare(value: object, *, status: int = 200, headers: tuple[Header, ...] = ()) -> Reply:
    """JSON without the envelope, as the token exchange answers."""
    return Reply(compact(value).encode(), status=status, headers=headers)


def envelope(
    log_id: str,
    *,
    data: object = _ABSENT,
    code: int = 0,
    msg: str = "",
    status: int = 200,
    headers: tuple[Header, ...] = (),
    beside: Json | None = None,
) -> Reply:
    """Coze's usual wrapping; `beside` are fields that some endpoints put next to `data`."""
    body: Json = {"code": code, "msg": msg}
    if data is not _ABSENT:
        body["data"] = data
    body |= beside or {}
    body["detail"] = {"logid": log_id}
    return bare(body, status=status, headers=headers)
