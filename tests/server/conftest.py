"""Servers as processes of their own, and clients that misbehave."""

import base64
import contextlib
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).parents[2]


class Process:
    """One server process, what it said and what it weighs."""

    def __init__(self, **choices):
        self.popen = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).with_name("app.py")), json.dumps(choices)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error::ResourceWarning"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.said = []
        self.log = b""
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._read_log)]
        for reader in self._readers:
            reader.start()

    def _read(self):
        for line in self.popen.stdout:
            self.said.append(json.loads(line))

    def _read_log(self):
        for line in self.popen.stderr:
            self.log += line

    def heard(self, key, *, seconds=10.0):
        """The value of the first thing said under this key."""
        wait_for(lambda: self.all(key) or self.popen.poll() is not None, seconds=seconds)
        found = self.all(key)
        assert found, self.log.decode()
        return found[0]

    def all(self, key):
        return [event[key] for event in list(self.said) if key in event]

    @property
    def url(self):
        return self.heard("url")

    @property
    def address(self):
        host, port = self.url.removeprefix("http://").rsplit(":", 1)
        return host, int(port)

    @property
    def websocket(self):
        return self.url.replace("http:", "ws:")

    @property
    def counts(self):
        with urllib.request.urlopen(f"{self.url}/stats", timeout=10) as response:
            return json.loads(response.read())

    @property
    def mebibytes(self):
        status = pathlib.Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def signal(self, number=signal.SIGTERM):
        self.popen.send_signal(number)

    def wait(self, *, seconds=15.0):
        status = self.popen.wait(seconds)
        for reader in self._readers:
            reader.join()
        return status

    def close(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.wait()
        self.popen.stdout.close()
        self.popen.stderr.close()


class Client:
    """A client on a bare TCP socket that reads only when it is told to."""

    def __init__(self, address, *, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.socket.connect(address)

    def send(self, data):
        self.socket.sendall(data)
        return self

    def request(self, method, path, *, body=b"", headers=None):
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        return self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def handshake(self, path):
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
        versions = {"Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"}
        return self.request("GET", path, headers=upgrade | versions)

    def head(self):
        """The head of the answer, byte by byte, so that what follows stays in the kernel."""
        data = b""
        while not data.endswith(b"\r\n\r\n") and (byte := self.socket.recv(1)):
            data += byte
        return data.decode("latin1")

    def rest(self):
        data = b""
        with contextlib.suppress(ConnectionError):
            while chunk := self.socket.recv(65536):
                data += chunk
        return data

    def frame(self, payload, *, opcode=1):
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
        return self.send(head + bytes(4) + payload)

    def read_frame(self):
        """Opcode and payload of the next frame from the server."""
        first, size = self._exactly(2)
        if size == 126:
            (size,) = struct.unpack("!H", self._exactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._exactly(8))
        return first & 15, self._exactly(size)

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            chunk = self.socket.recv(size - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return data

    def closed_with(self):
        """The code of the close frame that ends this socket, 1006 where there is none."""
        try:
            while True:
                opcode, payload = self.read_frame()
                if opcode == 8:
                    self.frame(payload, opcode=8)
                    return struct.unpack("!H", payload[:2])[0]
        except (EOFError, ConnectionError):
            return 1006

    @property
    def gone(self):
        """Whether the server has cut the connection; nothing is read to find out."""
        # TCP_INFO's first byte is the state: 1 is established.
        return self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1

    def close(self):
        self.socket.close()


def wait_for(condition, *, seconds=10.0):
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return bool(met)


@contextlib.contextmanager
def starter():
    with contextlib.ExitStack() as stack:

        def begin(*, stock=False, limits=None, **choices):
            process = Process(stock=stock, limits=limits or {}, **choices)
            stack.callback(process.close)
            process.heard("url")
            return process

        yield begin


@pytest.fixture
def start():
    """Starts servers; `start(stock=True)` starts plain daphne."""
    with starter() as begin:
        yield begin


@pytest.fixture(scope="module")
def start_for_module():
    """Starts servers that the tests of a module share."""
    with starter() as begin:
        yield begin


@pytest.fixture
def connect():
    """Connects bare clients: `connect(server, "/path")` has done the handshake."""
    with contextlib.ExitStack() as stack:

        def begin(server, path=None, **options):
            client = Client(server.address, **options)
            stack.callback(client.close)
            if path is not None:
                assert " 101 " in client.handshake(path).head()
            return client

        yield begin


@pytest.fixture
def eventually():
    return wait_for
