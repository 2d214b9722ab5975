"""The site under soak: one or two real server processes, killed, ended and started again while people talk."""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from cozechat.emulator.process import RunningEmulator

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS, STOP_SECONDS = 60.0, 40.0
# A killed process is started again after so long: somebody, or something, has to notice first.
NOTICED_AFTER = 0.5

_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class SoakError(Exception):
    """The soak itself could not go on."""


@dataclass(frozen=True, slots=True)
class Blow:
    """One thing that was done to a site; times are of the wall clock, as the database's."""

    kind: str
    url: str
    at: float


@dataclass(slots=True)
class Weather:
    """What was done to the sites so far."""

    blows: list[Blow] = field(default_factory=list)

    def kills(self) -> list[Blow]:
        """The hard ends among them."""
        return [blow for blow in self.blows if blow.kind == "kill"]


def environment(
    directory: Path, *, emulator: RunningEmulator, database_url: str, redis_url: str
) -> dict[str, str]:
    """What every process of the site is started with."""
    known = emulator.credentials
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("COZE_", "EMAIL_"))},
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "cozechat.settings",
        "DATABASE_URL": database_url or f"sqlite:///{directory / 'soak.sqlite3'}",
        "REDIS_URL": redis_url,
        "VAR_DIR": str(directory / "var"),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DEBUG": "",
        "TURNS_PER_MINUTE": "0",
        "API_PER_MINUTE": "0",
        "LOG_LEVEL": "WARNING",
        "COZE_API_BASE": emulator.base_url,
        "COZE_CLIENT_ID": known.client_id,
        "COZE_PUBLIC_KEY_ID": known.public_key_id,
        "COZE_PRIVATE_KEY": known.private_key,
        "COZE_WORKFLOW_ID": known.workflow_id,
        "COZE_APP_ID": known.app_id,
        "COZE_BOT_ID": "",
    }


class Site:
    """One server process on a port that it keeps through every restart."""

    def __init__(
        self,
        *,
        number: int,
        directory: Path,
        settings: dict[str, str],
        program: tuple[str, ...] = ("manage.py",),
    ) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / f"site-{number}.log"
        self._settings = settings
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that serves now."""
        assert self._process
        return self._process.pid

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, *self._program, "serve", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it takes no time, and outlives this loop
                command, stdout=log, stderr=log, env=self._settings, cwd=ROOT
            )
        given_up = time.monotonic() + START_SECONDS
        while not await asyncio.to_thread(self._answers):
            if self._process.poll() is not None or time.monotonic() > given_up:
                raise SoakError(f"the site did not come up:\n{self.log.read_text()[-2000:]}")
            await asyncio.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with _open(f"{self.url}/accounts/login/", timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    async def kill(self) -> None:
        """End it as a power cut does."""
        assert self._process
        self._process.kill()
        await asyncio.to_thread(self._process.wait)

    async def end(self) -> int:
        """Ask it to end, wait for it; returns its exit status (-9 when it had to be killed)."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            await self.kill()
            return -signal.SIGKILL

    def abandon(self) -> None:
        """Whatever happens: no process of ours outlives us."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


async def storm(sites: list[Site], *, weather: Weather, seconds: float, every: float) -> None:
    """Every so often a process is killed and started again; in the middle one is asked to end instead."""
    if not every:
        return
    times = [every * (number + 1) for number in range(int((seconds - 0.1) // every))]
    begun = time.monotonic()
    for number, due in enumerate(times):
        site = sites[number % len(sites)]
        await asyncio.sleep(max(0.0, begun + due - time.monotonic()))
        gentle = len(times) > 1 and number == len(times) // 2
        weather.blows.append(Blow("term" if gentle else "kill", site.url, time.time()))
        if gentle:
            await site.end()
        else:
            await site.kill()
        await asyncio.sleep(NOTICED_AFTER)
        await site.start()


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """A PostgreSQL database of our own beside the one that is named, dropped at the end; "" stays SQLite."""
    if not url:
        yield ""
        return
    import psycopg

    parts = urlsplit(url)
    name = f"cozechat_soak_{os.getpid()}"
    maintenance = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(maintenance, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
