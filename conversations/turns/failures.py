"""What went wrong, in words for a person: every code of the contract has its sentence."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.lending import TokenOfOnePerson
from conversations.text import clean
from cozechat.coze.errors import CozeError

# Stored for a question that its owner could not pay for; outside it is `quota`, as when the site cannot pay Coze.
NOT_COVERED = "not_covered"
# Stored where the site signs in with a token that is one person's; outside it is `auth`.
ONE_PERSON = "one_person"
# Of runs: it was looked up as often as may be and still goes on; and nobody waits for this answer any more.
STILL_RUNNING, RUN_OVER = "still_running", "run_over"
_PUBLIC = {NOT_COVERED: "quota", ONE_PERSON: "auth", STILL_RUNNING: "timeout", RUN_OVER: "not_found"}

_SENTENCES: dict[str, Promise] = {
    "unreachable": _("The assistant cannot be reached at the moment. Try again shortly."),
    "timeout": _("The assistant took too long to answer. What came is kept."),
    "auth": _("This site could not sign in to Coze. The operator has to check the credentials."),
    ONE_PERSON: _(
        "This site is set up for one person only. Its operator has to connect it to Coze in another way before others "
        "can talk."
    ),
    "not_found": _("This assistant is not available any more."),
    "not_published": _("This assistant is not published yet. The operator has to publish it at Coze."),
    "quota": _("The service is out of credits. The operator has to top them up."),
    NOT_COVERED: _("Your balance or your allowance did not cover this question."),
    STILL_RUNNING: _(
        "The run takes longer than this site waits. It goes on at Coze: look it up again later."
    ),
    RUN_OVER: _("The run does not wait for an answer any more. Start it again."),
    "rate_limited": _("Too many questions at once. Wait a moment and try again."),
    "busy": _("The service is busy. Try again in a moment."),
    "content_refused": _("The assistant declined to answer this."),
    "truncated": _("The connection broke off before the answer was complete. What came is kept."),
    "bad_response": _("The assistant sent something that makes no sense. Try again."),
    "upstream_error": _("Something went wrong at the assistant. Try again."),
    "tool_failed": _("A tool that the assistant needed failed."),
    "internal": _("Something went wrong here. Try again."),
}
# The contract's codes.
PUBLIC_CODES = frozenset(_SENTENCES) - {NOT_COVERED}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a turn failed: the contract's code, whether trying again may help, and what support needs."""

    code: str
    retryable: bool = True
    retry_after: float | None = None
    log_id: str = ""
    coze_error: str = ""

    @property
    def advice(self) -> dict[str, bool | float]:
        """Whether to try again, and when, for the frame that ends the turn."""
        when = {} if self.retry_after is None else {"retry_after": self.retry_after}
        return {"retryable": self.retryable, **when}

    @property
    def message(self) -> str:
        """The sentence for the user, in the language that is active."""
        return message_for(self.code)


def public_code(code: str) -> str:
    """The contract's code for what is stored."""
    return _PUBLIC.get(code, code)


def message_for(code: str) -> str:
    """The sentence for a code, in the language that is active."""
    return str(_SENTENCES.get(code, _SENTENCES["internal"]))


def from_coze(error: CozeError) -> Failure:
    """A Coze error as the user's failure."""
    kind = ONE_PERSON if isinstance(error, TokenOfOnePerson) else error.kind
    return Failure(
        code=kind if kind in _SENTENCES else "upstream_error",
        retryable=error.retryable,
        retry_after=error.retry_after,
        log_id=clean(error.log_id),
        coze_error=clean(f"{type(error).__name__} {error.code or ''}: {error}")[:300],
    )


INTERNAL = Failure(code="internal")
TOO_LONG = Failure(code="truncated", retryable=False, coze_error="the answer is longer than this site takes")
TIMED_OUT = Failure(code="timeout")
