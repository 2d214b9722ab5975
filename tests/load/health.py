"""How long `/health` takes while the site is busy: `python -m tests.load.health --seconds 10`.

Starts one process of the site with an emulator beside it, on loopback, and lets so many clients ask for `/health`
over kept connections, at a bounded rate; meanwhile others load pages. Prints percentiles; exit code 1 where the 99th
is above 5 ms. `work` is the processor's time of the site for one answer, of everything that it does meanwhile and
without pages: what neighbours on the machine do not change.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import django

MOST_MS = 5.0


class Asker:
    """One kept connection that asks the same again and again."""

    def __init__(self, url: str, path: str) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._path = parts.hostname, parts.port, path
        self.took: list[float] = []

    async def ask(self, *, until: float, every: float, after: float = 0.0) -> None:
        """Ask again and again; the first time `after` so many seconds, since probes do not come all at once."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        request = f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        due = time.perf_counter() + after
        while due < until:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            began = time.perf_counter()
            writer.write(request)
            await self._read(reader)
            self.took.append((time.perf_counter() - began) * 1000)
            due += every
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        assert status in (200, 302), head
        length = next(
            (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b""
        )
        await (reader.readexactly(int(length.split(b":")[1])) if length else reader.readuntil(b"0\r\n\r\n"))


async def load(url: str, *, clients: int, rate: float, pages: float, seconds: float) -> dict[str, float]:
    """Ask at `rate` a second in all, beside so many pages a second; milliseconds."""
    until = time.perf_counter() + seconds
    askers = [Asker(url, "/health") for _ in range(clients)]
    others = [Asker(url, "/accounts/login/")] if pages else []
    await asyncio.gather(
        *(
            asker.ask(until=until, every=clients / rate, after=number / rate)
            for number, asker in enumerate(askers)
        ),
        *(other.ask(until=until, every=1 / pages) for other in others),
    )
    took = sorted(one for asker in askers for one in asker.took[1:])
    at = {name: round(took[min(int(len(took) * share), len(took) - 1)], 2) for name, share in SHARES.items()}
    return {"asked": len(took), **at, "pages": sum(len(other.took) for other in others)}


def worked(pid: int) -> float:
    """Seconds of the processor that this process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "most": 1.0}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--clients", type=int, default=10)
    arguments.add_argument("--rate", type=float, default=200.0)
    arguments.add_argument("--pages", type=float, default=5.0)
    arguments.add_argument("--seconds", type=float, default=10.0)
    given = arguments.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cozechat.settings")
    django.setup()
    from tests.processes import site

    with tempfile.TemporaryDirectory() as directory, site(Path(directory)) as made:
        url = made.start().url
        asyncio.run(load(url, clients=2, rate=50, pages=2, seconds=2))
        options = {
            "clients": given.clients,
            "rate": given.rate,
            "pages": given.pages,
            "seconds": given.seconds,
        }
        found = asyncio.run(load(url, **options))
        pid, before = made.processes[0].popen.pid, worked(made.processes[0].popen.pid)
        alone = asyncio.run(load(url, **{**options, "pages": 0.0}))
        found["work"] = round((worked(pid) - before) * 1000 / alone["asked"], 2)
    sys.stdout.write(json.dumps({**options, "ms": found}, indent=2) + "\n")
    sys.exit(found["p99"] > MOST_MS)


if __name__ == "__main__":
    main()
