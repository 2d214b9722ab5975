"""The grammar of chat completions: one object, or chunks of one; pure.

What the two official clients accept, and what makes one of them throw, decides every line here: `role` stands in the
first delta alone, exactly one chunk has a `finish_reason`, no line has an `id:`, and a failure is an object `error`.
"""

import json
from typing import Any

from cozechat.gateway.answers import Answer, Counts, Text
from cozechat.gateway.errors import Refusal

DONE = b"data: [DONE]\n\n"
HEARTBEAT = b": keep-alive\n\n"
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def encode(value: Any) -> bytes:
    """JSON as bytes, on what every client takes for one line: some split at Unicode's line ends, too."""
    text = _encoder.encode(value)
    return (text if text.isascii() else text.translate(_LINE_ENDS)).encode()


def event(value: Any, *, name: str = "") -> bytes:
    """One item of a stream."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + encode(value) + b"\n\n"


def error_event(refusal: Refusal) -> bytes:
    """What both clients raise from the middle of a stream."""
    return event(refusal.body())


def completion_id(request_id: str) -> str:
    """The same for each chunk, and for the same call told again."""
    return f"chatcmpl-{request_id.removeprefix('req_')}"


def completion(answer: Answer, *, request_id: str, model: str, created: int) -> dict[str, Any]:
    """The answer as one object."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    own = answer.coze()
    return {
        "id": completion_id(request_id),
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [choice],
        "usage": answer.counts.chat(),
        **({"coze": own} if own else {}),
    }


class Chunks:
    """The chunks of one answer, in their order."""

    def __init__(self, *, request_id: str, model: str, created: int, include_usage: bool) -> None:
        self._head = {
            "id": completion_id(request_id),
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
        }
        self._include_usage = include_usage
        # All that is around what is said is the same in each chunk.
        self._before, _content, self._after = self._chunk({"content": ""}).rpartition(b'""')

    def opening(self) -> bytes:
        """Who speaks, and nothing yet."""
        return self._chunk({"role": "assistant", "content": ""})

    def text(self, piece: Text) -> bytes:
        """What is said or thought."""
        if piece.content and not piece.reasoning:
            return b"".join((self._before, encode(piece.content), self._after))
        delta = {"content": piece.content} if piece.content else {}
        return self._chunk(delta | ({"reasoning_content": piece.reasoning} if piece.reasoning else {}))

    def closing(self, answer: Answer) -> bytes:
        """The end, the counts if they are wanted, and the mark after which nothing comes."""
        end = self._chunk({}, finish_reason="stop", coze=answer.coze())
        return end + (self._usage(answer.counts) if self._include_usage else b"") + DONE

    def _usage(self, counts: Counts) -> bytes:
        return event(self._head | {"choices": [], "usage": counts.chat()})

    def _chunk(
        self, delta: dict[str, str], *, finish_reason: str | None = None, coze: dict[str, Any] | None = None
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        usage = {"usage": None} if self._include_usage else {}
        return event(self._head | {"choices": [choice]} | usage | ({"coze": coze} if coze else {}))
