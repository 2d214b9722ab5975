"""The demo server as a process of its own, which ends with whoever started it."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path

STOP_SECONDS = 5.0
KEY_VARIABLE = "KAI_API_KEY"
PATH = "/mcp"
# The demo server's tools, what people read, and how long each may take (seconds): known without asking it.
DEMO_TOOLS = {
    "coffee_knowledge_query": ("Coffee knowledge", 10.0),
    "brew_ratio": ("Brew ratio", 10.0),
    "slow_roast": ("Slow roast", 5.0),
    "broken_grinder": ("Broken grinder", 10.0),
    "whole_catalogue": ("Whole catalogue", 10.0),
}


def listen(port: int = 0) -> socket.socket:
    """A socket on loopback that takes connections at once, before anybody serves them."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket) -> str:
    """Where tools are found behind this socket."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"


class RunningDemo:
    """A demo server in a child process; it ends with `stop()` or with its parent."""

    def __init__(self, process: "subprocess.Popen[bytes]", *, url: str, key: str) -> None:
        self._process = process
        self.url, self.key = url, key

    @property
    def is_running(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def stop(self) -> None:
        """Ends the process; stopping twice is fine."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


def start(*, port: int = 0) -> RunningDemo:
    """Starts one without waiting for it: what connects meanwhile is served as soon as it has loaded."""
    key = secrets.token_urlsafe(24)
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.getenv("PYTHONPATH")]))
    with listen(port) as listener:
        # Its stdin is a pipe that only we hold: when we die, it reads the end of it and goes too.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "cozechat.kai", str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path, KEY_VARIABLE: key},
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
        return RunningDemo(process, url=url_of(listener), key=key)
