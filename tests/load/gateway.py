"""The gateway under load, beside LiteLLM's proxy where that is installed: same upstream, same callers, same minute.

Each round takes both, one after the other, each in a fresh process on a core of its own; upstream and callers share
another core. What counts is the ratio of the medians: the machine cancels out. What a system adds to the first token
is what it takes beyond the same upstream, asked directly a moment before by the same callers.
"""

import argparse
import json
import math
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
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

SYSTEMS = ("cozechat", "litellm")
# A quarter of a minute of imports on a quiet machine.
LITELLM_START_SECONDS = 180.0
PATIENCE = 240.0
WARMING_AT_ONCE = 10
TARGET = 0.2
_MASTER_KEY = "sk-bench"
_COLUMNS = (
    ("system", "system"),
    ("delivered", "deltas"),
    ("failed", "errors"),
    ("cpu_us", "µs/delta"),
    ("loop_us", "of it loop"),
    ("steady_us", "steady"),
    ("first_p50_ms", "first p50"),
    ("first_p99_ms", "first p99"),
    ("added_p50_ms", "added p50"),
    ("added_p99_ms", "added p99"),
    ("p50_ms", "delay p50"),
    ("p99_ms", "delay p99"),
    ("events_per_delta", "events"),
    ("reads_per_delta", "reads"),
    ("peak_mib", "MiB"),
    ("server_share", "core used"),
    ("own_share", "callers"),
    ("own_lag_p99_ms", "lag"),
    ("upstream_share", "upstream"),
    ("upstream_lag_p99_ms", "lag"),
    ("foreign", "foreign"),
)
_RATIOS = {
    "cpu_us": "CPU a delta, all in all",
    "steady_us": "CPU a delta while all stream",
    "added_p50_ms": "added to the first token, p50",
    "added_p99_ms": "added to the first token, p99",
    "peak_mib": "peak memory",
}
_TARGETS = ("cpu_us", "added_p50_ms", "added_p99_ms")

_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class GatewayBench(Rig):
    """One run of all systems."""

    def __init__(self, options: argparse.Namespace, *, directory: Path) -> None:
        super().__init__(directory)
        self.options = options
        self.key = ""

    def run(self) -> list[dict[str, Any]]:
        """All rounds; every entry is what one system did in one round."""
        self.key = self.python("tests.load.people", "key")
        systems = SYSTEMS if self.options.litellm else SYSTEMS[:1]
        results = []
        for number in range(self.options.rounds):
            for system in systems:
                say(f"round {number + 1} of {self.options.rounds}: {system} …")
                results.append({"round": number + 1, **self._measure(system, number=number)})
        return results

    def _measure(self, system: str, *, number: int) -> dict[str, Any]:
        options = self.options
        form = {"deltas": options.deltas, "rate": options.rate, "form": "plain"}
        with self.upstream(**form) as (upstream, address), self._system(system, address) as (server, url):
            self._warm(url, key=self._key_of(system), server=server.pid, number=number)
            direct = self._direct(address, system=system)
            before, stolen = cpu_of(upstream.pid), cpu_of_others(server.pid, upstream.pid)
            begun = time.monotonic()
            _lag(address)
            people = [f"round-{number}-{one}" for one in range(options.streams)]
            calls = [self._call(one, key=self._key_of(system), deltas=options.deltas) for one in people]
            seen = self._callers(url, "/v1/chat/completions", calls=calls, server=server.pid)
            wall = time.monotonic() - begun
            share = (cpu_of(upstream.pid) - before) / wall
            # The callers are a child that has ended: what they spent is not foreign.
            foreign = (cpu_of_others(server.pid, upstream.pid) - stolen) / wall - seen["own_share"]
            lag = _lag(address)
        return {
            "system": system,
            "direct_first_p50_ms": direct["first_p50_ms"],
            "direct_first_p99_ms": direct["first_p99_ms"],
            "added_p50_ms": round(seen["first_p50_ms"] - direct["first_p50_ms"], 1),
            "added_p99_ms": round(seen["first_p99_ms"] - direct["first_p99_ms"], 1),
            "upstream_share": round(share, 2),
            "upstream_lag_p99_ms": round(lag["p99_ms"], 1),
            "foreign": round(foreign, 2),
            "failed": len(seen["failures"]),
            **seen,
            "failures": [*direct["failures"], *seen["failures"]],
        }

    def _warm(self, url: str, *, key: str, server: int, number: int) -> None:
        """Everybody calls once, so that nobody is a stranger; with --new somebody else does."""
        who = "warming" if self.options.new else "round"
        people = [f"{who}-{number}-{one}" for one in range(self.options.streams)]
        calls = [self._call(one, key=key, deltas=1) for one in people]
        warming = self._callers(
            url, "/v1/chat/completions", calls=calls, server=server, deltas=1, at_once=WARMING_AT_ONCE
        )
        for failure in warming["failures"][:1]:
            say(f"warming: {failure}")

    def _direct(self, address: str, *, system: str) -> dict[str, Any]:
        """The same upstream without anything between."""
        options = self.options
        question = f"{options.deltas} deltas"
        if system == "cozechat":
            path, body = (
                "/v1/workflows/chat",
                {"additional_messages": [{"role": "user", "content": question}]},
            )
        else:
            path, body = "/v1/chat/completions", _asked(question, user="direct")
        calls = [({}, body)] * options.streams
        return self._callers(address, path, calls=calls, server=os.getpid())

    def _key_of(self, system: str) -> str:
        return self.key if system == "cozechat" else _MASTER_KEY

    def _call(self, user: str, *, key: str, deltas: int) -> tuple[dict[str, str], dict[str, Any]]:
        return {"Authorization": f"Bearer {key}"}, _asked(f"{deltas} deltas", user=user)

    def _callers(self, url: str, path: str, *, calls: Any, server: int, **more: Any) -> dict[str, Any]:
        orders = {
            "port": int(url.rpartition(":")[2]),
            "path": path,
            "calls": calls,
            "server": server,
            "deltas": self.options.deltas,
            "ramp": self.options.ramp,
            **more,
        }
        seen: dict[str, Any] = self.python(
            "tests.load.callers", orders=orders, core=AROUND_CORE, patience=PATIENCE
        )
        return seen

    @contextmanager
    def _system(self, system: str, upstream: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command, environment = getattr(self, f"_{system}")(port, upstream)
        with process(command, core=SYSTEM_CORE, environment=environment) as started:
            wait_until_open(url, started=started, seconds=LITELLM_START_SECONDS)
            yield started, url

    def _cozechat(self, port: int, upstream: str) -> tuple[list[str], dict[str, str]]:
        command = ["manage.py", "serve", "--port", str(port)]
        if self.options.profile:
            command = ["-m", "cProfile", "-o", str(self.directory / "profile"), *command]
        return [sys.executable, *command], self.environment | {"COZE_API_BASE": upstream}

    def _litellm(self, port: int, upstream: str) -> tuple[list[str], dict[str, str]]:
        """The proxy as its own documents start it: one worker, a master key, no database."""
        route = {"model": "openai/bench", "api_base": f"{upstream}/v1", "api_key": "sk-upstream"}
        settings = {
            "model_list": [{"model_name": "bench", "litellm_params": route}],
            "litellm_settings": {"telemetry": False},
            "general_settings": {"master_key": _MASTER_KEY},
        }
        config = self.directory / "litellm.yaml"
        # JSON is YAML.
        config.write_text(json.dumps(settings))
        program = str(Path(self.options.litellm) / "bin" / "litellm")
        where = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "NO_PROXY": "127.0.0.1"}
        return [program, "--config", str(config), *where], kept | quiet


