"""CozeChat beside the least that Channels and daphne can do: same upstream, same crowd, same minute.

Every round runs both, one after the other, each in a fresh process on a core of its own; upstream and crowd share
another core. What counts is the ratio of the medians: the machine cancels out.
"""

import argparse
import json
import os
import pstats
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
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
WARMING_USERS, WARMING_DELTAS = 3, 5
START_SECONDS, STOP_SECONDS = 60.0, 40.0
_COLUMNS = (
    ("system", "system"),
    ("delivered", "deltas"),
    ("cpu_us", "µs/delta"),
    ("loop_us", "of it loop"),
    ("steady_us", "steady"),
    ("p50_ms", "p50 ms"),
    ("p99_ms", "p99 ms"),
    ("first_p50_ms", "first p50"),
    ("first_p99_ms", "first p99"),
    ("frames_per_delta", "frames"),
    ("peak_mib", "MiB"),
    ("server_share", "core used"),
    ("crowd_share", "crowd"),
    ("upstream_share", "upstream"),
    ("foreign", "foreign"),
)


class BenchError(Exception):
    """The bench itself could not go on."""


class Bench:
    """One run in a directory of its own; every process that it starts it also ends."""

    def __init__(self, options: argparse.Namespace, *, directory: Path) -> None:
        self.options = options
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
            "LOG_LEVEL": "WARNING",
            "COZE_CLIENT_ID": "1100000000000000000",
            "COZE_PUBLIC_KEY_ID": "bench",
            "COZE_PRIVATE_KEY": _private_key(),
            "COZE_WORKFLOW_ID": "7300000000000000001",
            "COZE_APP_ID": "7300000000000000002",
            "COZE_BOT_ID": "",
        }
        self.sessions: list[str] = []

    def run(self) -> list[dict[str, Any]]:
        """All rounds; every entry is what one system did in one round."""
        options, results = self.options, []
        people = options.rounds * (options.n + WARMING_USERS)
        self.sessions = self._python("tests.load.people", "make", str(people))
        for number in range(options.rounds):
            for system in ("cozechat", "relay"):
                if system == "relay" and options.alone:
                    continue
                _say(f"round {number + 1} of {options.rounds}: {system} …")
                results.append({"round": number + 1, **self._measure(system)})
        self._compare_stored(results)
        return results

    def _measure(self, system: str) -> dict[str, Any]:
        options = self.options
        with self._upstream() as (upstream, address), self._system(system, address) as (process, url):
            server = {"url": url.replace("http", "ws", 1) + "/ws/chat/", "origin": url, "dialect": system}
            server["server"] = process.pid
            warming = self._crowd({**server, "deltas": options.deltas, "ramp": 0.0}, users=WARMING_USERS)
            before, begun, stolen = _cpu(upstream.pid), time.monotonic(), _others(process.pid, upstream.pid)
            seen = self._crowd({**server, "deltas": options.deltas, "ramp": options.ramp}, users=options.n)
            wall = time.monotonic() - begun
            share = (_cpu(upstream.pid) - before) / wall
            # The crowd is a child that has ended: what it spent is not foreign.
            foreign = (_others(process.pid, upstream.pid) - stolen) / wall - seen["crowd_share"]
        if warming["failures"]:
            _say(f"warming: {warming['failures'][0]}")
        return {"system": system, "upstream_share": round(share, 2), "foreign": round(foreign, 2), **seen}

    def _crowd(self, orders: dict[str, Any], *, users: int) -> dict[str, Any]:
        if orders["dialect"] == "cozechat":
            sessions, self.sessions = self.sessions[:users], self.sessions[users:]
        else:
            sessions = ["nobody"] * users
        return self._python("tests.load.crowd", orders={**orders, "sessions": sessions}, core=AROUND_CORE)

    def _python(self, module: str, *arguments: str, orders: Any = None, core: int | None = None) -> Any:
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(
            command if core is None else _on(core, command),
            input=json.dumps(orders),
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=ROOT,
            timeout=180,
            check=False,
        )
        if done.returncode:
            raise BenchError(f"{module} ended with {done.returncode}")
        return json.loads(done.stdout)

    @contextmanager
    def _upstream(self) -> Iterator[tuple[subprocess.Popen[str], str]]:
        options = self.options
        arguments = ["--deltas", str(options.deltas), "--rate", str(options.rate), "--form", options.form]
        command = [sys.executable, "-m", "tests.load.upstream", *arguments]
        with self._process(command, core=AROUND_CORE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            yield process, f"http://127.0.0.1:{int(process.stdout.readline())}"

    @contextmanager
    def _system(self, system: str, upstream: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        if system == "cozechat":
            command = ["manage.py", "serve", "--port", str(port)]
            if self.options.profile:
                command = ["-m", "cProfile", "-o", str(self.directory / "profile"), *command]
        else:
            command = ["-m", "daphne", "-p", str(port), "-v", "0", "tests.load.relay:application"]
        environment = {"COZE_API_BASE": upstream, "RELAY_UPSTREAM": upstream}
        with self._process([sys.executable, *command], core=SYSTEM_CORE, **environment) as process:
            _wait_until_open(url, process=process)
            yield process, url

    @contextmanager
    def _process(
        self, command: list[str], *, core: int, stdout: int = subprocess.DEVNULL, **environment: str
    ) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            _on(core, command),
            stdout=stdout,
            text=True,
            env=self.environment | environment,
            cwd=ROOT,
        ) as process:
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()

    def _compare_stored(self, results: list[dict[str, Any]]) -> None:
        """What the sockets got must be what the database keeps, to the last character."""
        stored = self._python("tests.load.people", "answers")
        for result in results:
            answers = result.pop("answers")
            wrong = [turn for turn, digest in answers.items() if stored.get(turn) != digest]
            result["failures"] += [f"turn {turn} is stored differently" for turn in wrong]


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, kind, plain).decode()


