"""Sockets that come and go in mid-answer leave nothing behind, and those that never read cost next to nothing."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect

from cozechat.emulator import process
from cozechat.emulator.process import RunningEmulator
from tests.load.sites import ROOT, Site, environment
from tests.server.conftest import Client

PEOPLE, CYCLES, CHATTY = 40, 1000, 8
ANSWER = 200_000


class Counted:
    """A running site, and what its process holds."""

    def __init__(
        self, site: Site, *, directory: Path, settings: dict[str, str], emulator: RunningEmulator
    ) -> None:
        self.site, self.emulator = site, emulator
        self.upstream = int(emulator.base_url.rpartition(":")[2])
        self._file = directory / "counts"
        self.sessions: list[str] = json.loads(
            subprocess.run(
                [sys.executable, "-m", "tests.load.people", "make", str(PEOPLE)],
                env=settings, cwd=ROOT, check=True, capture_output=True,
            ).stdout
        )  # fmt: skip

    def holds(self) -> dict[str, int]:
        """Tasks, threads, open files, connections to Coze."""
        self._file.unlink(missing_ok=True)
        os.kill(self.site.pid, signal.SIGUSR1)
        given_up = time.monotonic() + 10
        while not self._file.exists() and time.monotonic() < given_up:
            time.sleep(0.02)
        known = psutil.Process(self.site.pid)
        towards_coze = [
            each for each in known.net_connections() if each.raddr and each.raddr.port == self.upstream
        ]
        return {
            **json.loads(self._file.read_text()),
            "kernel threads": len(list(Path(f"/proc/{self.site.pid}/task").iterdir())),
            "files": len(list(Path(f"/proc/{self.site.pid}/fd").iterdir())),
            "upstream connections": len(towards_coze),
        }

    def mebibytes(self) -> float:
        """Resident memory."""
        return float(psutil.Process(self.site.pid).memory_info().rss) / 2**20

    def socket(self, number: int) -> Any:
        """A WebSocket of one of the users."""
        return connect(
            self.site.url.replace("http", "ws", 1) + "/ws/chat/",
            origin=self.site.url,
            additional_headers={"Cookie": f"sessionid={self.sessions[number]}"},
            compression=None,
        )


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    with process.start(tmp_path / "coze", pace=40) as emulator:
        settings = environment(tmp_path, emulator=emulator, database_url="", redis_url="")
        settings["COUNTED"] = str(tmp_path / "counts")
        site = Site(number=0, directory=tmp_path, settings=settings, program=("-m", "tests.load.counted"))
        try:
            made = Counted(site, directory=tmp_path, settings=settings, emulator=emulator)
            asyncio.run(site.start())
            yield made
        finally:
            site.abandon()


async def _until(socket: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        frame: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 30))
        if frame["type"] == kind:
            return frame


async def _ask(socket: ClientConnection, content: str) -> dict[str, Any]:
    question = {"client_id": str(uuid.uuid4()), "conversation": None, "content": content}
    await socket.send(json.dumps({"type": "turn.start", **question}))
    return await _until(socket, "turn.accepted")


async def _come_and_go(counted: Counted, number: int, *, cycles: int) -> None:
    """One user's long answer, with sockets that see a piece of it and are gone: closed, or cut off."""
    async with counted.socket(number) as asking:
        asked = await _ask(asking, "count to 9000")
        await _until(asking, "turn.delta")
    for cycle in range(cycles):
        async with counted.socket(number) as passing:
            await passing.send(
                json.dumps({"type": "conversation.open", "conversation": asked["conversation"]})
            )
            await _until(passing, "turn.delta")
            if cycle % 2:
                passing.transport.abort()
    async with counted.socket(number) as last:
        await last.send(json.dumps({"type": "conversation.open", "conversation": asked["conversation"]}))
        await _until(last, "turn.sync")
        await last.send(json.dumps({"type": "turn.stop", "turn": asked["turn"]}))
        await _until(last, "turn.canceled")


async def _everybody(counted: Counted, *, cycles: int) -> None:
    await asyncio.gather(
        *(_come_and_go(counted, number, cycles=cycles // PEOPLE) for number in range(PEOPLE))
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_thousand_sockets_that_come_and_go_in_mid_answer_leave_nothing_behind(counted: Counted) -> None:
    asyncio.run(_everybody(counted, cycles=PEOPLE))
    time.sleep(8)
    before = counted.holds()
    asyncio.run(_everybody(counted, cycles=CYCLES))
    given_up = time.monotonic() + 40
    after = counted.holds()
    while any(after[name] > before[name] for name in before) and time.monotonic() < given_up:
        time.sleep(1)
        after = counted.holds()
    sys.stdout.write(f"before {before}, after {CYCLES} cycles {after}\n")
    assert all(after[name] <= before[name] for name in before), (before, after)


def _long_answer(counted: Counted, *, number: int) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        async with counted.socket(number) as asking:
            asked = await _ask(asking, "hello")
            ended = await _until(asking, "turn.completed")
            assert ended["length"] >= ANSWER
            return asked

    return asyncio.run(main())


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_chatty_client_that_never_reads_costs_at_most_4_mib(counted: Counted) -> None:
    """It asks for a long answer again and again, and for a conversation, and takes nothing of it."""
    counted.emulator.arm("huge-delta", size=ANSWER)
    asked = [_long_answer(counted, number=number) for number in range(CHATTY)]
    time.sleep(2)
    before, peak = counted.mebibytes(), 0.0
    host, port = counted.site.url.removeprefix("http://").split(":")
    clients = []
    for number in range(CHATTY):
        client = Client((host, int(port)), receive_buffer=4096)
        cookie = {"Cookie": f"sessionid={counted.sessions[number]}", "Origin": "http://localhost"}
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        key = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
        client.request("GET", "/ws/chat/", headers={**cookie, **upgrade, **key})
        assert " 101 " in client.head()
        clients.append(client)
    for _each in range(120):
        for client, question in zip(clients, asked, strict=True):
            if not client.gone:
                wish = random.choice(
                    [
                        {"type": "turn.resume", "turn": question["turn"], "seq": 0},
                        {"type": "conversation.open", "conversation": question["conversation"]},
                        {"type": "ping"},
                    ]
                )
                with contextlib.suppress(OSError):
                    client.frame(json.dumps(wish).encode())
        time.sleep(0.1)
        peak = max(peak, counted.mebibytes())
    cost = (peak - before) / CHATTY
    sys.stdout.write(f"{CHATTY} clients, {cost:.2f} MiB each at most\n")
    for client in clients:
        client.close()
    assert cost <= 4
