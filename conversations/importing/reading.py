"""What a saved conversation says: read strictly, within limits, and refused in a named way. Pure."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from conversations.models import TITLE_LENGTH, Message, Step, Turn
from conversations.text import clean

FILE_BYTES = 20 * 1024 * 1024
MOST_MESSAGES = 5_000
_MOST_STEPS = 200
_PARAMETERS_CHARACTERS = 16 * 1024
_MOST_TOKENS = 2**31 - 1


class BadFile(ValueError):
    """`code` and a sentence say what is wrong: too_large, not_json, not_ours, too_many, bad_message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the file. `turn` ties a question to its answer; None: it came by itself."""

    turn: str | None
    role: str
    content: str
    status: str
    created_at: datetime
    parameters: dict[str, Any] = field(default_factory=dict)
    error_code: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    is_cached: bool = False
    log_id: str = ""
    seconds: float = 0.0
    reasoning: str = ""
    reasoning_seconds: float | None = None
    suggestions: tuple[str, ...] = ()
    steps: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Saved:
    """A conversation as its file tells it."""

    title: str
    created_at: datetime
    asked_at: datetime
    active_at: datetime
    is_pinned: bool
    is_archived: bool
    is_unread: bool
    assistant: dict[str, str]
    messages: tuple[Said, ...]


def read(raw: bytes) -> Saved:
    """The conversation in a file. Raises BadFile."""
    if len(raw) > FILE_BYTES:
        raise BadFile("too_large", _("This file is too large."))
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadFile("not_json", _("This file is not JSON.")) from None
    if not isinstance(data, dict) or data.get("version") != 1 or not isinstance(data.get("messages"), list):
        raise BadFile("not_ours", _("This is not a conversation that was saved as JSON here."))
    if len(data["messages"]) > MOST_MESSAGES:
        raise BadFile("too_many", _("There are too many messages in this file."))
    try:
        return _conversation(data["conversation"], data["messages"])
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile("not_ours", _("This is not a conversation that was saved as JSON here.")) from None


def _conversation(data: dict[str, Any], messages: list[Any]) -> Saved:
    created_at, active_at = _moment(data["created_at"]), _moment(data["updated_at"])
    assistant = _object(data.get("assistant"))
    said = tuple(_numbered(messages))
    _ask_once(said)
    return Saved(
        title=_text(data["title"], most=TITLE_LENGTH),
        created_at=created_at,
        active_at=active_at,
        asked_at=_moment(data.get("asked_at", data["updated_at"])),
        is_pinned=data.get("pinned") is True,
        is_archived=data.get("archived") is True,
        is_unread=data.get("unread") is True,
        assistant={name: str(assistant.get(name, ""))[:200] for name in ("id", "name")},
        messages=said,
    )


def _numbered(messages: list[Any]) -> Iterable[Said]:
    for number, data in enumerate(messages, 1):
        try:
            yield _said(data)
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
            text = _("Message %(number)d of this file cannot be read.") % {"number": number}
            raise BadFile("bad_message", text) from None


def _ask_once(messages: tuple[Said, ...]) -> None:
    """A turn has one question and one answer at most."""
    seen: set[tuple[str, str]] = set()
    for number, message in enumerate(messages, 1):
        key = (message.turn or "", message.role)
        if message.turn and key in seen:
            text = _("Message %(number)d of this file cannot be read.") % {"number": number}
            raise BadFile("bad_message", text)
        seen.add(key)


def _said(data: dict[str, Any]) -> Said:
    turn, error, usage = data["turn"], _object(data.get("error")), _object(data.get("usage"))
    reasoning = _object(data.get("reasoning"))
    status = Turn.Status(data["status"]).value
    return Said(
        turn=None if turn is None else _text(turn, most=64),
        role=Message.Role(data["role"]).value,
        content=_text(data["content"], most=settings.TURN_ANSWER_LIMIT),
        # What was on its way when the file was saved has stopped there.
        status=Turn.Status.INTERRUPTED.value if status in Turn.OPEN else status,
        created_at=_moment(data["created_at"]),
        parameters=_parameters(data.get("parameters")),
        error_code=_text(error.get("code", ""), most=24),
        log_id=_text(data.get("log_id", error.get("log_id", "")), most=64),
        seconds=_seconds(data.get("seconds")) or 0.0,
        reasoning=_text(reasoning.get("content", ""), most=settings.TURN_ANSWER_LIMIT),
        reasoning_seconds=_seconds(reasoning.get("seconds")),
        suggestions=tuple(_text(item, most=1_000) for item in list(data.get("suggestions", ()))[:20]),
        usage={
            name: min(max(int(usage.get(name, 0)), 0), _MOST_TOKENS)
            for name in ("input_tokens", "output_tokens", "total_tokens")
        },
        is_cached=data.get("cached") is True,
        steps=tuple(_step(_object(step)) for step in data.get("steps", ())[:_MOST_STEPS]),
    )


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict | None):
        raise TypeError(value)
    return value or {}


def _parameters(value: Any) -> dict[str, Any]:
    parameters = _object(value)
    written = json.dumps(parameters, allow_nan=False)
    if len(written) > _PARAMETERS_CHARACTERS or clean(written) != written or "\\u0000" in written:
        raise ValueError(value)
    return parameters


def _step(data: dict[str, Any]) -> dict[str, Any]:
    seconds, tokens = data.get("seconds"), data.get("tokens")
    return {
        "kind": Step.Kind(data["kind"]).value,
        "tool": _text(data["tool"], most=128),
        "title": _text(data["title"], most=200),
        "status": Step.Status(data["status"]).value,
        "payload": _text(data.get("payload", ""), most=8_000),
        "outcome": _text(data.get("outcome", ""), most=8_000),
        "started_at": _moment(data["started_at"]),
        "seconds": _seconds(seconds),
        "tokens": None if tokens is None else min(max(int(tokens), 0), _MOST_TOKENS),
    }


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if math.isnan(value):
        raise ValueError(value)
    return float(min(max(value, 0), 10**6))


def _text(value: Any, *, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(value)
    return clean(value)


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(value)
    # As a database wants it: what is too early or too late for that overflows here.
    return moment.astimezone(UTC)