def _on(core: int, command: list[str]) -> list[str]:
    return [sys.executable, "-m", "tests.load.pinned", str(core), *command]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_open(url: str, *, process: subprocess.Popen[str]) -> None:
    port, given_up = int(url.rpartition(":")[2]), time.monotonic() + START_SECONDS
    while time.monotonic() < given_up and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise BenchError(f"{process.args} did not open its port")


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _others(*pids: int) -> float:
    """Seconds of CPU that everything but these processes has spent on this machine."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + times.irq + times.softirq - sum(_cpu(pid) for pid in pids)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _medians(results: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    medians: dict[str, dict[str, float]] = {}
    for system in ("cozechat", "relay"):
        rows = [result for result in results if result["system"] == system]
        if rows:
            names = [name for name, value in rows[0].items() if isinstance(value, (int, float))]
            medians[system] = {name: statistics.median(row[name] for row in rows) for name in names}
    return medians


def _report(results: list[dict[str, Any]]) -> dict[str, Any]:
    medians = _medians(results)
    report: dict[str, Any] = {"rounds": results, "medians": medians}
    if len(medians) == 2:
        ours, reference = medians["cozechat"], medians["relay"]
        names = ("cpu_us", "steady_us", "p99_ms", "peak_mib")
        report["ratios"] = {name: round(ours[name] / reference[name], 2) for name in names}
    report["complete"] = all(
        not result["failures"] and result["delivered"] == result["expected"] for result in results
    )
    return report


def _table(report: dict[str, Any]) -> Iterator[str]:
    rows = [[head for _name, head in _COLUMNS]]
    for result in report["rounds"]:
        delivered = f"{result['delivered']}/{result['expected']}"
        rows.append([str({**result, "delivered": delivered}[name]) for name, _head in _COLUMNS])
    widths = [max(len(row[index]) for row in rows) for index in range(len(_COLUMNS))]
    for row in rows:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
    for result in report["rounds"]:
        for failure in result["failures"][:3]:
            yield f"{result['system']}, round {result['round']}: {failure}"
    for name, ratio in report.get("ratios", {}).items():
        yield f"{name}: CozeChat / bare relay = {ratio}"


def _print_profile(path: Path) -> None:
    for order in ("tottime", "cumtime"):
        pstats.Stats(str(path)).strip_dirs().sort_stats(order).print_stats(45)


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--n", type=int, default=100, help="users at once")
    parser.add_argument("--deltas", type=int, default=200, help="deltas of one answer")
    parser.add_argument("--rate", type=float, default=50, help="deltas a second, each answer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ramp", type=float, default=1.0, help="seconds over which the users arrive")
    parser.add_argument(
        "--form", choices=("plain", "markdown"), default="plain", help="what answers look like"
    )
    parser.add_argument("--alone", action="store_true", help="without the reference")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--profile", action="store_true", help="CozeChat under cProfile: where time goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        bench = Bench(options, directory=Path(directory))
        try:
            report = _report(bench.run())
        except BenchError as error:
            _say(str(error))
            return 2
        lines = [json.dumps(report)] if options.json else _table(report)
        sys.stdout.writelines(f"{line}\n" for line in lines)
        if options.profile:
            _print_profile(Path(directory) / "profile")
    return 0 if report["complete"] else 1


if __name__ == "__main__":
    sys.exit(main())
