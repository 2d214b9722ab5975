"""The whole site as a process of its own: `manage.py serve` with a database and an emulator that a test can hurt."""

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from cozechat.emulator import process as emulators
from cozechat.emulator.process import RunningEmulator
from tests import fresh_databases
from tests.tabs import TERMINAL, assemble

ROOT = Path(__file__).resolve().parents[2]
_LOG_INS = """
import json
from django.test import Client
from accounts.models import User
keys = {}
for name in ("alice", "bob"):
    client = Client()
    client.force_login(User.objects.create_user(name))
    keys[name] = client.session.session_key
print(json.dumps(keys))
"""


class Site:
    """A running site with its emulator; Alice and Bob are logged in."""

    def __init__(self, home: Path, *, database: str = "") -> None:
        self.home = home
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("COZE_", "REDIS_", "PYTEST_"))
        } | {
            "VAR_DIR": str(home),
            "DATABASE_URL": database or f"sqlite:///{home / 'db.sqlite3'}",
            "DJANGO_SETTINGS_MODULE": "cozechat.settings",
        }
        self.log = home / "site.log"
        self.coze: RunningEmulator = emulators.start(home / "emulator", in_memory=True, pace=50)
        try:
            fresh_databases.lay(self.environment)
            self.manage("migrate", "--verbosity=0")
            self.log_ins: dict[str, str] = json.loads(
                self.manage("shell", "-v", "0", "-c", _LOG_INS).splitlines()[-1]
            )
            self._start()
        except BaseException:
            self.coze.stop()
            raise

    def manage(self, *arguments: str) -> str:
        """What a management command prints."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _start(self) -> None:
        command = [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", "0"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        for _each in range(600):
            said = self.log.read_text()
            if "CozeChat is at http" in said:
                self.address = said.rpartition("CozeChat is at http://")[2].split()[0].split("\x1b")[0]
                return
            assert self.process.poll() is None, said
            time.sleep(0.05)
        raise AssertionError(f"the site did not start:\n{said}")

    def stop(self) -> None:
        """End the site, then its emulator."""
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            self.coze.stop()

    @asynccontextmanager
    async def tab(self, name: str) -> AsyncIterator["SiteTab"]:
        """A socket of Alice's or Bob's, as a browser opens it."""
        async with connect(
            f"ws://{self.address}/ws/chat/",
            additional_headers={"Cookie": f"sessionid={self.log_ins[name]}", "Accept-Language": "en"},
            origin=f"http://{self.address}",  # type: ignore[arg-type]
            max_size=2**20,
            compression=None,
        ) as connection:
            yield SiteTab(connection)

    async def status(self, path: str, *, name: str = "alice") -> int:
        """The HTTP status of a page, fetched as Alice or Bob."""
        host, _colon, port = self.address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"GET {path} HTTP/1.1\r\nHost: {self.address}\r\nConnection: close\r\n"
        writer.write(f"{head}Cookie: sessionid={self.log_ins[name]}\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return int(answer.split()[1])


class SiteTab:
    """One socket to a site; `seen` keeps every frame that came."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.seen: list[dict[str, Any]] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.connection.send(json.dumps({"type": kind, **fields}))

    async def frame(self, *, timeout: float = 20) -> dict[str, Any]:
        frame = json.loads(await asyncio.wait_for(self.connection.recv(), timeout))
        self.seen.append(frame)
        return frame

    async def until(self, *kinds: str, turn: str | None = None, timeout: float = 20) -> dict[str, Any]:
        """The next frame of one of these kinds (and turn)."""
        async with asyncio.timeout(timeout):
            while True:
                frame = await self.frame(timeout=timeout)
                if frame["type"] in kinds and turn in (None, frame.get("turn")):
                    return frame

    async def start(
        self, content: str, *, conversation: str | None = None, client_id: str = "", timeout: float = 20
    ) -> dict[str, Any]:
        """Ask; returns the frame that says whether the question was taken."""
        client_id = client_id or str(uuid.uuid4())
        await self.send("turn.start", client_id=client_id, conversation=conversation, content=content)
        return await self.until("turn.accepted", "error", timeout=timeout)

    async def end(self, turn: str, *, timeout: float = 20) -> dict[str, Any]:
        return await self.until(*TERMINAL, turn=turn, timeout=timeout)

    async def ping(self) -> float:
        """Seconds until the site answers."""
        began = time.perf_counter()
        await self.send("ping")
        await self.until("pong")
        return time.perf_counter() - began

    def text(self, turn: str) -> str:
        return assemble(self.seen, turn)


def percentile(times: list[float], share: float) -> float:
    """The time within which this share of them lies."""
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]
