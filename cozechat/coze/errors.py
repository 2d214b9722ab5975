"""Everything that can go wrong with Coze, as one tree.

    CozeError                  kind            retryable
    ├── Unreachable            unreachable     yes         no connection; nothing was sent
    │   ├── ConnectTimedOut    unreachable     yes         … in time
    │   ├── Untrusted          unreachable     yes         … for the certificate is not Coze's
    │   └── CircuitOpen        unreachable     yes         it was not even tried
    ├── ConnectionLost         unreachable     yes         broke before the answer began
    ├── TimedOut               timeout         yes
    ├── Truncated              truncated       yes         the answer stopped without an end
    ├── BadResponse            bad_response    yes         not what the API promises
    │   ├── TooLarge           bad_response    no
    │   └── WrongConversation  internal        no          an event of somebody else's conversation
    ├── InvalidKey             auth            no          the private key is unusable
    ├── ExchangeRefused        auth            no          the token endpoint said no
    │   └── ExchangeFailed     upstream_error  yes         … because of itself
    ├── TokenRefused           auth            no          drop the token, try once more
    ├── SignInSuspended        auth            no          it was not even tried
    ├── PermissionDenied       auth            no
    ├── NotFound               not_found       no
    │   └── ConversationNotFound
    ├── NotPublished           not_published   no
    ├── QuotaExceeded          quota           no
    ├── RateLimited            rate_limited    yes
    ├── Busy                   busy            yes
    │   ├── Overloaded         busy            yes         Coze or its model has too much to do
    │   ├── ConversationBusy   busy            yes         another chat runs in this conversation
    │   └── NoFreeConnection   busy            yes         ours are all taken; nothing was sent
    ├── ContentRefused         content_refused no
    ├── BadRequest             internal        no          we asked wrongly
    └── UpstreamFailed         upstream_error  yes         everything else

`kind` is the word that the outside hears, `retryable` whether asking again can help.
"""

MESSAGE_LIMIT = 500


class CozeError(Exception):
    """A call to Coze that did not succeed."""

    kind: str = "upstream_error"
    retryable: bool = True
    nothing_sent: bool = False
    # Whether a second attempt at once may succeed, and cannot do anything twice.
    try_again: bool = False

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        log_id: str = "",
        retry_after: float | None = None,
        debug_url: str = "",
    ) -> None:
        super().__init__(message[:MESSAGE_LIMIT])
        self.message = message[:MESSAGE_LIMIT]
        self.code = code
        self.log_id = log_id
        self.retry_after = retry_after
        self.debug_url = debug_url

    def __str__(self) -> str:
        code = "" if self.code is None else f" (code {self.code})"
        return self.message + code + (f" [log {self.log_id}]" if self.log_id else "")


class Unreachable(CozeError):
    """No connection could be made, so nothing was sent."""

    kind = "unreachable"
    nothing_sent = True
    try_again = True


class ConnectTimedOut(Unreachable):
    """No connection in time."""


class Untrusted(Unreachable):
    """Whoever answers cannot prove to be Coze: an expired, self-made or foreign certificate."""

    try_again = False


class CircuitOpen(Unreachable):
    """Coze has failed several times in a row and is left alone for a moment."""

    try_again = False


class ConnectionLost(CozeError):
    """The connection broke before the answer began; Coze may or may not have acted."""

    kind = "unreachable"


class TimedOut(CozeError):
    """Coze was silent for too long."""

    kind = "timeout"


class Truncated(CozeError):
    """The answer stopped without saying that it had ended."""

    kind = "truncated"


class BadResponse(CozeError):
    """The answer is not what the API promises."""

    kind = "bad_response"


class TooLarge(BadResponse):
    """The answer passes a limit of ours."""

    retryable = False


class WrongConversation(BadResponse):
    """Coze answered in another conversation than the one that was asked: isolation is at stake."""

    kind = "internal"
    retryable = False


class InvalidKey(CozeError):
    """The private key cannot be used; the message says why and never shows the key."""

    kind = "auth"
    retryable = False


class ExchangeRefused(CozeError):
    """The token endpoint did not trade the assertion for a token; `error_code` is its word for why."""

    kind = "auth"
    retryable = False

    def __init__(self, message: str, *, error_code: str, code: int | None = None, log_id: str = "") -> None:
        super().__init__(message, code=code, log_id=log_id)
        self.error_code = error_code


class ExchangeFailed(ExchangeRefused):
    """The token endpoint failed by its own fault."""

    kind = "upstream_error"
    retryable = True


class TokenRefused(CozeError):
    """The access token is not valid (any more): drop it and try once with a new one."""

    kind = "auth"
    retryable = False


class SignInSuspended(CozeError):
    """Coze has refused our credentials several times in a row; it is not asked again for a moment."""

    kind = "auth"
    retryable = False
    nothing_sent = True


class PermissionDenied(CozeError):
    """The token is valid but not for this."""

    kind = "auth"
    retryable = False


class NotFound(CozeError):
    """What was asked for does not exist, or not for this identity."""

    kind = "not_found"
    retryable = False


class ConversationNotFound(NotFound):
    """The conversation does not exist, or belongs to another identity."""


class NotPublished(CozeError):
    """The workflow or bot is not (or no longer) published to the API."""

    kind = "not_published"
    retryable = False


class QuotaExceeded(CozeError):
    """The account's quota, balance or plan does not allow it."""

    kind = "quota"
    retryable = False


class RateLimited(CozeError):
    """Too many requests."""

    kind = "rate_limited"


class Busy(CozeError):
    """Not now, but soon."""

    kind = "busy"


class Overloaded(Busy):
    """Coze, or the model behind it, has too much to do; the question was not taken."""


class ConversationBusy(Busy):
    """Another chat runs in this conversation."""


class NoFreeConnection(Busy):
    """All of our connections are taken, so nothing was sent."""

    nothing_sent = True


class ContentRefused(CozeError):
    """Coze will not answer this text."""

    kind = "content_refused"
    retryable = False


class BadRequest(CozeError):
    """We asked wrongly: a defect here or in the workflow's inputs."""

    kind = "internal"
    retryable = False


class UpstreamFailed(CozeError):
    """Coze failed, for whatever reason it gives."""


# What says of a conversation, of nothing else, that it is not there (any more): 4200 is documented for every kind
# of thing that was not found.
CONVERSATION_GONE = (NotFound, NotPublished)
