"""CozeChat beside the least that Channels and daphne can do: same upstream, same crowd, same minute.

Every round runs both, one after the other, each in a fresh process on a core of its own; upstream and crowd share
another core. What counts is the ratio of the medians: the machine cancels out.
"""

import argparse
import json
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.load.rig import (
    AROUND_CORE,
    SYSTEM_CORE,
    BenchError,
    Rig,
    aligned,
    cpu_of,
    cpu_of_others,
    free_port,
    process,
    say,
    wait_until_open,
)

WARMING_USERS, WARMING_DELTAS = 3, 5
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


class Bench(Rig):
    """One run: CozeChat and the reference in turn."""

    def __init__(self, options: argparse.Namespace, *, directory: Path) -> None:
        super().__init__(directory)
        self.options = options
        self.sessions: list[str] = []

    def run(self) -> list[dict[str, Any]]:
        """All rounds; every entry is what one system did in one round."""
        options, results = self.options, []
        people = options.rounds * (options.n + WARMING_USERS)
        self.sessions = self.python("tests.load.people", "make", str(people))
        for number in range(options.rounds):
            for system in ("cozechat", "relay"):
                if system == "relay" and options.alone:
                    continue
                say(f"round {number + 1} of {options.rounds}: {system} …")
                results.append({"round": number + 1, **self._measure(system)})
        self._compare_stored(results)
        return results

    def _measure(self, system: str) -> dict[str, Any]:
        options = self.options
        form = {"deltas": options.deltas, "rate": options.rate, "form": options.form}
        with self.upstream(**form) as (upstream, address), self._system(system, address) as (site, url):
            server = {"url": url.replace("http", "ws", 1) + "/ws/chat/", "origin": url, "dialect": system}
            server["server"] = site.pid
            warming = self._crowd({**server, "deltas": options.deltas, "ramp": 0.0}, users=WARMING_USERS)
            before, stolen = cpu_of(upstream.pid), cpu_of_others(site.pid, upstream.pid)
            begun = time.monotonic()
            seen = self._crowd({**server, "deltas": options.deltas, "ramp": options.ramp}, users=options.n)
            wall = time.monotonic() - begun
            share = (cpu_of(upstream.pid) - before) / wall
            # The crowd is a child that has ended: what it spent is not foreign.
            foreign = (cpu_of_others(site.pid, upstream.pid) - stolen) / wall - seen["crowd_share"]
        if warming["failures"]:
            say(f"warming: {warming['failures'][0]}")
        return {"system": system, "upstream_share": round(share, 2), "foreign": round(foreign, 2), **seen}

    def _crowd(self, orders: dict[str, Any], *, users: int) -> dict[str, Any]:
        if orders["dialect"] == "cozechat":
            sessions, self.sessions = self.sessions[:users], self.sessions[users:]
        else:
            sessions = ["nobody"] * users
        return self.python("tests.load.crowd", orders={**orders, "sessions": sessions}, core=AROUND_CORE)

    @contextmanager
    def _system(self, system: str, upstream: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        if system == "cozechat":
            command = ["manage.py", "serve", "--port", str(port)]
            if self.options.profile:
                command = ["-m", "cProfile", "-o", str(self.directory / "profile"), *command]
        else:
            command = ["-m", "daphne", "-p", str(port), "-v", "0", "tests.load.relay:application"]
        environment = self.environment | {"COZE_API_BASE": upstream, "RELAY_UPSTREAM": upstream}
        with process([sys.executable, *command], core=SYSTEM_CORE, environment=environment) as started:
            wait_until_open(url, started=started)
            yield started, url

    def _compare_stored(self, results: list[dict[str, Any]]) -> None:
        """What the sockets got must be what the database keeps, to the last character."""
        stored = self.python("tests.load.people", "answers")
        for result in results:
            answers = result.pop("answers")
            wrong = [turn for turn, digest in answers.items() if stored.get(turn) != digest]
            result["failures"] += [f"turn {turn} is stored differently" for turn in wrong]


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
    yield from aligned(rows)
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
            say(str(error))
            return 2
        lines = [json.dumps(report)] if options.json else _table(report)
        sys.stdout.writelines(f"{line}\n" for line in lines)
        if options.profile:
            _print_profile(Path(directory) / "profile")
    return 0 if report["complete"] else 1


if __name__ == "__main__":
    sys.exit(main())
