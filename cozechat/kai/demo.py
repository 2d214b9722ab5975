"""A tool server to try things out with: it knows about coffee, and how to be slow, broken or far too talkative."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from hmac import compare_digest
from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer

from cozechat.kai import coffee

PATH = "/mcp"


def tools() -> MCPServer:
    """The server and its tools."""
    server = MCPServer("Coffee knowledge", log_level="CRITICAL")
    # The SDK's log shows what callers send, with traces in colour.
    logging.disable(logging.CRITICAL)

    @server.tool(title="Coffee knowledge")
    def coffee_knowledge_query(query: str) -> dict[str, Any]:
        """Look something up in the coffee knowledge base: drinks, brewing, beans. Ask in English or Chinese."""
        return {"answer": coffee.look_up(query)}

    @server.tool(title="Brew ratio")
    def brew_ratio(coffee_grams: float, ratio: float = 16) -> dict[str, Any]:
        """How much water for so much coffee; the ratio is grams of water for each gram of coffee."""
        return dict(coffee.water_for(coffee_grams, ratio=ratio))

    @server.tool(title="Slow roast")
    async def slow_roast(seconds: float = 20) -> dict[str, Any]:
        """Roast for so many seconds (60 at most): to see what a slow tool does."""
        await asyncio.sleep(max(0.0, min(seconds, 60.0)))
        return {"answer": f"Roasted for {seconds:g} s."}

    @server.tool(title="Broken grinder")
    def broken_grinder() -> dict[str, Any]:
        """Always fails: to see what a failing tool does."""
        raise RuntimeError("the burrs are stuck")

    @server.tool(title="Whole catalogue")
    def whole_catalogue(kilobytes: int = 256) -> dict[str, Any]:
        """Far more than anybody wants to read (4096 KB at most): to see what a huge outcome does."""
        return {"answer": "bean " * (max(0, min(kilobytes, 4096)) * 1024 // 5)}

    return server


class _WithKey:
    """Lets in who knows the key."""

    def __init__(self, application: Any, *, key: str) -> None:
        self._application, self._expected = application, f"Bearer {key}".encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        given = dict(scope.get("headers") or ()).get(b"authorization", b"")
        if scope["type"] == "http" and not compare_digest(given, self._expected):
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._application(scope, receive, send)


class _Server(uvicorn.Server):
    """uvicorn that says when it is ready and leaves signals to us."""

    def __init__(self, config: uvicorn.Config, *, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def end(self) -> None:
        self.should_exit = True


def serve(
    listener: socket.socket, *, key: str, ready: Callable[[], None], until_stdin_closes: bool = False
) -> None:
    """Serves until SIGTERM, SIGINT or, if asked for, the end of stdin."""
    application = tools().streamable_http_app(
        streamable_http_path=PATH, stateless_http=True, json_response=True
    )
    config = uvicorn.Config(
        _WithKey(application, key=key),
        ws="none",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config, ready=ready)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.end)
        if until_stdin_closes:
            _end_with_stdin(lambda: loop.call_soon_threadsafe(server.end))
        await server.serve(sockets=[listener])

    asyncio.run(main())


def _end_with_stdin(end: Callable[[], object]) -> None:
    def watch() -> None:
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):
            end()

    threading.Thread(target=watch, daemon=True).start()
