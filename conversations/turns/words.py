"""Words of an answer on their way into its turn: never too many at once, never more than this site takes."""

import asyncio
import time

from django.conf import settings

from conversations.turns import failures
from conversations.turns.running import RunningTurn

# A delta of more characters than this is taken in pieces.
LARGE = 8_000


class AnswerTooLong(Exception):
    """The answer is longer than this site takes."""

    failure = failures.TOO_LONG


def say(running: RunningTurn, text: str) -> None:
    """The answer grows. Raises AnswerTooLong."""
    live = running.live
    if running.first_delta_at is None:
        running.first_delta_at = time.time()
        running.first_delta_after = time.monotonic() - running.began
    if live.length + len(text) > settings.TURN_ANSWER_LIMIT:
        raise AnswerTooLong
    live.append(storable(text))


def think(running: RunningTurn, text: str) -> None:
    """The assistant thinks aloud."""
    running.live.think(storable(text))


async def say_much(running: RunningTurn, text: str) -> None:
    """The same for a text that is long to render: in pieces, with everybody else's turn between them."""
    for start in range(0, len(text), LARGE):
        say(running, text[start : start + LARGE])
        running.live.flush()
        await asyncio.sleep(0)


def storable(text: str) -> str:
    """PostgreSQL stores no NUL; a replacement mark stands in for it everywhere."""
    return text.replace("\x00", "\ufffd") if "\x00" in text else text
