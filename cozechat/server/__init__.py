"""A daphne that holds its promises: back-pressure, bounded frames and bodies, and an orderly end."""

import logging
import sys
from collections.abc import Callable
from typing import Any

from twisted.logger import formatEvent, globalLogBeginner

from .core import Application, Drain, Server
from .limits import FrameTooLargeError, ListenError, ServerLimits, close_code
from .requests import Wording, in_no_words

__all__ = ["FrameTooLargeError", "ListenError", "ServerLimits", "Wording", "close_code", "serve"]

logger = logging.getLogger("cozechat.server")

# How long a thread that computes may keep the event loop waiting, each time the loop has made a system call.
_SWITCH_SECONDS = 0.0002


def serve(
    application: Application,
    *,
    host: str,
    port: int,
    drain: Drain | None = None,
    on_ready: Callable[[str], None] | None = None,
    limits: ServerLimits | None = None,
    wording: Wording = in_no_words,
) -> None:
    """Serves an ASGI application until SIGTERM or SIGINT; once a process, in the main thread.

    `drain` is awaited after the signal and before any socket is closed, for at most `limits.drain_seconds`.
    `on_ready` gets the URL once connections are accepted; port 0 takes a free one. `wording` says what the server's
    own refusals sound like, by the request's target and the status. Raises ListenError.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    server = Server(application, limits=limits or ServerLimits(), drain=drain, wording=wording)
    url = server.listen(host, port=port)
    observer: Any = _relay
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)
    server.run(on_ready=lambda: on_ready(url) if on_ready else None)


def _relay(event: Any) -> None:
    """Passes on what Twisted logs about failures; the rest is chatter."""
    failure = event.get("log_failure")
    if failure is not None:
        error = (failure.type, failure.value, failure.getTracebackObject())
        logger.error("%s", formatEvent(event) or "failure inside the server", exc_info=error)
