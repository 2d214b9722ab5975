"""What a client is told when a call is refused or fails: status, type, code and what helps to go on."""

from typing import Any

from django.conf import settings

from cozechat.coze.errors import (
    Busy,
    CircuitOpen,
    CozeError,
    NoFreeConnection,
    RateLimited,
    TimedOut,
)
from cozechat.coze.polling import PollsSpent

# Clients sleep for as long as they are told, and one of them without a limit of its own.
LONGEST_RETRY_AFTER = 60
NO_RETRY = {"x-should-retry": "false"}
_TYPES = {
    401: "invalid_request_error",
    403: "permission_error",
    409: "conflict",
    500: "server_error",
    502: "upstream_error",
    503: "overloaded",
    504: "upstream_timeout",
}


class Refusal(Exception):
    """A call that is not answered, in OpenAI's words."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        kind: str = "",
        headers: dict[str, str] | None = None,
        coze: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.kind = kind or _TYPES.get(status, "invalid_request_error")
        self.headers = headers or {}
        self.coze = coze or {}

    def body(self) -> dict[str, Any]:
        """The JSON that both official clients read."""
        error: dict[str, Any] = {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        }  # fmt: skip
        return {"error": error | ({"coze": self.coze} if self.coze else {})}

    def as_json(self) -> dict[str, Any]:
        """To be stored and raised again."""
        fields = ("status", "code", "message", "param", "kind", "headers", "coze")
        return {name: getattr(self, name) for name in fields}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Refusal":
        """What `as_json` wrote."""
        fields = dict(stored)
        return cls(fields.pop("status"), fields.pop("code"), fields.pop("message"), **fields)


def retry_after(seconds: float | None) -> dict[str, str]:
    """When to come back, in the two spellings that clients know."""
    wait = min(max(1.0 if seconds is None else seconds, 0.05), LONGEST_RETRY_AFTER)
    return {"retry-after": str(max(1, round(wait))), "retry-after-ms": str(int(wait * 1000))}


def bad_request(message: str, *, param: str | None = None, code: str = "invalid_value") -> Refusal:
    """The body is not what it should be."""
    return Refusal(400, code, message, param=param)


def malformed() -> Refusal:
    """What came is no HTTP request."""
    return Refusal(400, "bad_request", "This is no HTTP request that could be read.", headers=NO_RETRY)


def too_large() -> Refusal:
    """A body beyond all measure."""
    return Refusal(
        413,
        "request_too_large",
        f"The body is larger than {settings.GATEWAY_MAX_BODY} bytes.",
        headers=NO_RETRY,
    )


def unsupported(message: str, *, param: str) -> Refusal:
    """The body asks for what Coze cannot do."""
    return Refusal(400, "unsupported_parameter", message, param=param)


def invalid_key() -> Refusal:
    """No key, an unknown one, or one that has ended: all three sound alike."""
    message = "Incorrect API key provided. Send a key of this site as 'Authorization: Bearer …'."
    return Refusal(401, "invalid_api_key", message, headers={"www-authenticate": "Bearer"} | NO_RETRY)


def model_not_found(name: str) -> Refusal:
    """No such model, or not for this key to know of."""
    return Refusal(
        404,
        "model_not_found",
        f"The model '{name[:100]}' does not exist, or this key may not use it.",
        param="model",
    )


def conversation_not_found() -> Refusal:
    """Nobody's, or somebody else's: both sound alike."""
    return Refusal(
        404, "conversation_not_found", "This conversation does not exist.", param="conversation_id"
    )


def interruption_not_found() -> Refusal:
    """Nobody's, somebody else's, another workflow's or too old: all sound alike."""
    message = "No run of this model waits for an answer under this event_id."
    return Refusal(404, "interruption_not_found", message, param="coze.resume.event_id", headers=NO_RETRY)


def too_many_end_users(most: int) -> Refusal:
    """Somebody new, and the key has no room for them; asking again cannot help."""
    message = f"This key serves {most} end users, and this one is new. Its operator can allow more."
    return Refusal(403, "too_many_end_users", message, param="user", headers=NO_RETRY)


def insufficient_quota(message: str) -> Refusal:
    """The money does not suffice; asking again cannot help."""
    return Refusal(429, "insufficient_quota", message, kind="insufficient_quota", headers=NO_RETRY)


def rate_limited(
    message: str, *, kind: str, seconds: float, headers: dict[str, str] | None = None
) -> Refusal:
    """Too many for now."""
    return Refusal(
        429, "rate_limit_exceeded", message, kind=kind, headers={**retry_after(seconds), **(headers or {})}
    )


def from_coze(error: CozeError, *, accepted: bool, execute_id: str = "") -> Refusal:
    """Coze's failure as ours. Once Coze has accepted a call, asking again would run it a second time."""
    coze: dict[str, Any] = {"kind": error.kind}
    if error.log_id:
        coze["log_id"] = error.log_id
    if execute_id:
        coze["execute_id"] = execute_id
    if isinstance(error, PollsSpent):
        message = "The workflow has not ended in time. It goes on at Coze; its result is charged when it has."
        return Refusal(504, "workflow_timeout", message, headers=NO_RETRY, coze=coze)
    status, kind, code = _place(error)
    headers = dict(NO_RETRY) if accepted or not error.retryable else {}
    if not headers and status in (429, 503):
        headers = retry_after(error.retry_after)
    return Refusal(status, code, f"Coze: {error.message}", kind=kind, headers=headers, coze=coze)


def _place(error: CozeError) -> tuple[int, str, str]:
    """Status, type and code: Coze's own code where it gave one."""
    code = str(error.code) if error.code is not None else error.kind
    if isinstance(error, CircuitOpen | NoFreeConnection):
        return 503, "overloaded", "upstream_unavailable"
    if isinstance(error, RateLimited):
        return 429, "requests", "rate_limit_exceeded"
    if isinstance(error, Busy):
        return 503, "overloaded", code
    if isinstance(error, TimedOut):
        return 504, "upstream_timeout", code
    return 502, "upstream_error", code


def internal() -> Refusal:
    """A defect of this site; it is in the log under the request's id."""
    return Refusal(500, "internal_error", "Something went wrong here.", headers=NO_RETRY)


def restarting(*, accepted: bool = False) -> Refusal:
    """Another process takes over; what Coze has accepted, it settles, and asking again would be a second call."""
    if accepted:
        message = "The site is restarting and this answer is lost. What Coze has counted is charged."
        return Refusal(503, "restarting", message, headers=NO_RETRY)
    message = "The site is restarting. Try again in a moment."
    return Refusal(503, "restarting", message, headers=retry_after(2))


def empty_response() -> Refusal:
    """Coze succeeded without a word: an error, or clients would show nothing at all."""
    return Refusal(502, "empty_response", "Coze ended without an answer.", headers=NO_RETRY)


def too_long() -> Refusal:
    """More than this site takes."""
    message = "The answer is longer than this site takes."
    return Refusal(502, "answer_too_long", message, headers=NO_RETRY)


def took_too_long() -> Refusal:
    """Coze is still at it."""
    return Refusal(504, "upstream_timeout", "The answer took too long.", headers=NO_RETRY)