def _asked(question: str, *, user: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}]
    return {"model": "bench", "stream": True, "user": user, "messages": messages}


def _lag(address: str) -> dict[str, float]:
    with _open(f"{address}/lag", timeout=10) as reply:
        lag: dict[str, float] = json.load(reply)
    return lag


def _report(results: list[dict[str, Any]]) -> dict[str, Any]:
    medians: dict[str, dict[str, float]] = {}
    for system in SYSTEMS:
        rows = [result for result in results if result["system"] == system]
        if rows:
            names = [name for name, value in rows[0].items() if isinstance(value, (int, float))]
            medians[system] = {name: statistics.median(row[name] for row in rows) for name in names}
    report: dict[str, Any] = {"rounds": results, "medians": medians}
    if len(medians) == len(SYSTEMS):
        ours, theirs = (medians[system] for system in SYSTEMS)
        report["ratios"] = {name: round(ours[name] / (theirs[name] or math.nan), 3) for name in _RATIOS}
    report["complete"] = all(
        not result["failures"] and result["delivered"] == result["expected"] for result in results
    )
    return report


def _lines(report: dict[str, Any]) -> Iterator[str]:
    rows = [[head for _name, head in _COLUMNS]]
    for result in report["rounds"]:
        delivered = f"{result['delivered']}/{result['expected']}"
        rows.append([str({**result, "delivered": delivered}[name]) for name, _head in _COLUMNS])
    yield from aligned(rows)
    for result in report["rounds"]:
        for failure in result["failures"][:3]:
            yield f"{result['system']}, round {result['round']}: {failure}"
    if "ratios" not in report:
        yield "CozeChat / LiteLLM: LiteLLM is not installed; name its environment with --litellm"
    for name, ratio in report.get("ratios", {}).items():
        target = f" (at most {TARGET}: {'met' if ratio <= TARGET else 'missed'})" if name in _TARGETS else ""
        yield f"{_RATIOS[name]}: CozeChat / LiteLLM = {ratio}{target}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench --gateway", description=__doc__)
    parser.add_argument("--streams", type=int, default=100, help="calls at once")
    parser.add_argument("--deltas", type=int, default=200, help="deltas of one answer")
    parser.add_argument("--rate", type=float, default=50, help="deltas a second, each answer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--ramp", type=float, default=0.0, help="seconds over which calls come; 0: all at once"
    )
    parser.add_argument("--new", action="store_true", help="end users who were never here before")
    parser.add_argument(
        "--litellm", metavar="VENV", help="a virtual environment in which litellm[proxy] is installed"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--profile", action="store_true", help="under cProfile: where time goes")
    return parser.parse_args()


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        try:
            report = _report(GatewayBench(options, directory=Path(directory)).run())
        except (BenchError, OSError) as error:
            say(str(error))
            return 2
        lines = [json.dumps(report)] if options.json else _lines(report)
        sys.stdout.writelines(f"{line}\n" for line in lines)
        if options.profile:
            for order in ("tottime", "cumtime"):
                pstats.Stats(str(Path(directory) / "profile")).strip_dirs().sort_stats(order).print_stats(60)
    return 0 if report["complete"] else 1


if __name__ == "__main__":
    sys.exit(main())
