"""The emulator's own figures: how soon it is up, how many streams it feeds in time, what a call costs.

    python -m tests.load.emulator --streams 500 --seconds 10

The emulator is held to one core; the readers use what is left.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from cozechat.emulator import credentials, process
from cozechat.emulator.process import RunningEmulator
from tests.contract.sdk import SyncHTTPClient, cozepy
from tests.load import fastest_loop

PACE = 50
CALLS = 300
CREATORS = 20
DELTA = b"event: conversation.message.delta"
IN_TIME = 0.1
"""A delta that comes within so many seconds of its moment is in time."""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        credentials.ensure(home)
        began = time.perf_counter()
        with process.start(home, in_memory=True, pace=PACE) as emulator:
            up = time.perf_counter() - began
            _pin(emulator.pid)
            calls = _calls(emulator)
            with asyncio.Runner(loop_factory=fastest_loop()) as runner:
                streams = runner.run(_streams(emulator, count=options.streams, seconds=options.seconds))
    _report({"start_seconds": round(up, 2), **calls, **streams}, as_json=options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each stream")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _pin(pid: int) -> None:
    """One core for the emulator, the others for its readers."""
    if hasattr(os, "sched_setaffinity"):
        first, *others = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(pid, {first})
        os.sched_setaffinity(0, others or {first})


def _report(figures: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))  # noqa: T201 - a program
        return
    for name, value in figures.items():
        print(f"{name:<28} {value}")  # noqa: T201 - a program


def _calls(emulator: RunningEmulator) -> dict[str, Any]:
    """What the official SDK's calls take, one after the other."""
    known = emulator.credentials
    app = cozepy.JWTOAuthApp(known.client_id, known.private_key, known.public_key_id, emulator.base_url)
    with SyncHTTPClient(trust_env=False) as client:
        token = app.get_access_token(ttl=3600, session_name="calls").access_token
        coze = cozepy.Coze(cozepy.TokenAuth(token), base_url=emulator.base_url, http_client=client)
        acts = {"users_me": coze.users.me, "conversation_create": coze.conversations.create}
        figures = {f"cozepy_{name}_ms_p50_p99": _timed(act) for name, act in acts.items()}
    app._requester.sync_client.close()
    return figures


def _timed(act: Any) -> list[float]:
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        act()
        taken.append((time.perf_counter() - began) * 1000)
    return [round(statistics.median(taken), 2), round(sorted(taken)[int(CALLS * 0.99)], 2)]


async def _streams(emulator: RunningEmulator, *, count: int, seconds: float) -> dict[str, Any]:
    readers = _Readers(emulator, deltas=int(seconds * PACE))
    await readers.prepare(count)
    watched = psutil.Process(emulator.pid)
    before, waited, began = watched.cpu_times(), _waited(emulator.pid), time.perf_counter()
    lag: list[float] = []
    ticker = asyncio.create_task(_tick(lag))
    late = await asyncio.gather(
        *(readers.read(one, after=place / count) for place, one in enumerate(readers.conversations))
    )
    ticker.cancel()
    elapsed, after = time.perf_counter() - began, watched.cpu_times()
    last = sorted(each for one in late for each in one[-PACE:])
    lateness = sorted(each for one in late for each in one)
    cpu = (after.user + after.system) - (before.user + before.system)
    in_time = sum(each <= IN_TIME for each in lateness) / len(lateness)
    return {
        "streams": count,
        "deltas": len(lateness),
        "deltas_per_second": round(len(lateness) / elapsed),
        "emulator_core_percent": round(100 * cpu / elapsed),
        "emulator_kept_waiting_percent": round(100 * (_waited(emulator.pid) - waited) / elapsed),
        "delta_late_ms_p50": round(1000 * lateness[len(lateness) // 2], 1),
        "delta_late_ms_p99": round(1000 * lateness[int(len(lateness) * 0.99)], 1),
        "delta_late_ms_max": round(1000 * lateness[-1], 1),
        "last_second_late_ms_p50": round(1000 * last[len(last) // 2], 1),
        "readers_own_lag_ms_p99": round(1000 * sorted(lag)[int(len(lag) * 0.99)], 1),
        f"deltas_within_{IN_TIME * 1000:.0f}_ms_percent": round(100 * in_time, 2),
        "emulator_mb": round(watched.memory_info().rss / 2**20),
    }


def _waited(pid: int) -> float:
    """Seconds for which a process was ready and somebody else had its core, where the system tells."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


async def _tick(lag: list[float]) -> None:
    """Notes by how much this process itself is late: what it adds to every figure."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(1 / PACE)
        lag.append(time.perf_counter() - before - 1 / PACE)


class _Readers:
    """Streams of one user, read as bytes; each in a conversation of its own."""

    def __init__(self, emulator: RunningEmulator, *, deltas: int) -> None:
        known = emulator.credentials
        app = cozepy.JWTOAuthApp(known.client_id, known.private_key, known.public_key_id, emulator.base_url)
        self._token = app.get_access_token(ttl=3600, session_name="streams").access_token
        app._requester.sync_client.close()
        self._host, _, port = emulator.base_url.removeprefix("http://").partition(":")
        self._port = int(port)
        self._deltas = deltas
        self._known = known
        self.conversations: list[str] = []

    async def prepare(self, count: int) -> None:
        left = iter(range(count))

        async def create() -> None:
            for _ in left:
                reply = await self._post("/v1/conversation/create", {})
                self.conversations.append(json.loads(reply.partition(b"\r\n\r\n")[2])["data"]["id"])

        await asyncio.gather(*(create() for _ in range(CREATORS)))

    async def read(self, conversation_id: str, *, after: float) -> list[float]:
        """By how much every delta of one stream is late, measured from the stream's first frame."""
        await asyncio.sleep(after)
        question = {"role": "user", "content": f"count to {self._deltas}", "content_type": "text"}
        body = {
            "workflow_id": self._known.workflow_id,
            "app_id": self._known.app_id,
            "conversation_id": conversation_id,
            "additional_messages": [question],
        }
        reader, writer = await self._send("/v1/workflows/chat", body)
        late: list[float] = []
        first, rest = 0.0, b""
        while chunk := await reader.read(65536):
            now = time.perf_counter()
            first, seen = first or now, rest + chunk
            late += [now - first - (len(late) + place + 1) / PACE for place in range(seen.count(DELTA))]
            rest = seen[1 - len(DELTA) :]
        writer.close()
        if len(late) != self._deltas:
            sys.exit(f"a stream brought {len(late)} of {self._deltas} deltas")
        return late

    async def _post(self, path: str, body: object) -> bytes:
        reader, writer = await self._send(path, body)
        reply = await reader.read()
        writer.close()
        return reply

    async def _send(self, path: str, body: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {self._token}\r\n"
            f"Connection: close\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        writer.write(head.encode() + content)
        return reader, writer


if __name__ == "__main__":
    main()
