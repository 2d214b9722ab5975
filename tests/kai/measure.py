"""`python -m tests.kai.measure`: what one call of a tool costs at the demo server, and what a client of its own would."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from cozechat.kai import Kai, process

TIMES = 30


async def quickest(act: Callable[[], Awaitable[object]]) -> float:
    """The quickest of thirty, in milliseconds."""
    took = []
    for _time in range(TIMES):
        began = time.perf_counter()
        await act()
        took.append(time.perf_counter() - began)
    return min(took) * 1000


def say(what: str, milliseconds: float) -> None:
    print(f"{what:<44} {milliseconds:>6.0f} ms")  # noqa: T201 - a program


async def measure(url: str, key: str) -> None:
    kai = Kai(url, key=key)
    await kai.list_tools(within=60)

    async def shared() -> None:
        await kai.invoke_tool("brew_ratio", {"coffee_grams": 18}, timeout=20)

    async def fresh() -> None:
        own = Kai(url, key=key)
        await own.invoke_tool("brew_ratio", {"coffee_grams": 18}, timeout=20)
        await own.aclose()

    say("a session over connections that are shared", await quickest(shared))
    say("a client with connections of its own", await quickest(fresh))
    began = time.perf_counter()
    await asyncio.gather(*(shared() for _ in range(50)))
    say("50 calls at once", (time.perf_counter() - began) * 1000)
    await kai.aclose()


if __name__ == "__main__":
    running = process.start()
    try:
        asyncio.run(measure(running.url, running.key))
    finally:
        running.stop()
