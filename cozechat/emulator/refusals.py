"""Coze's ways of saying no."""


class Refusal(Exception):
    """An error code in the usual envelope; HTTP 200 unless Coze's own status is known to differ."""

    def __init__(self, code: int, msg: str, *, status: int = 200) -> None:
        super().__init__(f"{code}: {msg}")
        self.code = code
        self.msg = msg
        self.status = status


class ExchangeRefusal(Exception):
    """A refused token exchange, which has a body and statuses of its own."""

    STATUSES = {
        "invalid_request": 400,
        "unsupported_grant_type": 400,
        "invalid_client": 401,
        "access_deny": 403,
        "internal_error": 500,
    }

    def __init__(self, error: str, message: str) -> None:
        super().__init__(f"{error}: {message}")
        self.error = error
        self.message = message

    @property
    def status(self) -> int:
        return self.STATUSES.get(self.error, 400)


def bad_parameter(name: str, *, why: str = "is invalid") -> Refusal:
    return Refusal(4000, f"Request parameter error: {name} {why}")


def not_authenticated() -> Refusal:
    return Refusal(4100, "authentication is invalid")


def token_expired() -> Refusal:
    return Refusal(700012006, "access token invalid")


def no_conversation(code: int) -> Refusal:
    """The same words for a conversation that is missing and one that is somebody else's."""
    return Refusal(code, "The conversation was not found, or this account has no permission for it.")


def no_message() -> Refusal:
    return Refusal(4005, "The message was not found, or this account has no permission for it.")


def not_found(what: str) -> Refusal:
    return Refusal(4200, f"{what} not found. Please verify the {what.lower()} exists.")


def busy() -> Refusal:
    return Refusal(4016, "This conversation already has a chat in progress. Please try again later.")


def no_bot() -> Refusal:
    return Refusal(4006, "The bot was not found, or this account has no permission for it.")


def no_chat() -> Refusal:
    return Refusal(4001, "The chat was not found, or this account has no permission for it.")


def no_execution() -> Refusal:
    """The same words for a run that is missing and one that is somebody else's."""
    return Refusal(4314, "The workflow execution record was not found.")
