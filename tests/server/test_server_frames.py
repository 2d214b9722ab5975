"""Frames, bodies, close codes and numbers: what is refused is refused aloud, what is allowed arrives."""

import asyncio
import contextlib
import time

import pytest
import websockets
from websockets.asyncio.client import connect as open_websocket

KIB = 1024


@pytest.fixture(scope="module")
def server(start_for_module):
    return start_for_module()


def ask(server, path, *texts):
    """What the server answers to these texts, the last thing being how the socket ended."""

    async def main():
        answers = []
        async with open_websocket(server.websocket + path, max_size=None) as websocket:
            try:
                for text in texts:
                    await websocket.send(text)
                    answers.append(await asyncio.wait_for(websocket.recv(), 5))
            except websockets.ConnectionClosed as closed:
                answers.append(closed.rcvd.code if closed.rcvd else 1006)
        return answers

    return asyncio.run(main())


def test_frames_of_up_to_64_kib_leave_whatever_comes_in(start):
    server = start(limits={"max_frame_in": 16 * KIB})
    for size in (0, 1, 125, 126, 65_535, 65_536):
        assert ask(server, "/sized", str(size)) == ["x" * size]


def test_a_frame_above_64_kib_is_an_error_for_the_application_and_the_socket_stays(start):
    assert ask(start(), "/sized", "65537", "3") == ["FrameTooLargeError", "xxx"]


def test_stock_daphne_cannot_limit_what_comes_in_without_what_goes_out(start):
    server = start(stock=True, websocket_max_message_size=16 * KIB)
    assert ask(server, "/sized", str(16 * KIB + 1)) != ["x" * (16 * KIB + 1)]


def test_incoming_frames_pass_up_to_256_kib_and_close_with_1009_above(start):
    server = start(limits={"max_frame_out": 256 * KIB})
    whole = "x" * (256 * KIB)
    assert ask(server, "/echo", whole) == [whole]
    assert ask(server, "/echo", whole + "x") == [1009]


def test_a_fragmented_message_counts_as_a_whole(start, connect):
    client = connect(start(), "/echo")
    part = b"x" * 100_000
    for opening in (b"\x01\xff", b"\x00\xff", b"\x00\xff"):
        client.send(opening + len(part).to_bytes(8, "big") + bytes(4) + part)
    assert client.closed_with() == 1009


def test_text_that_is_not_utf_8_closes_with_1007(start, connect):
    assert connect(start(), "/echo").frame(b"\xff\xfe").closed_with() == 1007


def test_a_client_that_talks_before_it_is_accepted_is_heard_afterwards(start, connect):
    client = connect(start())
    client.handshake("/late")
    time.sleep(0.1)
    client.frame(b"too early")
    assert " 101 " in client.head()
    assert client.read_frame() == (1, b"too early")


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        (1000, 1000),
        (3000, 3000),
        (4001, 4001),
        (4999, 4999),
        (1001, 4012),
        (1008, 4003),
        (1011, 4500),
        (1012, 4012),
        (1013, 4013),
        (1005, 4500),
        (5000, 4500),
        (7, 4500),
    ],
)
def test_every_close_code_reaches_the_client_or_a_lawful_one_in_its_place(server, asked, seen):
    assert ask(server, f"/closing?code={asked}", "close!") == [seen]


def test_stock_daphne_turns_a_reserved_close_code_into_1011(start):
    assert ask(start(stock=True), "/closing?code=1013", "close!") == [1011]


def test_the_reason_of_a_close_reaches_the_client(server, connect):
    client = connect(server, "/closing?code=4029").frame(b"close!")
    assert client.read_frame() == (8, (4029).to_bytes(2, "big") + b"because")


def test_a_client_may_take_a_second_to_answer_a_close(start, connect):
    server = start()
    client = connect(server, "/closing?code=4029").frame(b"close!")
    time.sleep(1.2)
    assert client.closed_with() == 4029
    assert server.heard("disconnected") == 4029


def test_an_error_in_the_application_closes_with_4500(server):
    assert ask(server, "/broken", "go") == [4500]


def test_an_application_that_ends_closes_its_socket(server):
    assert ask(server, "/returning", "go") == [1000]


def test_a_refused_handshake_is_403_and_a_broken_one_500(server, connect):
    assert " 403 " in connect(server).handshake("/refusing").head()
    assert " 500 " in connect(server).handshake("/silent").head()


def test_an_application_that_neither_accepts_nor_refuses_is_answered_for(start, connect):
    server = start(limits={"connect_seconds": 0.5})
    assert " 503 " in connect(server).handshake("/slow?seconds=30").head()


def test_sockets_beyond_the_limit_get_503_until_one_leaves(start, connect, eventually):
    server = start(limits={"max_sockets": 2})
    first, second = connect(server, "/echo"), connect(server, "/echo")
    assert " 503 " in connect(server).handshake("/echo").head()
    assert second.frame(b"alive").read_frame() == (1, b"alive")
    first.close()
    assert eventually(lambda: " 101 " in connect(server).handshake("/echo").head())


def test_few_descriptors_mean_few_sockets_and_those_there_are_live_on(start, connect):
    server = start(files=64)
    clients = [connect(server) for _ in range(40)]
    heads = [client.handshake("/echo").head() for client in clients]
    assert [" 101 " in head for head in heads] == [True] * 32 + [False] * 8
    assert all(" 503 " in head for head in heads[32:])
    for client in clients[:32]:
        assert client.frame(b"alive").read_frame() == (1, b"alive")


