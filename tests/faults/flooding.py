"""A process of its own that floods a site, and says with which codes it was thrown out.

python -m tests.faults.flooding KIND HOST:PORT SESSION_KEY SECONDS
"""

import asyncio
import contextlib
import itertools
import json
import sys

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

BAD = (json.dumps({"type": "ping"}), "{" * 2000, b"\x00" * 1000, "[]", '{"type": "turn.start"}')
LARGE = ("x" * 1024 * 1024,)


def _open(address: str, session_key: str) -> connect:
    headers = {"Cookie": f"sessionid={session_key}"} if session_key else {}
    return connect(
        f"ws://{address}/ws/chat/",
        additional_headers=headers,
        origin=f"http://{address}",  # type: ignore[arg-type]
        compression=None,
    )


async def _send_all(socket: ClientConnection, kinds: tuple[str | bytes, ...]) -> None:
    """A thousand frames a second."""
    endless = itertools.cycle(kinds)
    with contextlib.suppress(ConnectionClosed):
        while True:
            for _each in range(50):
                await socket.send(next(endless))
            await asyncio.sleep(0.05)


async def frames(address: str, session_key: str, *, kinds: tuple[str | bytes, ...], codes: set[int]) -> None:
    """Send without an end, and come back whenever thrown out."""
    while True:
        with contextlib.suppress(OSError, InvalidHandshake):
            async with _open(address, session_key) as socket:
                sending = asyncio.create_task(_send_all(socket, kinds))
                with contextlib.suppress(ConnectionClosed):
                    async for _frame in socket:
                        pass
                await socket.wait_closed()
                codes.add(socket.close_code or 1006)
                await sending


async def handshakes(address: str, *, codes: set[int]) -> None:
    """Knock 10,000 times a minute, without a log-in."""

    async def knock() -> None:
        with contextlib.suppress(OSError, InvalidHandshake):
            async with _open(address, "") as socket:
                await socket.wait_closed()
                codes.add(socket.close_code or 1006)

    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(knock())
            await asyncio.sleep(60 / 10_000)


async def main(kind: str, address: str, session_key: str, seconds: float) -> None:
    codes: set[int] = set()
    floods = {
        "bad_frames": lambda: frames(address, session_key, kinds=BAD, codes=codes),
        "large_frames": lambda: frames(address, session_key, kinds=LARGE, codes=codes),
        "handshakes": lambda: handshakes(address, codes=codes),
    }
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            sys.stdout.write("flooding\n")
            sys.stdout.flush()
            await floods[kind]()
    sys.stdout.write(json.dumps(sorted(codes)))


asyncio.run(main(*sys.argv[1:4], float(sys.argv[4])))
