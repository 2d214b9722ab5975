"""Drives many streamed calls at once over raw sockets, through a gateway or at its upstream, and reports what came.

It reads its orders as JSON from stdin (`Orders`) and prints one JSON object. A gap, a repetition, a missing end or
another status than 200 is a failure of that call. No HTTP library and no JSON: what it costs itself must not be felt.
"""

import asyncio
import json
import re
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import psutil

from tests.load import fastest_loop
from tests.load.crowd import Meter

_DELTA = re.compile(rb"@(\d{6,})#(\d+) ")
_ENDS = (b"data: [DONE]", b'data:"[DONE]"')
_TICK = 0.01
# The middle of a run, when every answer streams and none begins or ends.
_STEADY = (0.4, 0.75)


@dataclass
class Orders:
    """What to ask: each call is its headers and its body; so many deltas come back to each."""

    port: int
    path: str
    calls: list[tuple[dict[str, str], dict[str, Any]]]
    deltas: int
    server: int
    at_once: int = 0
    ramp: float = 0.0
    patience: float = 120.0


@dataclass
class Seen:
    """What all calls together saw; times are in milliseconds."""

    delays: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    events: int = 0
    reads: int = 0


class Stream(asyncio.Protocol):
    """One call: the request goes out with the connection, deltas are counted as they come."""

    def __init__(self, request: bytes, *, deltas: int, seen: Seen) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self._request = request
        self._deltas = deltas
        self._seen = seen
        self._asked = _now()
        self._head = b""
        self._rest = b""
        self._count = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = _now()
        if not self.ended.done():
            try:
                self._take(data, at=now)
            except ValueError as error:
                self._end(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the connection ended after {self._count} deltas")

    def _take(self, data: bytes, *, at: int) -> None:
        if not self._head:
            head, end, data = (self._rest + data).partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            self._head, self._rest = head, b""
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise ValueError(f"{head[:60]!r} {data[:300]!r}")
        self._read(data, at=at)

    def _read(self, data: bytes, *, at: int) -> None:
        lines, newline, self._rest = (self._rest + data).rpartition(b"\n")
        lines += newline
        seen, before = self._seen, self._count
        for sent, number in _DELTA.findall(lines):
            if int(number) < self._count == self._deltas:
                break  # Coze repeats the whole answer at its end.
            if int(number) != self._count:
                raise ValueError(f"delta {int(number)} came, {self._count} was next")
            self._count += 1
            seen.delays.append((at - int(sent)) / 1000)
        seen.events += lines.count(b"data:")
        seen.reads += self._count > before
        if before == 0 < self._count:
            seen.firsts.append((at - self._asked) / 1000)
        if any(end in lines for end in _ENDS):
            missing = self._deltas - self._count
            self._end(f"ended without its last {missing} deltas" if missing else "")

    def _end(self, failure: str) -> None:
        if self.ended.done():
            return
        self.ended.set_result(None)
        if failure:
            self._seen.failures.append(failure[:400])
        self._transport.close()


async def _ask(orders: Orders, *, number: int, seen: Seen) -> None:
    headers, body = orders.calls[number]
    content = json.dumps(body).encode()
    fields = {"Host": f"127.0.0.1:{orders.port}", "Content-Type": "application/json", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    request = (
        f"POST {orders.path} HTTP/1.1\r\n{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
    )
    stream = Stream(request, deltas=orders.deltas, seen=seen)
    try:
        async with asyncio.timeout(orders.patience):
            await asyncio.get_running_loop().create_connection(lambda: stream, "127.0.0.1", orders.port)
            await stream.ended
    except (TimeoutError, OSError) as error:
        seen.failures.append(f"{type(error).__name__}: {error}")


async def _ask_all(orders: Orders, *, seen: Seen) -> None:
    """All of them within the ramp, or so many at a time."""
    left = deque(range(len(orders.calls)))

    async def worker() -> None:
        while left:
            await _ask(orders, number=left.popleft(), seen=seen)

    async def one(number: int) -> None:
        await asyncio.sleep(orders.ramp * number / len(orders.calls))
        await _ask(orders, number=number, seen=seen)

    work = [worker() for _ in range(orders.at_once)] or [one(number) for number in left]
    await asyncio.gather(*work)


async def _steady(orders: Orders, seen: Seen, *, meter: Meter) -> float:
    """CPU a delta (µs) in the middle of the run."""
    whole = orders.deltas * len(orders.calls)
    marks: list[tuple[float, int]] = []
    for share in _STEADY:
        while len(seen.delays) < share * whole:  # noqa: ASYNC110 - an event would be set at every delta
            await asyncio.sleep(_TICK)
        marks.append((meter.cpu(), len(seen.delays)))
    (cpu, count), (cpu_then, count_then) = marks
    return 1e6 * (cpu_then - cpu) / max(1, count_then - count)


async def _tick(lag: list[float]) -> None:
    """Notes by how many milliseconds this process itself is late: what it adds to every figure."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(_TICK)
        lag.append(1000 * (time.perf_counter() - before - _TICK))


def _now() -> int:
    return time.monotonic_ns() // 1000


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1) if ordered else float("nan")


async def drive(orders: Orders) -> dict[str, Any]:
    """Make all calls; returns the report."""
    seen, meter, own, lag = Seen(), Meter(orders.server), psutil.Process(), [0.0]
    steady = asyncio.create_task(_steady(orders, seen, meter=meter))
    background = [asyncio.create_task(meter.watch()), asyncio.create_task(_tick(lag)), steady]
    loop_before, before = meter.main_thread(), meter.cpu()
    own_before, begun = sum(own.cpu_times()[:2]), time.monotonic()
    await _ask_all(orders, seen=seen)
    wall, cpu = time.monotonic() - begun, meter.cpu() - before
    loop_cpu, own_cpu = meter.main_thread() - loop_before, sum(own.cpu_times()[:2]) - own_before
    for task in background:
        task.cancel()
    known = steady.done() and not steady.cancelled()
    delivered = max(1, len(seen.delays))
    return {
        "delivered": len(seen.delays),
        "expected": orders.deltas * len(orders.calls),
        "failures": seen.failures,
        "cpu_us": round(1e6 * cpu / delivered, 1),
        "loop_us": round(1e6 * loop_cpu / delivered, 1),
        "steady_us": round(steady.result(), 1) if known else float("nan"),
        "p50_ms": _quantile(seen.delays, 0.5),
        "p99_ms": _quantile(seen.delays, 0.99),
        "first_p50_ms": _quantile(seen.firsts, 0.5),
        "first_p99_ms": _quantile(seen.firsts, 0.99),
        "events_per_delta": round(seen.events / delivered, 2),
        "reads_per_delta": round(seen.reads / delivered, 2),
        "peak_mib": round(meter.peak),
        "wall_s": round(wall, 2),
        "server_share": round(cpu / wall, 2),
        "own_share": round(own_cpu / wall, 2),
        "own_lag_p99_ms": _quantile(lag, 0.99),
    }


def main() -> None:
    orders = Orders(**json.load(sys.stdin))
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        sys.stdout.write(json.dumps(runner.run(drive(orders))))


if __name__ == "__main__":
    main()
