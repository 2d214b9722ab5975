"""A small ASGI application under the server, or under stock daphne; the tests start it as a process."""

import asyncio
import json
import signal
import sys
from urllib.parse import parse_qs

FLOOD_BYTES = 48 * 1024 * 1024
counts = {"sent": 0, "received": 0, "ended": 0, "live": 0}
background = set()


def say(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


async def application(scope, receive, send):
    options = {key: values[0] for key, values in parse_qs(scope["query_string"].decode()).items()}
    options |= {"root_path": scope["root_path"]} if scope["path"] == "/root" else {}
    act = globals()[scope["path"].strip("/") or "hello"]
    counts["live"] += 1
    try:
        await act(receive=receive, send=send, **options)
    finally:
        counts["live"] -= 1
        counts["ended"] += 1


async def accept(receive, send):
    await receive()
    await send({"type": "websocket.accept"})


async def texts(receive):
    while (message := await receive())["type"] == "websocket.receive":
        yield message.get("text") or ""
    say(disconnected=message.get("code"))


# WebSockets


async def echo(*, receive, send):
    await accept(receive, send)
    async for text in texts(receive):
        counts["received"] += 1
        await send({"type": "websocket.send", "text": text})


async def trickle(*, receive, send, n):
    """Sends n frames of 100 bytes once it is told to, giving way after each."""
    await accept(receive, send)
    await receive()
    for _ in range(int(n)):
        await send({"type": "websocket.send", "text": "x" * 100})
        await asyncio.sleep(0)
    await receive()


async def late(*, receive, send):
    """Takes its time to accept."""
    await asyncio.sleep(0.3)
    await echo(receive=receive, send=send)


async def flood(*, receive, send, size="10000"):
    """Sends as fast as it may, 48 MiB at most."""
    await accept(receive, send)
    frame = "x" * int(size)
    for _ in range(FLOOD_BYTES // int(size)):
        await send({"type": "websocket.send", "text": frame})
        counts["sent"] += int(size)
        await asyncio.sleep(0)
    await receive()


async def numbers(*, receive, send, n):
    await accept(receive, send)
    for number in range(int(n)):
        await send({"type": "websocket.send", "text": f"{number}:".ljust(1000, ".")})
    await receive()


async def pair(*, receive, send):
    """Two tasks send at once; the one that is held up and cancelled must not take the other along."""
    await accept(receive, send)

    async def run(size):
        while True:
            await send({"type": "websocket.send", "text": "x" * size})
            counts["sent"] += 1
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(run(60000)) for _ in range(2)]
    await receive()
    tasks[0].cancel()
    await asyncio.wait({tasks[0]})
    say(survivor_cancelled=tasks[1].done())
    tasks[1].cancel()
    await asyncio.wait({tasks[1]})


async def busy(*, receive, send, seconds):
    """Is busy with its first frame while others come in."""
    await accept(receive, send)
    async for text in texts(receive):
        if not counts["received"]:
            await asyncio.sleep(float(seconds))
        counts["received"] += 1
        if text == "last":
            await send({"type": "websocket.send", "text": str(counts["received"])})


async def sized(*, receive, send):
    """Answers "n" with a frame of n bytes, or with the name of the error."""
    await accept(receive, send)
    async for text in texts(receive):
        try:
            await send({"type": "websocket.send", "text": "x" * int(text)})
        except Exception as error:
            await send({"type": "websocket.send", "text": type(error).__name__})


async def closing(*, receive, send, code):
    await accept(receive, send)
    await receive()
    await send({"type": "websocket.close", "code": int(code), "reason": "because"})
    say(disconnected=(await receive())["code"])


async def refusing(*, receive, send):
    await receive()
    await send({"type": "websocket.close", "code": 4003})


async def broken(*, receive, send):
    await accept(receive, send)
    await receive()
    raise RuntimeError("meant")


async def returning(*, receive, send):
    await accept(receive, send)
    await receive()


async def finishing(*, receive, send, name):
    """Has something to finish, itself and in a task of its own."""

    async def own_task():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.2)
            say(background=name)

    task = asyncio.create_task(own_task())
    background.add(task)
    await accept(receive, send)
    await send({"type": "websocket.send", "text": "ready"})
    async for _ in texts(receive):
        pass
    await asyncio.sleep(0.2)
    say(finished=name)


async def stubborn(*, receive, send):
    """Does not care that its client has gone."""
    await accept(receive, send)
    await send({"type": "websocket.send", "text": "ready"})
    try:
        await asyncio.sleep(3600)
    finally:
        say(cancelled=True)


# HTTP


async def answer(send, body, *, status=200):
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]}
    )
    await send({"type": "http.response.body", "body": body.encode()})


async def hello(*, receive, send):
    await answer(send, "hello")


async def root(*, receive, send, root_path):
    await answer(send, f"root is {root_path!r}")


async def stats(*, receive, send):
    await answer(send, json.dumps(counts))


async def slow(*, receive, send, seconds):
    await asyncio.sleep(float(seconds))
    await answer(send, "at last")


async def silent(*, receive, send):
    """Ends without an answer."""


async def failing(*, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise RuntimeError("meant")


async def length(*, receive, send):
    """Answers with the length of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message["body"])
        more = message["more_body"]
    await answer(send, str(size))


async def stream(*, receive, send):
    """Sends as fast as it may, 48 MiB at most."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(FLOOD_BYTES // 10000):
        await send({"type": "http.response.body", "body": b"x" * 10000, "more_body": True})
        counts["sent"] += 10000
        await asyncio.sleep(0)
    await send({"type": "http.response.body"})


def run_stock(*, limits, **options):
    import daphne.server

    def ready():
        say(url="http://{}:{}".format(*server.listening_addresses[0]))

    server = daphne.server.Server(
        application, endpoints=["tcp:0:interface=127.0.0.1"], ready_callable=ready, **options
    )
    server.run()


def run_ours(*, limits, log="DEBUG", drain_seconds=None, files=None, unready=False):
    import logging
    import resource

    from cozechat.server import ServerLimits, serve

    logging.basicConfig(level=log)

    if files is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    def ready(url):
        if unready:
            raise RuntimeError("not ready")
        say(url=url)

    async def drain():
        say(draining=True, live=counts["live"])
        await asyncio.sleep(drain_seconds)
        say(drained=True, live=counts["live"])

    serve(
        application,
        host="127.0.0.1",
        port=0,
        drain=None if drain_seconds is None else drain,
        on_ready=ready,
        limits=ServerLimits(**limits),
    )
    say(returned=True, handler=str(signal.getsignal(signal.SIGTERM)))


if __name__ == "__main__":
    choices = json.loads(sys.argv[1])
    (run_stock if choices.pop("stock", False) else run_ours)(**choices)
