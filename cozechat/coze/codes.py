"""Coze's numbers, HTTP statuses and waits as our errors."""

import math
from datetime import UTC
from email.utils import parsedate_to_datetime

from cozechat.coze.errors import (
    BadRequest,
    Busy,
    ContentRefused,
    ConversationBusy,
    ConversationNotFound,
    CozeError,
    NotFound,
    NotPublished,
    Overloaded,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    TimedOut,
    TokenRefused,
    UpstreamFailed,
)

RETRY_AFTER_LIMIT = 3600.0

_CODES: dict[type[CozeError], tuple[int, ...]] = {
    TokenRefused: (4100, 700012006),
    PermissionDenied: (4101, 702242003),
    ConversationNotFound: (4002,),
    NotFound: (4001, 4005, 4006, 4314, 720702004),
    # 4012 (model withdrawn) and 4021 (no workflow configured) are mended in the same place: publish again.
    NotPublished: (4012, 4015, 4021, 4200, 720702011),
    QuotaExceeded: (4008, 4011, 4019, 4022, 4027, 4028, 6003),
    RateLimited: (4020,),
    ConversationBusy: (4016,),
    # Some read 4013, a fault of the model, as a rate limit: it is waited for like one.
    Overloaded: (4009, 4013),
    Busy: (4102,),
    # 4010 is a prompt that is too long: as with the others, the user can write something else.
    ContentRefused: (4010, 4014, 4105),
    # 720702204 is a named conversation of the flow that does not exist.
    BadRequest: (
        *(4000, 4003, 4004, 4007, 4104, 4201, 4300, 4301, 4302, 4303, 4304, 4315),
        *(720702001, 720702002, 720702204),
    ),
    TimedOut: (720702085,),
    UpstreamFailed: (5000, 720701013),
}
_BY_CODE = {code: error for error, codes in _CODES.items() for code in codes}
_BY_STATUS: dict[int, type[CozeError]] = {
    400: BadRequest,
    401: TokenRefused,
    403: PermissionDenied,
    404: NotFound,
    408: TimedOut,
    413: BadRequest,
    422: BadRequest,
    429: RateLimited,
    503: Busy,
    504: TimedOut,
}


def kind_of(code: int) -> str:
    """The word that the outside hears for one of Coze's numbers; "" for one that nobody has described."""
    known = _BY_CODE.get(code)
    return known.kind if known else ""


def error_for(
    message: str,
    *,
    code: int | str | None = None,
    status: int = 200,
    log_id: str = "",
    retry_after: float | None = None,
    debug_url: str = "",
) -> CozeError:
    """The error that a code (a number or its digits) stands for; if it is unknown the HTTP status decides."""
    try:
        number = None if code is None else int(code)
    except ValueError:
        number = None
    known = _BY_CODE.get(number) if number is not None else None
    kind = known or _BY_STATUS.get(status) or UpstreamFailed
    text = message or f"Coze answered {number or ''} with HTTP {status}".replace("  ", " ")
    return kind(text, code=number, log_id=log_id, retry_after=retry_after, debug_url=debug_url)


def parse_retry_after(value: str | None, *, now: float) -> float | None:
    """Seconds to wait from a `Retry-After` header, which holds seconds or a date; at most an hour."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    return None if math.isnan(seconds) else min(max(seconds, 0.0), RETRY_AFTER_LIMIT)
