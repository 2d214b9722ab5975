"""`/health` tells the truth within five seconds, to anybody, cheaply; a real site, a real emulator, unplugged."""

import json
import signal
import time
import urllib.error
import urllib.request

import pytest

from cozechat.emulator import process as emulator
from tests.processes import site

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    directory = tmp_path_factory.mktemp("health")
    with site(directory) as made:
        yield made.start(), made.coze


def ask(process, *, path="/health", method="GET", host="") -> tuple[int, dict]:
    request = urllib.request.Request(
        process.url + path, method=method, headers={"Host": host} if host else {}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as reply:
            return reply.status, json.loads(reply.read() or b"{}")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}


def seconds_until(process, status: str) -> float:
    began = time.monotonic()
    while ask(process)[1]["status"] != status:
        assert time.monotonic() - began < 20, f"not {status} after 20 s"
        time.sleep(0.2)
    return time.monotonic() - began


def test_a_site_that_is_well_says_so_and_nothing_more(running):
    process, _coze = running
    status, body = ask(process)

    assert status == 200
    assert body["status"] == "ok"
    assert set(body) == {"status", "timestamp", "services"}
    assert {"database", "coze"} <= set(body["services"])
    assert all(service == {"status": "ok"} for service in body["services"].values())


def test_a_probe_names_no_host_of_ours_and_is_not_sent_elsewhere(running):
    process, _coze = running
    assert ask(process, host="10.1.2.3:8000")[0] == 200
    assert ask(process, method="HEAD")[0] == 200
    assert ask(process, path="/health/")[0] == 200
    assert ask(process, method="POST")[0] == 405


def test_a_coze_that_is_gone_is_told_within_five_seconds_and_so_is_its_return(tmp_path):
    with site(tmp_path) as made:
        process, port = made.start(), int(made.coze.base_url.rpartition(":")[2])
        assert seconds_until(process, "ok") < 5

        made.coze.stop()
        assert seconds_until(process, "degraded") < 5
        status, body = ask(process)
        assert status == 200, "people can still read"
        assert body["services"]["coze"] == {"status": "failing"}
        assert body["services"]["database"] == {"status": "ok"}

        with emulator.start(tmp_path / "var" / "emulator", in_memory=True, port=port):
            assert seconds_until(process, "ok") < 5


def test_a_process_that_drains_takes_no_more(tmp_path):
    with site(tmp_path) as made:
        process = made.start()
        assert ask(process)[0] == 200
        process.signal(signal.SIGTERM)
        given_up = time.monotonic() + 20
        while serves(process):
            assert time.monotonic() < given_up, "it goes on as if nothing had been said"
        assert not serves(process)


def serves(process) -> bool:
    """Whether it is there and says that people may be sent to it."""
    try:
        return ask(process)[0] == 200
    except OSError:
        return False