def test_connections_beyond_all_limits_are_dropped(start, connect, eventually):
    server = start(limits={"max_sockets": 2})
    clients = [connect(server) for _ in range(18)]
    assert " 200 " in clients[0].request("GET", "/hello").head()
    assert connect(server).rest() == b""
    clients[1].close()
    close = {"Connection": "close"}
    assert eventually(lambda: connect(server).request("GET", "/hello", headers=close).rest())


# HTTP


def test_a_head_that_drips_in_is_not_waited_for(start, connect, eventually):
    client = connect(start(limits={"head_seconds": 0.5}))
    begun = time.monotonic()
    with contextlib.suppress(ConnectionError):
        client.send(b"GET / HTTP/1.1\r\nX: ")
        while not client.gone and time.monotonic() < begun + 5:
            client.send(b"x")
            time.sleep(0.05)
    assert time.monotonic() - begun < 2


def test_a_body_may_take_longer_than_a_head(start, connect):
    client = connect(start(limits={"head_seconds": 0.5}))
    client.request("POST", "/length", headers={"Content-Length": 10})
    for _ in range(10):
        time.sleep(0.1)
        client.send(b"x")
    assert " 200 " in client.head()


def test_a_body_above_the_limit_is_refused_before_it_is_sent(start, connect):
    server = start(limits={"max_body": 1000})
    head = connect(server).request("POST", "/length", headers={"Content-Length": 1001}).head()
    assert " 413 " in head
    assert server.counts["ended"] == 0


def test_a_client_that_sends_all_of_its_large_body_can_still_read_the_413(start, connect):
    server = start()
    before = server.mebibytes
    size = 60 * 1024 * KIB
    client = connect(server).request("POST", "/length", headers={"Content-Length": size})
    for _ in range(60):
        client.send(bytes(1024 * KIB))
    assert " 413 " in client.head()
    assert client.rest() == b""
    assert server.mebibytes - before < 4


def test_a_chunked_body_cannot_get_round_the_limit(start, connect):
    server = start(limits={"max_body": 1000})
    client = connect(server).request("POST", "/length", headers={"Transfer-Encoding": "chunked"})
    for _ in range(11):
        client.send(b"64\r\n" + b"x" * 100 + b"\r\n")
    client.send(b"0\r\n\r\n")
    assert " 413 " in client.head()
    assert client.rest() == b""


def test_a_body_within_the_limit_arrives_whole(server, connect):
    body = b"x" * 300_001
    client = connect(server).request(
        "POST", "/length", body=body, headers={"Content-Length": len(body), "Connection": "close"}
    )
    client.head()
    assert b"300001" in client.rest()


def test_forms_are_left_to_the_application(server, connect):
    headers = {"Content-Type": "multipart/form-data", "Content-Length": 7}
    assert " 200 " in connect(server).request("POST", "/length", body=b"garbled", headers=headers).head()


def test_an_upload_that_waits_for_permission_is_not_invited_when_too_large(start, connect):
    server = start(limits={"max_body": 1000})
    headers = {"Content-Length": 2000, "Expect": "100-continue"}
    client = connect(server).request("POST", "/length", headers=headers)
    assert " 413 " in client.head()
    client.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.socket.recv(1)
    headers["Content-Length"] = 4
    client = connect(server).request("POST", "/length", headers=headers)
    assert " 100 " in client.head()
    assert " 200 " in client.send(b"body").head()


def test_an_application_that_ends_without_an_answer_is_a_500(server, connect):
    assert " 500 " in connect(server).request("GET", "/silent").head()


def test_an_answer_that_breaks_off_does_not_look_complete(server, connect):
    client = connect(server).request("GET", "/failing")
    client.head()
    assert not client.rest().endswith(b"0\r\n\r\n")


def test_one_connection_serves_many_requests(server, connect):
    client = connect(server)
    for _ in range(3):
        assert " 200 " in client.request("GET", "/hello").head()
        assert client._exactly(len(b"5\r\nhello\r\n0\r\n\r\n")).startswith(b"5\r\nhello")


def test_nothing_tells_the_version_of_anything(server, connect):
    for client in (
        connect(server).request("GET", "/hello"),
        connect(server).request("GET", "/silent"),
        connect(server).handshake("/echo"),
    ):
        head = client.head().lower()
        assert "server: cozechat\r\n" in head
        assert "daphne" not in head
        assert "autobahn" not in head


def test_a_client_cannot_choose_the_root_path(server, connect):
    client = connect(server).request(
        "GET", "/root", headers={"Daphne-Root-Path": "/evil", "Connection": "close"}
    )
    assert b"evil" not in client.rest()


def test_no_query_string_enters_the_log(start, connect):
    server = start()
    connect(server).request("GET", "/hello?password=hunter2").head()
    client = connect(server)
    client.handshake("/closing?code=4029").head()
    client.frame(b"close!").closed_with()
    assert server.counts
    server.signal()
    server.wait()
    assert b"/hello" in server.log
    assert b"GET" in server.log
    assert b"hunter2" not in server.log
    assert b"4029" not in server.log
