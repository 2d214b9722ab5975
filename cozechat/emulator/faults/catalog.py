"""The names of all faults, what each does, and its parameters' defaults."""

from dataclasses import dataclass, field
from typing import Any

API = "/v"
"""Where a fault strikes unless told otherwise: every path of the API, not the token exchange."""
CHATS = "/v1/workflows/chat|/v3/chat$|/v3/chat/submit_tool_outputs"
STREAMS = f"{CHATS}|/v1/workflow/stream_"
"""Alternatives; one that ends in $ is a whole path, any other a beginning."""
RUNS = "/v1/workflow/run$"
EXCHANGE = "/api/permission/oauth2"


@dataclass(frozen=True, slots=True)
class Kind:
    """One fault: in words, where it strikes, and what can be set."""

    words: str
    path: str
    defaults: dict[str, Any] = field(default_factory=dict)


INSTEAD = {
    "html-502": Kind("an HTML page with HTTP 502", API),
    "rate-limited": Kind(
        "HTTP 429; retry_after is seconds, date, huge or absent",
        API,
        {"seconds": 1.0, "retry_after": "seconds", "code": 4020},
    ),
    "unauthorized": Kind("HTTP 401 with code 4100", API),
    "token-invalid": Kind("code 4100", API),
    "access-token-invalid": Kind("code 700012006", API),
    "json-error": Kind("a JSON error instead of a stream", STREAMS, {"code": 5000, "msg": "server error"}),
    "exchange-error": Kind("a refused token exchange", EXCHANGE, {"error": "internal_error"}),
    "omit-data": Kind("code 0 and no data, as a failed chat's messages", "/v3/chat/message/list"),
    "slow-first-byte": Kind("nothing at all for a while", API, {"seconds": 3.0}),
    "reset-request": Kind("the connection is reset before the first byte", API),
}
"""Faults that strike before an endpoint answers."""

PIECES = {
    "huge-delta": Kind("one delta of a megabyte", STREAMS, {"after": 2, "size": 1_000_000}),
    "many-deltas": Kind("thousands of deltas, without a pause", STREAMS, {"count": 20_000}),
    "line-separators": Kind("U+2028, U+2029 and U+0085 unescaped in the text", STREAMS),
    "one-byte-writes": Kind("every byte in a write of its own", STREAMS),
}
"""Faults that change the pieces of an answer."""

ANSWER = {
    "empty-answer": Kind("an answer of no words", CHATS),
    "several-answers": Kind("one answer after another", CHATS, {"count": 3}),
    "reasoning": Kind("a chain of thought before the answer", CHATS),
    "follow-ups": Kind("suggestions after the answer", CHATS, {"count": 3}),
    "interrupt": Kind("the flow asks back: the form of the documentation", CHATS),
    "requires-action": Kind("the flow asks back: conversation.chat.requires_action", CHATS),
    "wrong-conversation": Kind("a stream that carries another conversation's id", CHATS),
}
"""Faults that change what is said, and rarer things that a chat may say."""

ENDS = {
    "error-event": Kind(
        "an error event; with code 0 an empty one", STREAMS, {"after": 3, "code": 5000, "msg": "server error"}
    ),
    "chat-failed": Kind(
        "chat.failed with last_error", CHATS, {"after": 3, "code": 5000, "msg": "event interval error"}
    ),
    "chat-failed-bare": Kind(
        "chat.failed with a string code and no ids",
        CHATS,
        {"after": 3, "code": 720702204, "msg": "会话名不存在"},
    ),
}
"""Faults after which a chat has failed, whether or not it is streamed."""

BROKEN = {
    "stall": Kind("silence in the middle of a stream", STREAMS, {"after": 3, "seconds": 3600.0, "finish": 1}),
    "truncate": Kind("a clean end without a terminal event or done", STREAMS, {"after": 3, "finish": 1}),
    "half-frame": Kind("the end in the middle of a frame", STREAMS, {"after": 3, "finish": 1}),
    "reset": Kind("the connection is reset in the middle of a stream", STREAMS, {"after": 3, "finish": 1}),
    "no-done": Kind("everything but the last frame", STREAMS),
    "garbage-frame": Kind("a frame that is no JSON, then the rest", STREAMS, {"after": 3}),
    "invalid-utf8": Kind("a delta whose text is no UTF-8, then the rest", STREAMS, {"after": 3}),
    "unknown-event": Kind("events nobody knows, PING among them, then the rest", STREAMS, {"after": 3}),
    "ping": Kind("a heartbeat after every delta", STREAMS),
}
"""Faults that change how a stream goes; `after` counts deltas, and with `finish` 0 the run dies, too."""

OTHER = {
    "expires-in-relative": Kind("expires_in is a duration, as some documents say", EXCHANGE),
    "clock-skew": Kind("the exchange's clock is ahead, or behind if negative", EXCHANGE, {"seconds": 7200.0}),
    "run-failed": Kind(
        "a workflow run that fails, at once or in its history",
        RUNS,
        {"code": 720701013, "msg": "We're currently experiencing server issues."},
    ),
}

FAULTS: dict[str, Kind] = INSTEAD | PIECES | ANSWER | ENDS | BROKEN | OTHER
