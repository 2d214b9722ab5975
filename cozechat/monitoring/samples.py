"""What one ended turn or call adds to the sums, and when it happened.

How an answer on the chat page ended stands in its turn, also where Coze was never reached; how long it took and what it
came to stands in the usage record that it left. A call of the gateway has all of it in its record.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from conversations.models import Turn
from conversations.turns.failures import NOT_COVERED, PUBLIC_CODES
from cozechat.coze.codes import kind_of
from cozechat.monitoring import histograms
from cozechat.usage.models import Origin, UsageRecord

# How answers end, for the sums: the words of both kinds of rows in one.
COMPLETED, CANCELED, FAILED, INTERRUPTED, REFUSED = (
    "completed", "canceled", "failed", "interrupted", "refused",
)  # fmt: skip
FAILURES = frozenset({FAILED, INTERRUPTED})
STATUSES = (COMPLETED, CANCELED, FAILED, INTERRUPTED, REFUSED)
OTHER = "other"
ORIGINS = (Origin.CHAT.value, Origin.GATEWAY.value)

_OF_TURNS = {
    Turn.Status.COMPLETED: COMPLETED,
    Turn.Status.REQUIRES_ACTION: COMPLETED,
    Turn.Status.CANCELED: CANCELED,
    Turn.Status.FAILED: FAILED,
    Turn.Status.INTERRUPTED: INTERRUPTED,
}
_OF_RECORDS = {
    UsageRecord.Status.COMPLETED: COMPLETED,
    UsageRecord.Status.CANCELED: CANCELED,
    UsageRecord.Status.FAILED: FAILED,
    UsageRecord.Status.LOST: INTERRUPTED,
    UsageRecord.Status.REFUSED: REFUSED,
}
# The gateway's words in the contract's.
_WORDS = {
    "answer_too_long": "truncated",
    "empty_response": "bad_response",
    "internal_error": "internal",
    "lost": INTERRUPTED,
    "rate_limit_exceeded": "rate_limited",
    "restarting": INTERRUPTED,
    "upstream_timeout": "timeout",
    "upstream_unavailable": "unreachable",
    "workflow_timeout": "timeout",
}
_CODE_IN_ERROR = re.compile(r"\w+ (\d{1,12}):", re.ASCII)
TURN_COLUMNS = ("pk", "status", "withdrawn", "error_code", "coze_error", "ended_at")
RECORD_COLUMNS = (
    "pk", "origin", "status", "error_code", "created_at", "latency_ms", "first_token_ms",
    "input_tokens", "output_tokens", "cost",
)  # fmt: skip

Sums = Counter[str]


@dataclass(frozen=True, slots=True)
class Sample:
    """What happened at a moment, in the words of a tally."""

    at: datetime
    sums: Sums


def of_turns(rows: Iterable[tuple[Any, ...]]) -> Iterator[Sample]:
    """Rows of `TURN_COLUMNS`. A question that was withdrawn before its turn came is none."""
    for _pk, status, withdrawn, error_code, coze_error, ended_at in rows:
        if withdrawn:
            continue
        ending = REFUSED if error_code == NOT_COVERED else _OF_TURNS[Turn.Status(status)]
        sums = Sums({f"answers:{Origin.CHAT}:{ending}": 1})
        if ending in FAILURES:
            said = _CODE_IN_ERROR.match(coze_error)
            sums += _failure(error_code, ending=ending, number=said[1] if said else "")
        yield Sample(ended_at, sums)


def of_records(rows: Iterable[tuple[Any, ...]]) -> Iterator[Sample]:
    """Rows of `RECORD_COLUMNS`; a call belongs to the minute in which it ended, where that is known."""
    for _pk, origin, status, code, began_at, latency, first, read, written, cost in rows:
        sums = Sums({"tokens:input": read, "tokens:output": written, "cost": cost})
        ending = _OF_RECORDS[UsageRecord.Status(status)]
        if origin == Origin.GATEWAY:
            sums[f"answers:{origin}:{ending}"] = 1
            if ending in FAILURES:
                sums += _failure(code, ending=ending, number=code if _is_number(code) else "")
        if ending == COMPLETED and latency is not None:
            sums.update(histograms.counted("latency", latency))
        if ending == COMPLETED and first is not None:
            sums.update(histograms.counted("first", first))
        yield Sample(began_at + timedelta(milliseconds=latency or 0), +sums)


def _is_number(code: str) -> bool:
    return code.isascii() and code.isdigit() and len(code) <= 12


def _failure(code: str, *, ending: str, number: str) -> Sums:
    """Under one of the contract's words, and under Coze's number if it said one: only such as are described."""
    kind = kind_of(int(number)) if number else ""
    word = _WORDS.get(code, code)
    if word not in PUBLIC_CODES:
        word = kind or (INTERRUPTED if ending == INTERRUPTED else OTHER)
    sums = Sums({f"errors:{word}": 1})
    if number:
        sums[f"coze:{int(number) if kind else OTHER}"] = 1
    return sums
