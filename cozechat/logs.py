"""Keeps secrets out of every log line."""

import logging
import re

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
