"""A Redis of a test's own, which it may stop, freeze and start again."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class Redis:
    """A private server that can be killed and started again at its port; it forgets everything then."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.directory = directory
        self.url = f"redis://127.0.0.1:{self.port}/3"
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--save", "", "--appendonly", "no", "--dir", str(self.directory)]
        self.server = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise AssertionError("redis-server did not start")

    def freeze(self) -> None:
        """Connections are taken, and nothing is answered."""
        self.server.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self.server.kill()
        self.server.wait()

    def say(self, command: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as line:
            line.sendall(command.encode() + b"\r\n")
            return line.recv(1000)


@contextmanager
def private_redis() -> Iterator[Redis]:
    """A running one; without `redis-server` the test is left out, except in CI."""
    if not shutil.which("redis-server") and os.environ.get("CI") != "true":
        pytest.skip("there is no redis-server")
    with tempfile.TemporaryDirectory() as directory:
        server = Redis(Path(directory))
        try:
            yield server
        finally:
            server.kill()
