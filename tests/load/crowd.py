"""Drives many sockets at once, each its own user with a question of its own, and reports what they saw.

It reads its orders as JSON from stdin (`Orders`) and prints one JSON object. A gap, a repetition, a wrong text or a
missing end is a failure of that user.
"""

import asyncio
import hashlib
import json
import re
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import psutil
from websockets.asyncio.client import ClientConnection, connect

from tests.load import fastest_loop

_DELTA = re.compile(r"@(\d{6,})#(\d+) ")


@dataclass
class Orders:
    """What to do: where, as whom, how much."""

    url: str
    origin: str
    dialect: str
    sessions: list[str]
    deltas: int
    server: int
    ramp: float = 1.0
    patience: float = 90.0


@dataclass
class Seen:
    """What all users together saw; delays are in milliseconds."""

    delays: list[float] = field(default_factory=list)
    first_tokens: list[float] = field(default_factory=list)
    frames: int = 0
    failures: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)


class Answer:
    """One answer as it comes: its deltas in order, none missing, none twice."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.asked = _now()
        self.count = 0
        self.text: list[str] = []

    def add(self, content: str, *, at: int) -> None:
        self.text.append(content)
        for match in _DELTA.finditer(content):
            if int(match[2]) != self.count:
                raise RuntimeError(f"delta {match[2]} came, {self.count} was next")
            self.count += 1
            self.seen.delays.append((at - int(match[1])) / 1000)
            if self.count == 1:
                self.seen.first_tokens.append((at - self.asked) / 1000)


async def _ask_relay(socket: ClientConnection, *, deltas: int, seen: Seen) -> None:
    answer = Answer(seen)
    await socket.send(json.dumps({"type": "message", "content": "hello"}))
    while answer.count < deltas:
        text = await socket.recv()
        at = _now()
        seen.frames += 1
        answer.add(json.loads(text)["content"], at=at)


async def _ask_cozechat(socket: ClientConnection, *, deltas: int, seen: Seen) -> None:
    answer, seq, turn = Answer(seen), 0, ""
    question = {"client_id": str(uuid.uuid4()), "conversation": None, "content": "hello"}
    await socket.send(json.dumps({"type": "turn.start", **question}))
    while True:
        text = await socket.recv()
        at = _now()
        frame = json.loads(text)
        kind = frame["type"]
        seen.frames += kind in ("turn.delta", "turn.html")
        if kind == "turn.delta":
            seq += 1
            if frame["seq"] != seq:
                raise RuntimeError(f"seq {frame['seq']} came, {seq} was next")
            answer.add(frame["content"], at=at)
        elif kind == "turn.accepted":
            turn = frame["turn"]
        elif kind == "turn.completed":
            break
        elif kind not in ("turn.html", "conversation.updated"):
            raise RuntimeError(f"unexpected frame: {str(text)[:200]}")
    whole = "".join(answer.text)
    if (answer.count, seq, len(whole)) != (deltas, frame["seq"], frame["length"]):
        raise RuntimeError(f"ended after {answer.count} deltas, {len(whole)} characters: {frame}")
    seen.answers[turn] = hashlib.sha256(whole.encode()).hexdigest()


_DIALECTS = {"cozechat": _ask_cozechat, "relay": _ask_relay}


async def _user(orders: Orders, *, number: int, seen: Seen) -> None:
    await asyncio.sleep(orders.ramp * number / len(orders.sessions))
    ask = _DIALECTS[orders.dialect]
    cookie = {"Cookie": f"sessionid={orders.sessions[number]}"}
    try:
        async with asyncio.timeout(orders.patience):
            socket = await connect(
                orders.url, origin=orders.origin, additional_headers=cookie, compression=None, max_size=None
            )
            async with socket:
                await ask(socket, deltas=orders.deltas, seen=seen)
    except Exception as error:
        seen.failures.append(f"{type(error).__name__}: {error}"[:300])


class Meter:
    """What a process and its children cost: seconds of CPU, bytes of memory."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self.peak = 0.0

    def _all(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]

    def cpu(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self._all())

    def main_thread(self) -> float:
        """The CPU of the thread that runs the event loop; the others are the database's."""
        return sum(sum(thread[1:]) for thread in self._root.threads() if thread.id == self._root.pid)

    async def watch(self) -> None:
        while True:
            memory = sum(process.memory_info().rss for process in self._all())
            self.peak = max(self.peak, memory / 2**20)
            await asyncio.sleep(0.25)


async def _steady(orders: Orders, seen: Seen, *, meter: Meter) -> float:
    """CPU a delta (µs) in the middle of it, when every answer streams and none begins or ends."""
    whole = orders.deltas * len(orders.sessions)
    marks: list[tuple[float, int]] = []
    for share in (0.4, 0.75):
        while len(seen.delays) < share * whole:  # noqa: ASYNC110 - an event would be set at every delta
            await asyncio.sleep(0.01)
        marks.append((meter.cpu(), len(seen.delays)))
    (cpu, count), (cpu_then, count_then) = marks
    return 1e6 * (cpu_then - cpu) / (count_then - count)


def _now() -> int:
    return time.monotonic_ns() // 1000


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1) if ordered else float("nan")


async def drive(orders: Orders) -> dict[str, Any]:
    """Let them all ask; returns the report."""
    seen, meter, own = Seen(), Meter(orders.server), psutil.Process()
    background = [asyncio.create_task(meter.watch()), asyncio.create_task(_steady(orders, seen, meter=meter))]
    loop_before = meter.main_thread()
    before, own_before, begun = meter.cpu(), sum(own.cpu_times()[:2]), time.monotonic()
    users = (_user(orders, number=number, seen=seen) for number in range(len(orders.sessions)))
    await asyncio.gather(*users)
    wall, cpu = time.monotonic() - begun, meter.cpu() - before
    loop_cpu = meter.main_thread() - loop_before
    own_cpu = sum(own.cpu_times()[:2]) - own_before
    for task in background:
        task.cancel()
    steady = background[1].result() if background[1].done() and not background[1].cancelled() else None
    delivered = max(1, len(seen.delays))
    return {
        "delivered": len(seen.delays),
        "expected": orders.deltas * len(orders.sessions),
        "failures": seen.failures,
        "answers": seen.answers,
        "cpu_us": round(1e6 * cpu / delivered, 1),
        "loop_us": round(1e6 * loop_cpu / delivered, 1),
        "steady_us": round(steady, 1) if steady is not None else float("nan"),
        "p50_ms": _quantile(seen.delays, 0.5),
        "p99_ms": _quantile(seen.delays, 0.99),
        "max_ms": _quantile(seen.delays, 1.0),
        "first_p50_ms": _quantile(seen.first_tokens, 0.5),
        "first_p99_ms": _quantile(seen.first_tokens, 0.99),
        "frames_per_delta": round(seen.frames / delivered, 2),
        "peak_mib": round(meter.peak),
        "wall_s": round(wall, 2),
        "server_share": round(cpu / wall, 2),
        "crowd_share": round(own_cpu / wall, 2),
    }


def main() -> None:
    orders = Orders(**json.load(sys.stdin))
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        sys.stdout.write(json.dumps(runner.run(drive(orders))))


if __name__ == "__main__":
    main()
