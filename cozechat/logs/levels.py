"""Opens the log of one part while the site runs, for an hour say, in all processes that share a `VAR_DIR`.

A file says which parts are open and until when; every process looks at it each two seconds. So it works while the
database or Redis is what is wrong, and nobody forgets to close it.
"""

import asyncio
import contextvars
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from weakref import WeakSet

from cozechat.logs.configuration import LEVELS, OURS

logger = logging.getLogger(__name__)

LOOK_EVERY = 2.0
FILE = "log_levels.json"


class UnknownPart(ValueError):
    """Not a part of this site, or no level."""


def read(path: Path, *, now: float) -> dict[str, tuple[str, float]]:
    """What is open now: level and end (seconds since the epoch) by part. Rubbish counts as nothing."""
    try:
        told = json.loads(path.read_text())
        found = {str(part): (str(level), float(until)) for part, (level, until) in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return {
        part: (level, until)
        for part, (level, until) in found.items()
        if until > now and _is_known(part, level)
    }


def write(path: Path, opened: Mapping[str, tuple[str, float]]) -> None:
    """Tell every process. Raises UnknownPart, OSError."""
    for part, (level, _until) in opened.items():
        if not _is_known(part, level):
            parts = ", ".join(OURS)
            raise UnknownPart(
                f"{part} {level}: a part is {parts} or a module of theirs, a level {', '.join(LEVELS)}."
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(dict(opened)))
    draft.replace(path)


def _is_known(part: str, level: str) -> bool:
    """Only what is ours can be opened: at DEBUG libraries write down what people said."""
    return part.split(".", maxsplit=1)[0] in OURS and level in LEVELS


class Levels:
    """This process's loggers, as the file wants them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before: dict[str, int] = {}
        self._opened: dict[str, tuple[str, float]] = {}

    def look(self, *, now: float) -> None:
        """Bring the loggers in line with the file; what is over becomes as it was configured."""
        wanted = read(self._path, now=now)
        if wanted == self._opened:
            return
        for part in self._opened.keys() - wanted.keys():
            logging.getLogger(part).setLevel(self._before.pop(part))
            logger.warning("the log of %s is as configured again", part)
        for part, (level, until) in wanted.items():
            self._before.setdefault(part, logging.getLogger(part).level)
            logging.getLogger(part).setLevel(level)
            minutes = (until - now) / 60
            logger.warning("the log of %s is open from %s on, for %.0f minutes", part, level, minutes)
        self._opened = wanted


_followed: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def follow(directory: Path) -> None:
    """Look at the file for as long as the running loop lives; a second call changes nothing."""
    loop = asyncio.get_running_loop()
    if loop not in _followed:
        _followed.add(loop)
        _look_again(loop, Levels(directory / FILE))


def _look_again(loop: asyncio.AbstractEventLoop, levels: Levels) -> None:
    levels.look(now=time.time())
    loop.call_later(LOOK_EVERY, _look_again, loop, levels, context=contextvars.Context())
