"""Two real processes: both report, one adds up for both, and what a killed one had counted stays."""

import time
import urllib.request

import pytest

from tests.monitoring.prometheus import Family, parse
from tests.processes import Process, site

pytestmark = pytest.mark.timeout(180)
TOKEN = "let-me-in"


def metrics(process: Process) -> dict[str, Family]:
    request = urllib.request.Request(f"{process.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as reply:
        return parse(reply.read().decode())


def value(process: Process, name: str) -> float:
    return metrics(process)[f"cozechat_{name}"].samples["", ()]


def until(seconds: float, condition) -> None:
    given_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < given_up
        time.sleep(0.5)


def ask(process: Process, *, times: int) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(times):
        with opener.open(f"{process.url}/health", timeout=20) as reply:
            assert reply.status == 200


def test_a_killed_process_keeps_its_counts_and_is_no_longer_counted_as_living(tmp_path):
    with site(tmp_path) as made:
        made.environment["DIAGNOSTICS_TOKEN"] = TOKEN
        first, second = made.start(), made.start()
        until(40, lambda: value(first, "processes") == 2)
        ask(second, times=200)
        # The same whichever process is asked.
        until(40, lambda: value(first, "http_requests_total") >= 200)
        assert value(second, "http_requests_total") >= 200

        second.kill()
        counted = value(first, "http_requests_total")
        until(60, lambda: value(first, "processes") == 1)
        assert value(first, "http_requests_total") >= counted
        assert value(first, "resident_memory_bytes") > 2**20
