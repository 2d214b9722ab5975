"""What an engine does again and again beside its turns."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from django.utils import timezone

from conversations.finding import index
from conversations.models import Share
from cozechat import database

logger = logging.getLogger(__name__)

# A loop that comes back to a chore so much later than asked for stood still: somebody computes or waits in it.
LATE = 1.0
_told: WeakKeyDictionary[asyncio.AbstractEventLoop, float] = WeakKeyDictionary()


async def repeat(chore: Callable[[], Awaitable[None]], *, every: float) -> None:
    """Do a chore for ever, with `every` seconds between; one that fails is logged and tried again at its next time."""
    while True:
        try:
            await chore()
        except Exception:
            logger.exception("a chore failed: %s", getattr(chore, "__qualname__", chore))
        await _sleep(every)


async def _sleep(seconds: float) -> None:
    """Sleep, and say it in the log when the event loop stood still meanwhile; of many chores one says it."""
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    await asyncio.sleep(seconds)
    now = loop.time()
    if now - due > LATE and now - _told.get(loop, 0.0) > LATE:
        _told[loop] = now
        logger.warning("the event loop stood still for up to %.1f seconds", now - due)


async def forget_closed_shares() -> None:
    """What a link no longer shows is not kept."""
    await database.run(Share.objects.all().forget_closed, now=timezone.now())


async def erase_discarded() -> None:
    """What was deleted and not taken back is really deleted."""
    from conversations.turns import discarding  # noqa: PLC0415 - it tells the engine, which does this chore

    await database.run(discarding.erase_due)


# Of what was said before there was an index, so much at once, with everybody else's writing between.
_INDEX_AT_ONCE, _INDEX_PIECES, _INDEX_PAUSE = 100, 100, 0.1


async def index_messages() -> None:
    """Let the search know what has been said since."""
    for _piece in range(_INDEX_PIECES):
        if await database.run(_index_some) < _INDEX_AT_ONCE:
            break
        await asyncio.sleep(_INDEX_PAUSE)


def _index_some() -> int:
    return index.take_in(index.pending(), most=_INDEX_AT_ONCE)
