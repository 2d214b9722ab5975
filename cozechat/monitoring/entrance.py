"""`/health` is answered before everything else: no session, no redirect to HTTPS, no host that a probe must name.

It does not even become a request of Django's: machines ask often, and what they ask takes a tenth of the time so.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from cozechat.monitoring.pulse import pulse

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_PATHS = frozenset({"/health", "/health/"})
_METHODS = ("GET", "HEAD")


class HealthFirst:
    """ASGI middleware that keeps the question of health to itself and lets all else pass."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in _PATHS:
            await _answer(scope["method"], send)
        else:
            await self._application(scope, receive, send)


async def _answer(method: str, send: Send) -> None:
    """200 while this process serves, else 503; 405 for what is no question."""
    if method not in _METHODS:
        await _send(send, status=405, body=b"", more=[(b"allow", ", ".join(_METHODS).encode())], shown=True)
        return
    found = await pulse.health()
    body = json.dumps(found.as_json()).encode()
    await _send(
        send,
        status=200 if found.is_serving else 503,
        body=body,
        more=[(b"content-type", b"application/json"), (b"cache-control", b"no-store")],
        shown=method != "HEAD",
    )


async def _send(
    send: Send, *, status: int, body: bytes, more: list[tuple[bytes, bytes]], shown: bool
) -> None:
    # With its length said the answer travels whole, not in pieces.
    headers = [*more, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body if shown else b""})
