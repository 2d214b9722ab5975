"""SIGTERM: nobody is cut off in the middle, everybody finishes, nothing is left behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from .conftest import Process

ROUND = {"drain_seconds": 0.5}


def test_clients_see_4012_and_every_application_finishes_whatever_its_age(start, connect):
    server = start()
    old = [connect(server, f"/finishing?name=old{number}") for number in range(3)]
    time.sleep(1.2)
    new = [connect(server, f"/finishing?name=new{number}") for number in range(3)]
    for client in old + new:
        client.read_frame()
    server.signal()
    assert [client.closed_with() for client in old + new] == [4012] * 6
    assert server.wait() == 0
    names = {f"{age}{number}" for age in ("old", "new") for number in range(3)}
    assert set(server.all("finished")) == names
    assert set(server.all("background")) == names
    assert server.all("returned") == [True]
    assert b"ERROR" not in server.log
    assert b"never retrieved" not in server.log
    assert b"was destroyed but it is pending" not in server.log


def test_stock_daphne_cuts_off_and_finishes_nothing_of_a_fresh_socket(start, connect):
    server = start(stock=True)
    client = connect(server, "/finishing?name=alice")
    client.read_frame()
    server.signal()
    assert client.closed_with() == 1006
    server.wait()
    assert server.all("finished") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_ends_quickly_and_with_status_0(start, number):
    server = start(**ROUND)
    begun = time.monotonic()
    server.signal(number)
    assert server.wait() == 0
    assert time.monotonic() - begun < 2


def test_the_drain_is_awaited_before_any_socket_is_closed(start, connect):
    server = start(**ROUND)
    client = connect(server, "/echo")
    server.signal()
    assert server.heard("draining")
    assert client.frame(b"still served").read_frame() == (1, b"still served")
    assert client.closed_with() == 4012
    assert server.wait() == 0
    assert server.all("live") == [1, 1]


def test_while_draining_new_requests_and_handshakes_get_503(start, connect):
    server = start(drain_seconds=1.5)
    kept = connect(server)
    assert " 200 " in kept.request("GET", "/hello").head()
    kept._exactly(len(b"5\r\nhello\r\n0\r\n\r\n"))
    server.signal()
    server.heard("draining")
    for client in (
        connect(server).request("GET", "/hello"),
        connect(server).handshake("/echo"),
        kept.request("GET", "/hello"),
    ):
        head = client.head().lower()
        assert " 503 " in head
        assert "retry-after:" in head
        assert "connection: close" in head
    assert server.wait() == 0


def test_an_answer_that_is_under_way_is_finished(start, connect):
    server = start(limits={"finish_seconds": 0.2})
    client = connect(server).request("GET", "/slow?seconds=1")
    time.sleep(0.2)
    server.signal()
    assert " 200 " in client.head()
    assert b"at last" in client.rest()
    assert server.wait() == 0


def test_a_drain_that_takes_too_long_is_cut_short(start, connect):
    server = start(drain_seconds=60, limits={"drain_seconds": 0.5})
    client = connect(server, "/echo")
    begun = time.monotonic()
    server.signal()
    assert client.closed_with() == 4012
    assert server.wait() == 0
    assert time.monotonic() - begun < 5
    assert b"longer than" in server.log


def test_a_drain_that_fails_does_not_keep_the_server_from_closing(start, connect):
    server = start(drain_seconds="not a number")
    client = connect(server, "/echo")
    server.signal()
    assert client.closed_with() == 4012
    assert server.wait() == 0
    assert b"the drain failed" in server.log


def test_an_application_that_will_not_finish_is_cancelled(start, connect):
    server = start(limits={"finish_seconds": 0.5})
    client = connect(server, "/stubborn")
    client.read_frame()
    server.signal()
    assert client.closed_with() == 4012
    assert server.wait() == 0
    assert server.all("cancelled") == [True]


def test_a_client_that_does_not_read_its_close_does_not_hold_up_the_end(start, connect):
    server = start(limits={"finish_seconds": 0.5})
    connect(server, "/flood", receive_buffer=4096)
    time.sleep(0.3)
    begun = time.monotonic()
    server.signal()
    assert server.wait() == 0
    assert time.monotonic() - begun < 6


def test_a_second_signal_ends_the_process_at_once(start):
    server = start(drain_seconds=30)
    server.signal()
    server.heard("draining")
    begun = time.monotonic()
    server.signal()
    assert server.wait() == 128 + signal.SIGTERM
    assert time.monotonic() - begun < 1


def test_a_port_in_use_is_named(start):
    server = start()
    host, port = server.address
    command = "from cozechat.server import serve\nserve(None, host={!r}, port={!r})".format(*server.address)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, timeout=20, check=False, env=environment
    )
    assert ended.returncode == 1
    assert f"ListenError: cannot listen on {host}:{port}: ".encode() in ended.stderr


def test_an_error_in_on_ready_ends_the_server_and_is_raised():
    process = Process(limits={}, unready=True)
    try:
        assert process.wait() == 1
        assert b"RuntimeError: not ready" in process.log
    finally:
        process.close()


@pytest.mark.slow
def test_many_shutdowns_leave_no_trace(start, connect):
    """Tasks left behind at exit have crashed the interpreter now and then: once is no proof."""
    for _ in range(5):
        server = start(limits={"finish_seconds": 0.3})
        for name in ("/finishing?name=x", "/stubborn", "/echo", "/flood"):
            connect(server, name)
        server.signal()
        assert server.wait() == 0
        assert b"pending" not in server.log
