"""What to do about the failures that every site meets some day: then a line says that, and spares its traceback."""

import re
from typing import Final

_DATABASE_AWAY: Final = "the database is away: see whether it runs, and DATABASE_URL"
# The kinds of error that say such a thing, what they say, and what mends it.
_MENDS: Final = (
    (r"no such (?:table|column)|(?:relation|column) .* does not exist", "migrations are missing: run script/setup"),
    (r"database is locked", "something writes to SQLite for long: another process, a backup"),
    (r"unable to open database file", "see DATABASE_URL: its folder must exist, and be writable"),
    (r"readonly database", "the database's file and its folder must be writable"),
    (r"disk is full|No space left|disk I/O error|could not extend file", "make room on the disk"),
    ((r"connection (?:to server )?.*(?:failed|refused|closed|timed out|lost)|couldn't get a connection|"
     r"server closed the connection|terminating connection|shutting down|starting up"), _DATABASE_AWAY),
)  # fmt: skip
_KNOWN: Final = [(re.compile(said, re.IGNORECASE), mend) for said, mend in _MENDS]
_OF_DATABASES: Final = frozenset(
    {"OperationalError", "ProgrammingError", "InterfaceError", "PoolTimeout", "OSError"}
)
_REDIS_AWAY: Final = "Redis is away: see whether it runs, and REDIS_URL"


def mend_for(error: BaseException | None) -> str:
    """What mends it, or nothing: then its traceback is wanted."""
    while error is not None:
        kind, home = type(error).__name__, type(error).__module__
        if home.startswith(("redis.", "limits.")) and kind in {
            "ConnectionError",
            "TimeoutError",
            "StorageError",
        }:
            return _REDIS_AWAY
        if kind in _OF_DATABASES and (found := _found(str(error))):
            return found
        error = error.__cause__
    return ""


def _found(said: str) -> str:
    return next((mend for pattern, mend in _KNOWN if pattern.search(said)), "")
