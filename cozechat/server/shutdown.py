"""The orderly end of a server: drain, close, let the applications finish, leave nothing behind."""

import asyncio
import logging
import os
from collections.abc import Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NoReturn

from twisted.internet import reactor as installed_reactor

from .limits import RESTART
from .requests import Request

if TYPE_CHECKING:
    from .core import Server

logger = logging.getLogger("cozechat.server")
reactor: Any = installed_reactor

_CANCEL_SECONDS: Final = 3.0


def leave_at_once(number: int) -> NoReturn:
    """Ends the process without any further care, with the status a shell gives to a signal."""
    logger.warning("second signal: leaving at once")
    logging.shutdown()
    os._exit(128 + number)


async def wind_down(server: "Server") -> None:
    """Ends a server whose `draining` is set: from then on every new request is answered with 503."""
    try:
        await _drain(server)
        await _close(server)
    except Exception:
        logger.exception("the orderly end failed")
    finally:
        reactor.stop()


async def _drain(server: "Server") -> None:
    deadline = monotonic() + server.limits.drain_seconds
    logger.info("draining: %d sockets, %d connections", len(server.sockets), len(server.connections))
    if server.drain is not None:
        task = asyncio.ensure_future(server.drain())
        await asyncio.wait({task}, timeout=server.limits.drain_seconds)
        if not task.done():
            logger.warning("the drain took longer than %s s", server.limits.drain_seconds)
        elif not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the drain failed: %r", error, exc_info=error)
    answers = {
        details["task"]
        for protocol, details in server.connections.items()
        if isinstance(protocol, Request) and "task" in details
    }
    await _wait(answers, seconds=deadline - monotonic())


async def _close(server: "Server") -> None:
    server.port.stopListening()
    for socket in list(server.sockets):
        socket.close(RESTART, reason="server restart")
    tasks = {details["task"] for details in server.connections.values() if "task" in details}
    await _wait(tasks, seconds=server.limits.finish_seconds)
    rest = asyncio.all_tasks() - {server.ending}
    for task in rest:
        task.cancel()
    left = await _wait(rest, seconds=_CANCEL_SECONDS)
    if left:
        logger.error("%d tasks would not end: %s", left, rest)
    await asyncio.get_running_loop().shutdown_asyncgens()


async def _wait(tasks: Iterable["asyncio.Task[Any]"], *, seconds: float) -> int:
    """Waits for all the tasks, whatever becomes of them; returns how many are still running."""
    tasks = set(tasks)
    if not tasks:
        return 0
    _, pending = await asyncio.wait(tasks, timeout=max(0.0, seconds))
    return len(pending)
