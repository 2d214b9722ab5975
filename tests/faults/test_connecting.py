"""U1, U2, U2b: Coze cannot be reached. A person hears of it within six seconds, and nothing is ever asked twice."""

import asyncio
import datetime
import ipaddress
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from conversations.turns import retrying
from cozechat import database
from cozechat.coze import transport
from cozechat.coze.calls import DEFAULT_LIMITS, Request
from cozechat.coze.transport import Transport
from tests.coze.wire import COMPLETED, CREATED, DONE, chunked, delta
from tests.faults.steps import Stopwatch, chats_of, raw_coze, turn_row

ANSWER = chunked(CREATED, delta("Here I am."), COMPLETED, DONE)


@contextmanager
def refusing_port() -> Iterator[str]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@contextmanager
def black_hole() -> Iterator[str]:
    """A port whose queue of connections is full: the kernel drops whoever knocks."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = []
        for _each in range(3):
            knocking = socket.socket()
            knocking.setblocking(False)
            knocking.connect_ex(address)
            waiting.append(knocking)
        try:
            yield f"http://127.0.0.1:{address[1]}"
        finally:
            for knocking in waiting:
                knocking.close()


@contextmanager
def nobody_by_that_name() -> Iterator[str]:
    yield "http://coze.invalid"


@pytest.mark.parametrize(
    "nowhere",
    [refusing_port, nobody_by_that_name, pytest.param(black_hole, marks=pytest.mark.slow)],
)
async def test_where_no_connection_comes_about_it_is_said_within_six_seconds(
    coze, alice, tab, settings, nowhere
):
    with nowhere() as address:
        settings.COZE_API_BASE = address
        async with tab(alice) as page:
            watch = Stopwatch()
            asked = await page.say("hello")
    assert watch.seconds < 6
    told = asked.last["error"]
    assert (asked.last["type"], told["code"], told["retryable"]) == ("turn.failed", "unreachable", True)
    assert (await database.run(turn_row, asked.turn)).status == "failed"


async def test_a_chat_that_could_not_be_sent_is_tried_once_more(coze, alice, tab, settings, monkeypatch):
    monkeypatch.setattr(retrying, "RECONNECT_PAUSE", 0.6)
    async with raw_coze(settings, ANSWER) as raw, tab(alice) as page:
        first = await page.say("hello")
        await raw.hide()
        asked = await page.ask("again", conversation=first.conversation)
        await asyncio.sleep(0.2)
        await raw.listen()
        end = await asked.end()
        assert (end["type"], asked.text, chats_of(raw)) == ("turn.completed", "Here I am.", 2)


async def test_a_chat_that_was_stopped_before_its_second_attempt_is_never_sent(
    coze, alice, tab, settings, monkeypatch
):
    monkeypatch.setattr(retrying, "RECONNECT_PAUSE", 0.6)
    async with raw_coze(settings, ANSWER) as raw, tab(alice) as page:
        first = await page.say("hello")
        await raw.hide()
        asked = await page.ask("again", conversation=first.conversation)
        await asyncio.sleep(0.2)
        await page.send("turn.stop", turn=asked.turn)
        assert (await asked.end(timeout=1))["type"] == "turn.canceled"
        await raw.listen()
        await asyncio.sleep(0.8)
        assert chats_of(raw) == 1


# --- Certificates -------------------------------------------------------------------------------------


def certificate(directory, *, days: int) -> str:
    """The path of a self-made certificate for 127.0.0.1, with its key, that ends in so many days."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - datetime.timedelta(days=90))
        .not_valid_after(ends)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{days}.pem"
    encoding = serialization.Encoding.PEM
    layout, sealed = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(encoding, layout, sealed) + made.public_bytes(encoding))
    return str(path)


async def answer_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    await writer.drain()
    writer.close()


async def served_over_tls(path: str) -> asyncio.Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    # A client that refuses the certificate is no concern of the server's log.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    return await asyncio.start_server(answer_one, "127.0.0.1", 0, ssl=context)


@pytest.mark.parametrize(("days", "trusted"), [(30, False), (-1, True)], ids=["self-made", "expired"])
async def test_a_certificate_that_proves_nothing_is_refused_and_nothing_is_sent(
    coze, alice, tab, settings, monkeypatch, tmp_path, days, trusted
):
    path = certificate(tmp_path, days=days)
    if trusted:
        monkeypatch.setattr(
            transport, "_ssl_context", lambda *, secure: ssl.create_default_context(cafile=path)
        )
    server = await served_over_tls(path)
    async with server, tab(alice) as page:
        settings.COZE_API_BASE = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        watch = Stopwatch()
        asked = await page.say("hello")
    turn = await database.run(turn_row, asked.turn)
    assert watch.seconds < 6
    assert (asked.last["type"], asked.last["error"]["code"]) == ("turn.failed", "unreachable")
    assert turn.coze_error.startswith("Untrusted")
    assert "certificate" in turn.coze_error


async def test_a_certificate_that_is_good_is_accepted(monkeypatch, tmp_path):
    path = certificate(tmp_path, days=30)
    monkeypatch.setattr(transport, "_ssl_context", lambda *, secure: ssl.create_default_context(cafile=path))
    server = await served_over_tls(path)
    async with server:
        address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        speaking = Transport(address, limits=DEFAULT_LIMITS, clock=lambda: 0.0)
        try:
            reply = await speaking.call(Request(method="GET", path="/", bearer="x"))
        finally:
            await speaking.aclose()
    assert reply.body == b"{}"
