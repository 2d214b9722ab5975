"""Django's `LOGGING`: which lines are written, and how they look."""

import sys
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

# What is ours: DEBUG opens it, and it alone. Libraries write down what people said, at that level.
OURS: Final = ("cozechat", "accounts", "conversations")
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMS: Final = ("console", "json")
ACCESS: Final = "cozechat.access"


def form_for_readers(*, debug: bool) -> str:
    """What whoever reads it can read: `console` for a person at a terminal, `json` for a program."""
    return "console" if debug or sys.stderr.isatty() else "json"


def configuration(*, level: str, form: str = "console", access: bool = True) -> dict[str, Any]:
    """Everything from `level` on, to stderr, in this form. Raises ImproperlyConfigured."""
    level = level.upper()
    if level not in LEVELS:
        raise ImproperlyConfigured(f"LOG_LEVEL is {level}; it can be one of {', '.join(LEVELS)}.")
    if form not in FORMS:
        raise ImproperlyConfigured(f"LOG_FORMAT is {form}; it can be one of {', '.join(FORMS)}.")
    line = {"()": "cozechat.logs.LineFormatter", "form": form, "colours": sys.stderr.isatty()}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": line},
        "handlers": {"console": {"()": "cozechat.logs.Lines", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "INFO" if level == "DEBUG" else level},
        "loggers": {**_OTHERS, **_opened(level), **_requests(access=access)},
    }


def _opened(level: str) -> dict[str, Any]:
    return {name: {"level": "DEBUG"} for name in OURS} if level == "DEBUG" else {}


def _requests(*, access: bool) -> dict[str, Any]:
    """What is said of each HTTP request: by our own line, else by Django's for those that were refused."""
    return {
        ACCESS: {} if access else {"level": "CRITICAL"},
        "django.request": {"level": "ERROR" if access else "WARNING"},
    }


_OTHERS: Final[dict[str, Any]] = {
    "django": {"level": "INFO", "handlers": [], "propagate": True},
    "django.server": {"handlers": [], "propagate": True},
    "httpx": {"level": "WARNING"},
    "httpcore": {"level": "WARNING"},
    "httpx2": {"level": "WARNING"},
    "httpcore2": {"level": "WARNING"},
    # It writes down what was said; cozechat.kai tells what went wrong in words of its own.
    "mcp": {"level": "CRITICAL"},
    "daphne": {"level": "WARNING"},
    "asyncio": {"level": "WARNING"},
    # It tells of a lost Redis with a traceback each second; the turns' hints say it once.
    "channels_redis": {"level": "CRITICAL"},
    # As the server it brings handlers of its own, and an access log with query strings.
    "uvicorn": {"handlers": [], "propagate": True},
    "uvicorn.error": {"handlers": [], "propagate": True},
    "uvicorn.access": {"handlers": [], "propagate": False, "level": "CRITICAL"},
}
