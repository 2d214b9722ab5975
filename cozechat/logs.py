"""How the site logs: one line an event, and no secret in any of them."""

import logging
import re
from typing import Any

_SECRETS = re.compile(
    r"(?:czs|pat|sat|czu)_[A-Za-z0-9_\-]{6,}"
    r"|sk-cc-[A-Za-z0-9]{6,}"
    r"|eyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]+){0,2}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.DOTALL,
)


def redact(text: str) -> str:
    """The text with every Coze token, JWT and private key replaced by `[redacted]`."""
    return _SECRETS.sub("[redacted]", text)


class RedactingFormatter(logging.Formatter):
    """Formats a record, exception included, and then takes the secrets out."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configuration(*, level: str) -> dict[str, Any]:
    """Django's `LOGGING`: everything from `level` on, to the console."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": "cozechat.logs.RedactingFormatter",
                "format": "{asctime} {levelname} {name} {message}",
                "style": "{",
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
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
        },
    }
