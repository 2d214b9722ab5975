"""When a question that Coze refused before anything ran is asked again, and how long after."""

import asyncio
import contextlib
import random
from collections.abc import Callable

from conversations.turns.running import RunningTurn
from cozechat.coze.errors import (
    ConversationBusy,
    CozeError,
    Overloaded,
    RateLimited,
    TokenRefused,
    Unreachable,
)

# How long to wait each time that Coze still runs the answer before (seconds; two minutes in sum). An answer that was
# stopped here goes on there, and for chat workflows Coze documents nothing that would end it.
BUSY_PAUSES = (0.5, 1.0, 1.5, 2.0, 2.0, 3.0, 3.0, *(4.0,) * 27)
# Nobody waits longer for a limit to pass; the person is told when to come back instead.
LONGEST_WAIT = 30.0
# Before the one second attempt to connect.
RECONNECT_PAUSE = 0.5
# A limit that does not say how long it lasts is waited for so long, and up to so much longer.
UNKNOWN_WAIT, SPREAD = 1.0, 1.0


class Retries:
    """What one question has left of second attempts, by what was wrong with the first."""

    def __init__(self, *, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._token = iter((0.0,))
        self._connection = iter((RECONNECT_PAUSE,))
        self._limit = iter((UNKNOWN_WAIT,))
        self._busy = iter(BUSY_PAUSES)

    def pause_after(self, error: CozeError) -> float | None:
        """Seconds after which to ask again; None when the question has failed."""
        if isinstance(error, TokenRefused):
            return next(self._token, None)
        if isinstance(error, ConversationBusy):
            return next(self._busy, None)
        if isinstance(error, Unreachable) and error.try_again:
            return next(self._connection, None)
        if isinstance(error, (RateLimited, Overloaded)):
            return self._limit_pause(error.retry_after)
        return None

    def _limit_pause(self, told: float | None) -> float | None:
        if told is not None and told > LONGEST_WAIT:
            return None
        wait = next(self._limit, None)
        if wait is None:
            return None
        # All who met the limit together would otherwise come back together.
        return (wait if told is None else told) + SPREAD * self._chance()


def may_ask_again(running: RunningTurn) -> bool:
    """Whether nothing has run yet: Coze named no chat, no text came, and nobody stopped it.

    A long run may be looked up again as often as it takes.
    """
    if running.execute_id and running.is_long:
        return not running.stopped
    return not (running.stopped or running.accepted or running.coze_chat_id or running.live.length)


async def wait(running: RunningTurn, *, seconds: float) -> None:
    """Wait, unless the turn ends meanwhile."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(running.ended.wait(), timeout=seconds)
