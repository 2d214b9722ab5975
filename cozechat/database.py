"""A bounded pool of threads for database work, so that no socket ever waits for another's query.

Channels and Django send all asynchronous ORM calls of a process through one thread; twenty sockets with a
query of 0.2 s each then take 4 s. Here they share eight, or three.
"""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import connections
from django.utils import translation

THREADS = 8
# SQLite computes in this process and lets one write at a time: more threads only take the processor from each
# other and from the event loop.
THREADS_FOR_SQLITE = 3

P = ParamSpec("P")
R = TypeVar("R")

_threads = ThreadPoolExecutor(
    max_workers=THREADS_FOR_SQLITE if connections["default"].vendor == "sqlite" else THREADS,
    thread_name_prefix="database",
)


def _with_fresh_connection(work: Callable[[], R], *, language: str | None) -> R:
    _let_go()
    try:
        # What is refused there is worded there. The context alone does not carry the language: asgiref shows each
        # thread its own.
        with translation.override(language):
            return work()
    finally:
        _let_go()


def _let_go() -> None:
    """Give this thread's connections back, as at the end of a request.

    A healthy one to SQLite stays open: nobody waits for it, and opening it costs five times what a query does.
    """
    for connection in connections.all(initialized_only=True):
        if connection.vendor != "sqlite" or connection.errors_occurred:
            connection.close_if_unusable_or_obsolete()


async def run(func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a synchronous ORM function on a database thread and wait for its answer.

    Cancelling the wait does not stop the thread: what it writes is written. So writes that must not be
    doubled are conditional updates.
    """
    return await run_on(_threads, func, *args, **kwargs)


async def run_on(
    threads: ThreadPoolExecutor, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """The same on other threads: for what must not stand in line with everything else."""
    work = functools.partial(func, *args, **kwargs)
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    whole = functools.partial(_with_fresh_connection, work, language=translation.get_language())
    return await loop.run_in_executor(threads, context.run, whole)
