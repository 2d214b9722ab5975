"""A site of several real processes on one database: started, killed, stopped and gone on with, with tabs in any of them.

The database is that of the run: a file of its own on SQLite (never the one that pytest has open), else a database of
its own beside it.
"""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from cozechat.emulator import process as emulator
from tests import fresh_databases
from tests.tabs import PATIENCE, Tab

ROOT = Path(__file__).parents[1]
MEMBERS = 16
_START_SECONDS = 60


class Process:
    """One `manage.py serve`."""

    def __init__(self, environment: dict[str, str]) -> None:
        command = [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", "0"]
        self.popen = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.log = ""
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        while "CozeChat is at " not in self.log:
            try:
                self._lines.get(timeout=_START_SECONDS)
            except queue.Empty:
                raise AssertionError(f"the site did not start:\n{self.log}") from None
        self.url = self.log.rpartition("CozeChat is at ")[2].split()[0]

    def _read(self) -> None:
        assert self.popen.stdout
        for line in self.popen.stdout:
            self.log += line
            self._lines.put(line)

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        status = self.popen.wait(60)
        self._reader.join(10)
        return status

    def close(self) -> None:
        if self.popen.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                self.popen.wait(40)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        self.wait()
        if self.popen.stdout:
            self.popen.stdout.close()


class Site:
    """Processes that share a database, an emulator and perhaps a Redis; and members with log-ins."""

    def __init__(self, environment: dict[str, str], coze: emulator.RunningEmulator) -> None:
        self.environment, self.coze = environment, coze
        self.processes: list[Process] = []
        fresh_databases.lay(environment)
        self.run("manage.py", "migrate", "--verbosity=0")
        self.members = iter(json.loads(self.run("-m", "tests.browser.people", str(MEMBERS))))

    @property
    def has_redis(self) -> bool:
        return bool(self.environment["REDIS_URL"])

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> Process:
        self.processes.append(Process(self.environment))
        return self.processes[-1]

    def member(self) -> dict[str, str]:
        """Somebody whom no other test knows."""
        member: dict[str, str] = next(self.members)
        return member

    def chats(self) -> int:
        """How often Coze was asked for an answer."""
        return sum(self.coze.ledger()["chats"].values())

    def close(self) -> None:
        for process in self.processes:
            process.close()


@contextmanager
def site(directory: Path, *, redis_url: str | None = None) -> Iterator[Site]:
    """A site without processes as yet; `redis_url` None takes the run's."""
    with own_database(directory) as database_url:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COZE_")}
        environment |= {
            "VAR_DIR": str(directory / "var"),
            "DATABASE_URL": database_url,
            "REDIS_URL": os.environ.get("REDIS_URL", "") if redis_url is None else redis_url,
            "DJANGO_SETTINGS_MODULE": "cozechat.settings",
            "PYTHONUNBUFFERED": "1",
        }
        with emulator.start(directory / "var" / "emulator", in_memory=True, pace=40) as coze:
            made = Site(environment, coze)
            try:
                yield made
            finally:
                made.close()


@contextmanager
def own_database(directory: Path) -> Iterator[str]:
    """The URL of a database that processes of a test may share: of the kind that this run is on, gone after it."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield f"sqlite:///{directory}/site.sqlite3"
        return
    import psycopg

    address, _, options = url.partition("?")
    server, _, name = address.rpartition("/")
    own = f"{name}_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, dbname="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{own}"')
        try:
            yield f"{server}/{own}" + (f"?{options}" if options else "")
        finally:
            connection.execute(f'DROP DATABASE "{own}" WITH (FORCE)')


class _Connection:
    """A real socket with the manners that `Tab` expects."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send_to(self, *, text_data: str) -> None:
        await self._socket.send(text_data)

    async def receive_from(self, timeout: float) -> str:
        async with asyncio.timeout(timeout):
            return str(await self._socket.recv())

    async def receive_output(self, timeout: float) -> dict[str, Any]:
        try:
            return {"type": "websocket.send", "text": await self.receive_from(timeout)}
        except ConnectionClosed as closed:
            return {"type": "websocket.close", "code": closed.rcvd.code if closed.rcvd else 1006}

    async def receive_nothing(self, timeout: float) -> bool:
        with suppress(TimeoutError):
            await self.receive_from(timeout)
            return False
        return True


@asynccontextmanager
async def tab_at(process: Process, member: dict[str, str]) -> AsyncIterator[Tab]:
    """A tab of this member's in this process."""
    address = process.url.replace("http:", "ws:") + "/ws/chat/"
    cookie = {"Cookie": f"sessionid={member['session']}"}
    async with connect(
        address,
        additional_headers=cookie,
        origin=process.url,  # type: ignore[arg-type]
        open_timeout=PATIENCE,
        close_timeout=1,
    ) as socket:
        yield Tab(_Connection(socket), member["session"])


async def http(
    process: Process, member: dict[str, str], path: str, *, method: str = "GET", body: Any = None
) -> Any:
    """What this member gets over HTTP: the parsed JSON, or the status alone."""
    return await asyncio.to_thread(_http, process, member, path, method=method, body=body)


def _http(process: Process, member: dict[str, str], path: str, *, method: str, body: Any) -> Any:
    token = "x" * 32
    request = urllib.request.Request(
        process.url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Cookie": f"sessionid={member['session']}; csrftoken={token}",
            "X-CSRFToken": token,
            "Origin": process.url,
        },
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as reply:
            text = reply.read()
            is_json = "json" in reply.headers.get("Content-Type", "")
            return json.loads(text) if is_json else reply.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


async def stored_answer(process: Process, member: dict[str, str], conversation: str) -> tuple[str, str]:
    """Status and text of the newest answer, as the database has it."""
    page = await http(process, member, f"/api/conversations/{conversation}/messages")
    answers = [message for message in page["items"] if message["role"] == "assistant"]
    return answers[-1]["status"], answers[-1]["content"]
