"""One line an event: readable on a terminal, JSON for programs; every library's records go through it."""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from cozechat.logs import ids
from cozechat.logs.mends import mend_for
from cozechat.logs.redaction import redact, redacted
from cozechat.logs.tracebacks import cause_of, told

Event = MutableMapping[str, Any]
# What a record may carry beside its words; what else libraries attach (requests, SQL, its parameters) stays out.
FIELDS: Final = frozenset(
    {
        "request_id", "client_request_id", "socket_id", "user_id", "turn_id", "conversation_id", "event_id", "key_id",
        "log_id", "method", "path", "status", "ms", "first_ms", "sent", "received", "code",
    }
)  # fmt: skip
# Tells of each bad request with a traceback of Django's own.
_NO_TRACEBACKS: Final = "django.security."
_STANDARD: Final = ("event", "positional_args", "_record", "_from_structlog", "exc_info", "stack_info")
# A control character could end the line, or write on the terminal.
_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    10: "\\n", 13: "\\r", 9: "\\t", 0x2028: "\\u2028", 0x2029: "\\u2029",
}  # fmt: skip
_COLOURS: Final = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m", "debug": "\x1b[2m"}
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


def gather(_logger: object, _method: str, event: Event) -> Event:
    """The line's time, level, logger, words, ids and fields, in the order in which they are read, without secrets."""
    record: logging.LogRecord = event["_record"]
    error = _error_of(event.get("exc_info"))
    more = {**ids.current(), **{name: value for name, value in event.items() if name not in _STANDARD}}
    more |= {name: value for name, value in record.__dict__.items() if name in FIELDS}
    if log_id := _log_id(error, *(event.get("positional_args") or ())):
        more.setdefault("log_id", log_id)
    gathered: Event = {
        "timestamp": record.created,
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": redact(str(event["event"])),
        **redacted({name: value for name, value in more.items() if value not in (None, "")}),
    }
    if mend := mend_for(error):
        gathered["event"] += redact(f": {cause_of(error)} – {mend}") if error else ""
    elif error is not None and not record.name.startswith(_NO_TRACEBACKS):
        gathered["exception"] = redact(told(error))
    return gathered


def _error_of(exc_info: Any) -> BaseException | None:
    found = sys.exc_info()[1] if exc_info is True else exc_info
    found = found[1] if isinstance(found, tuple) else found
    return found if isinstance(found, BaseException) else None


def _log_id(*told_of: object) -> str:
    """Coze's log id, where the line tells of an error of Coze's."""
    found = (getattr(each, "log_id", "") for each in told_of if isinstance(each, BaseException))
    return next(filter(None, found), "")


def as_json(_logger: object, _method: str, event: Event) -> str:
    """One JSON object, on one line."""
    event["timestamp"] = datetime.fromtimestamp(event["timestamp"], UTC).isoformat(timespec="milliseconds")
    return json.dumps({**event, "pid": os.getpid()}, ensure_ascii=False, default=str, separators=(",", ":"))


def for_people(*, colours: bool) -> Callable[[object, str, Event], str]:
    """Time, level, words, then dimly what it belongs to; a traceback follows, a little in."""

    def render(_logger: object, _method: str, event: Event) -> str:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.pop("timestamp")))
        level, name, words = event.pop("level"), event.pop("logger"), event.pop("event").translate(_CONTROLS)
        exception = event.pop("exception", "")
        rest = " ".join([name, *(f"{key}={value}".translate(_CONTROLS) for key, value in event.items())])
        line = f"{at} {level.upper():<8} {words}  [{rest}]"
        if colours:
            colour = _COLOURS.get(level, "")
            line = f"{_DIM}{at}{_PLAIN} {colour}{level.upper():<8} {words}{_PLAIN}  {_DIM}[{rest}]{_PLAIN}"
        return line + "".join(f"\n    {each}" for each in exception.splitlines())

    return render


# A library that logs with structlog itself ends here as well, and not on stdout.
structlog.configure(
    processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)


class LineFormatter(structlog.stdlib.ProcessorFormatter):
    """structlog's way from a record, whoever made it, to a line."""

    def __init__(self, *, form: str, colours: bool = False) -> None:
        render = as_json if form == "json" else for_people(colours=colours)
        super().__init__(
            processors=[gather, render],
            pass_foreign_args=True,
        )


class Lines(logging.StreamHandler[Any]):
    """Writes lines to stderr; one that cannot be made is told of in a line, not in a heap of its arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            return  # Nobody reads, or the disk is full: there is no place left to say so.
        try:
            self.stream.write(
                f"a line of {record.name} could not be written ({type(error).__name__}): "
                f"{record.pathname}:{record.lineno}\n"
            )
        except OSError:
            return
