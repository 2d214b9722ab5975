"""How the site logs: one line an event with the ids it belongs to, and no secret in any of them."""

from cozechat.logs.configuration import configuration, form_for_readers
from cozechat.logs.ids import also, context_of, current, new_request_id, only, reference, request_id, sane
from cozechat.logs.lines import LineFormatter, Lines
from cozechat.logs.redaction import redact, redacted
from cozechat.logs.tracebacks import cause_of

__all__ = [
    "LineFormatter",
    "Lines",
    "also",
    "cause_of",
    "configuration",
    "context_of",
    "current",
    "form_for_readers",
    "new_request_id",
    "only",
    "redact",
    "redacted",
    "reference",
    "request_id",
    "sane",
]
