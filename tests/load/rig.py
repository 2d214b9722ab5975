"""What every bench stands on: processes with a core and an end, a site's environment, what the machine spends."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ROOT = Path(__file__).resolve().parents[2]
SYSTEM_CORE, AROUND_CORE = 0, 1
START_SECONDS, STOP_SECONDS = 60.0, 40.0


class BenchError(Exception):
    """The bench itself could not go on."""


class Rig:
    """A directory of its own, and processes in it; every one that it starts it also ends."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("COZE_")},
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "cozechat.settings",
            "DATABASE_URL": f"sqlite:///{directory / 'bench.sqlite3'}",
            "VAR_DIR": str(directory / "var"),
            "SECRET_KEY": secrets.token_urlsafe(48),
            "REDIS_URL": "",
            "DEBUG": "",
            "TURNS_PER_MINUTE": "0",
            "API_PER_MINUTE": "0",
            "LOG_LEVEL": "WARNING",
            "COZE_CLIENT_ID": "1100000000000000000",
            "COZE_PUBLIC_KEY_ID": "bench",
            "COZE_PRIVATE_KEY": _private_key(),
            "COZE_WORKFLOW_ID": "7300000000000000001",
            "COZE_APP_ID": "7300000000000000002",
            "COZE_BOT_ID": "",
        }

    def python(
        self,
        module: str,
        *arguments: str,
        orders: Any = None,
        core: int | None = None,
        patience: float = 180,
    ) -> Any:
        """Run a module of ours to its end: JSON in, JSON out."""
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(
            command if core is None else on_core(core, command),
            input=json.dumps(orders),
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=ROOT,
            timeout=patience,
            check=False,
        )
        if done.returncode:
            raise BenchError(f"{module} ended with {done.returncode}")
        return json.loads(done.stdout)

    @contextmanager
    def upstream(self, *, deltas: int, rate: float, form: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """What stands in for Coze, and its address."""
        arguments = ["--deltas", str(deltas), "--rate", str(rate), "--form", form]
        command = [sys.executable, "-m", "tests.load.upstream", *arguments]
        environment = self.environment
        with process(command, core=AROUND_CORE, stdout=subprocess.PIPE, environment=environment) as started:
            assert started.stdout
            yield started, f"http://127.0.0.1:{int(started.stdout.readline())}"


@contextmanager
def process(
    command: list[str], *, core: int, environment: dict[str, str], stdout: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[str]]:
    """A process on one core, until the end of the block."""
    with subprocess.Popen(
        on_core(core, command), stdout=stdout, text=True, env=environment, cwd=ROOT
    ) as started:
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                started.kill()


def on_core(core: int, command: list[str]) -> list[str]:
    """The same command, held to one core."""
    return [sys.executable, "-m", "tests.load.pinned", str(core), *command]


def free_port() -> int:
    """A port that nobody has, for a moment at least."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_open(url: str, *, started: subprocess.Popen[str], seconds: float = START_SECONDS) -> None:
    """Wait for its port. Raises BenchError."""
    port, given_up = int(url.rpartition(":")[2]), time.monotonic() + seconds
    while time.monotonic() < given_up and started.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise BenchError(f"{started.args} did not open its port")


def cpu_of(pid: int) -> float:
    """Seconds of CPU that one process has spent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of_others(*pids: int) -> float:
    """Seconds of CPU that everything but these processes has spent on this machine."""
    times = psutil.cpu_times()
    spent = times.user + times.nice + times.system + times.irq + times.softirq
    return float(spent - sum(cpu_of(pid) for pid in pids))


def say(text: str) -> None:
    """To whoever waits; figures go to stdout."""
    sys.stderr.write(f"{text}\n")


def aligned(rows: list[list[str]]) -> Iterator[str]:
    """A table's lines."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, kind, plain).decode()
