"""A Coze that is down is left alone, and one probe finds out that it is back."""

import asyncio
import socket

import pytest

from cozechat.coze.breaker import LONGEST_REST, REST, THRESHOLD, Breaker
from cozechat.coze.calls import DEFAULT_LIMITS, Request
from cozechat.coze.errors import CircuitOpen, CozeError, Unreachable
from cozechat.coze.transport import Transport


def admitted(breaker: Breaker, now: float) -> bool:
    try:
        breaker.admit(now)
    except CircuitOpen:
        return False
    return True


def broken(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(THRESHOLD):
        breaker.failed(now)
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_does_not():
    breaker = Breaker()
    for _ in range(THRESHOLD - 1):
        breaker.failed(0.0)
    breaker.succeeded()
    for _ in range(THRESHOLD - 1):
        breaker.failed(0.0)
    assert admitted(breaker, 0.0)
    breaker.failed(0.0)
    assert not admitted(breaker, REST - 0.1)


def test_it_says_when_to_come_back():
    with pytest.raises(CircuitOpen) as refused:
        broken().admit(0.5)
    assert refused.value.retry_after == REST - 0.5
    assert refused.value.kind == "unreachable"


def test_after_its_rest_exactly_one_probe_goes_through():
    breaker = broken()
    assert [admitted(breaker, REST) for _ in range(5)] == [True, False, False, False, False]


def test_a_probe_that_succeeds_closes_it_for_all():
    breaker = broken()
    breaker.admit(REST)
    breaker.succeeded()
    assert all(admitted(breaker, REST) for _ in range(5))


def test_failed_probes_lengthen_the_rest_but_recovery_stays_within_30_seconds():
    breaker, now, rests = broken(), 0.0, []
    for _ in range(8):
        began = now
        while not admitted(breaker, now):
            now += 0.25
        rests.append(now - began)
        breaker.failed(now)
    assert rests == sorted(rests)
    assert rests[-1] == LONGEST_REST <= 30


def test_a_probe_without_an_outcome_leaves_the_next_one_free():
    breaker = broken()
    breaker.admit(REST)
    breaker.undecided()
    assert admitted(breaker, REST)


def test_a_probe_that_is_never_answered_is_followed_by_another():
    breaker = broken()
    breaker.admit(REST)
    assert not admitted(breaker, REST + LONGEST_REST - 0.1)
    assert admitted(breaker, REST + LONGEST_REST)


def ask() -> Request:
    return Request(method="GET", path="/", bearer="x")


async def outcome(transport: Transport) -> str:
    try:
        await transport.call(ask())
    except CozeError as error:
        return type(error).__name__
    return "ok"


async def test_nothing_is_sent_while_it_is_open_and_one_connection_finds_out(monkeypatch):
    monkeypatch.setattr("cozechat.coze.breaker.REST", 0.3)
    monkeypatch.setattr("cozechat.coze.transport.SECOND_ATTEMPT_AFTER", 0)
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.2)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    transport = Transport(f"http://127.0.0.1:{port}", limits=DEFAULT_LIMITS, clock=lambda: 0.0)
    try:
        assert {await outcome(transport) for _ in range(THRESHOLD)} <= {"Unreachable", "CircuitOpen"}
        server = await asyncio.start_server(answer, "127.0.0.1", port)
        async with server:
            assert await outcome(transport) == "CircuitOpen"
            assert connections == 0
            await asyncio.sleep(0.4)
            results = await asyncio.gather(*(outcome(transport) for _ in range(8)))
            assert (sorted(results), connections) == (["CircuitOpen"] * 7 + ["ok"], 1)
            assert await outcome(transport) == "ok"
    finally:
        await transport.aclose()
    assert issubclass(CircuitOpen, Unreachable)
