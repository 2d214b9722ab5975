"""Neither a client that does not read nor one that does not stop can fill the server's memory."""

import contextlib
import time

import pytest

SMALL = 4096


def still(server, *, seconds=1.5):
    """How much was sent once it no longer grows, and the memory that it took."""
    end, sent = time.monotonic() + seconds, -1
    while time.monotonic() < end and sent != server.counts["sent"]:
        sent = server.counts["sent"]
        time.sleep(0.3)
    return sent


@pytest.mark.parametrize("path", ["/flood", "/stream"])
def test_a_client_that_never_reads_costs_at_most_4_mib(start, connect, path):
    grown = {}
    for stock in (True, False):
        server = start(stock=stock)
        before = server.mebibytes
        client = connect(server, receive_buffer=SMALL)
        if path == "/flood":
            client.handshake(path).head()
        else:
            client.request("GET", path).head()
        still(server)
        grown[stock] = server.mebibytes - before
    assert grown[True] > 30  # the fault: everything is buffered
    assert grown[False] < 4


def test_a_client_that_stops_reading_is_cut_off_after_the_stall_time(start, connect, eventually):
    server = start(limits={"stall_seconds": 1.0})
    client = connect(server, "/flood", receive_buffer=SMALL)
    assert not client.gone
    assert eventually(lambda: client.gone, seconds=5)
    assert eventually(lambda: server.counts["ended"] == 4 or server.counts["live"] == 1, seconds=5)


@pytest.mark.parametrize("stock", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_client_that_sends_but_never_reads_is_found_out_too(start, connect, eventually, stock):
    server = start(stock=stock, limits={"stall_seconds": 1.0})
    client = connect(server, "/flood", receive_buffer=SMALL)
    end = time.monotonic() + 3.5
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < end and not client.gone:
            client.frame(b"I am here")
            time.sleep(0.1)
    assert client.gone is not stock


def test_a_client_that_only_sends_is_still_pinged_and_dropped_when_it_does_not_answer(start, connect):
    server = start(limits={"ping_seconds": 0.4, "pong_seconds": 0.8})
    client = connect(server, "/busy?seconds=0")
    end = time.monotonic() + 4
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < end and not client.gone:
            client.frame(b"talking over you")
            time.sleep(0.05)
    assert client.gone
    opcode, _ = client.read_frame()
    assert opcode == 9


def test_a_client_that_answers_pings_stays(start, connect):
    server = start(limits={"ping_seconds": 0.3, "pong_seconds": 0.6})
    client = connect(server, "/echo")
    for _ in range(5):
        opcode, payload = client.read_frame()
        assert opcode == 9
        client.frame(payload, opcode=10)
    assert client.frame(b"still here").read_frame() == (1, b"still here")


def test_a_slow_reader_gets_everything_in_order(start, connect):
    server = start(limits={"stall_seconds": 1.0})
    client = connect(server, "/numbers?n=3000", receive_buffer=SMALL)
    for number in range(3000):
        assert client.read_frame()[1].startswith(f"{number}:".encode())
        if number % 500 == 0:
            time.sleep(0.3)


def test_a_cancelled_send_leaves_the_other_senders_waiting(start, connect):
    server = start()
    client = connect(server, "/pair", receive_buffer=SMALL)
    still(server)
    client.frame(b"cancel one")
    assert server.heard("survivor_cancelled") is False


def test_pings_that_are_never_read_are_not_answered_without_end(start, connect, eventually):
    server = start(limits={"stall_seconds": 1.0})
    before = server.mebibytes
    client = connect(server, "/echo", receive_buffer=SMALL)
    ping = b"\x89\xfd\0\0\0\0" + b"p" * 125
    client.socket.settimeout(1)
    with contextlib.suppress(OSError):
        for _ in range(300):
            client.send(ping * 1000)
    assert eventually(lambda: client.gone, seconds=5)
    assert server.mebibytes - before < 8


def test_a_pushing_client_is_slowed_down_to_the_pace_of_the_application(start, connect):
    grown = {}
    for stock in (True, False):
        server = start(stock=stock)
        before = server.mebibytes
        client = connect(server, "/busy?seconds=3")
        client.socket.settimeout(1)
        pushed = 0
        with contextlib.suppress(TimeoutError):
            while pushed < 60:
                client.frame(b"x" * 60_000)
                pushed += 60_000 / 2**20
        grown[stock] = server.mebibytes - before
    assert grown[True] > 40
    assert grown[False] < 6


def test_tiny_frames_count_as_well(start, connect):
    server = start()
    before = server.mebibytes
    clients = [connect(server, "/busy?seconds=5") for _ in range(30)]
    for client in clients:
        client.socket.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            for _ in range(10):
                client.send(b"\x81\x81\0\0\0\0x" * 10_000)
    assert server.counts["live"] == 31  # the server has come through all of it
    time.sleep(0.5)
    assert server.mebibytes - before < 5


@pytest.mark.parametrize("size", [1, 100, 30_000])
def test_every_pushed_frame_arrives_once_the_application_has_time(start, connect, size):
    server = start()
    client = connect(server, "/busy?seconds=0.5")
    for _ in range(999):
        client.frame(b"x" * size)
    client.frame(b"last")
    assert client.read_frame() == (1, b"1000")


def test_frames_sent_before_the_end_of_the_connection_still_arrive(start, connect, eventually):
    server = start()
    client = connect(server, "/busy?seconds=0.5")
    for _ in range(500):
        client.frame(b"x")
    client.frame(b"\x03\xe8", opcode=8)
    client.close()
    assert eventually(lambda: server.counts["received"] == 500)
    assert server.heard("disconnected") == 1000
