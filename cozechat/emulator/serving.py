"""Running the application under uvicorn until somebody ends it."""

import asyncio
import contextlib
import gc
import importlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from cozechat.emulator import credentials
from cozechat.emulator.app import Emulator
from cozechat.emulator.connections import Connections
from cozechat.emulator.options import Options
from cozechat.emulator.process import publish_address, withdraw_address
from cozechat.emulator.world import World, open_world

GRACE_SECONDS = 0
BACKLOG = 2048
Announce = Callable[[dict[str, Any]], None]


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


def serve(options: Options, *, announce: Announce) -> None:
    """Serves until SIGTERM, SIGINT or, if asked for, the end of stdin; `announce` gets the ready facts."""
    world = open_world(options, credentials.ensure(options.state_dir))
    listener = _listen(options)
    base_url = f"http://{options.host}:{listener.getsockname()[1]}"

    def ready() -> None:
        publish_address(options.state_dir, base_url)
        announce(facts(world, base_url=base_url))

    try:
        _run(_Server(_config(world), ready=ready), listener=listener, options=options)
    finally:
        withdraw_address(options.state_dir)
        world.store.close()


def facts(world: World, *, base_url: str) -> dict[str, Any]:
    known = world.credentials
    return {
        "base_url": base_url,
        "client_id": known.client_id,
        "public_key_id": known.public_key_id,
        "private_key_path": str(known.private_key_path),
        **known.assistants(),
        "pid": os.getpid(),
        "control_token": world.control_token,
    }


def _listen(options: Options) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options.host, options.port))
    except OSError:
        listener.close()
        raise
    return listener


def _config(world: World) -> uvicorn.Config:
    return uvicorn.Config(
        Emulator(world),
        http=_protocol(world.connections),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="critical",
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _protocol(connections: Connections) -> type[asyncio.Protocol]:
    """uvicorn's HTTP protocol, on C when that is installed, that also books its connections."""
    base = _fastest_protocol()

    class Booked(base):  # type: ignore[misc, valid-type]  # one of two classes
        """A connection that a fault can find."""

        def connection_made(self, transport: Any) -> None:
            self.booked_as = connections.opened(transport)
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            connections.closed(self.booked_as)
            super().connection_lost(exc)

    return Booked


def _fastest_protocol() -> Any:
    for name in ("httptools", "h11"):
        with contextlib.suppress(ImportError):
            module = importlib.import_module(f"uvicorn.protocols.http.{name}_impl")
            return getattr(module, {"httptools": "HttpToolsProtocol", "h11": "H11Protocol"}[name])
    raise RuntimeError("uvicorn has neither httptools nor h11")


def _run(server: _Server, *, listener: socket.socket, options: Options) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.end)
        if options.until_stdin_closes:
            _end_with_stdin(lambda: loop.call_soon_threadsafe(server.end))
        gc.freeze()
        await server.serve(sockets=[listener])

    factory = server.config.get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


def _end_with_stdin(end: Callable[[], object]) -> None:
    def watch() -> None:
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):
            end()

    threading.Thread(target=watch, daemon=True).start()
