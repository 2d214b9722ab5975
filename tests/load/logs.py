"""What logging costs: `python -m tests.load.logs` prints microseconds of processor time."""

import asyncio
import io
import logging
import time
from collections.abc import Callable
from typing import Any

from cozechat import logs
from cozechat.access import Access

LINES, REQUESTS = 20_000, 10_000


def cost(work: Callable[[], Any], *, times: int) -> float:
    """Microseconds of this process's time for one."""
    for _each in range(times // 10):
        work()
    began = time.process_time()
    for _each in range(times):
        work()
    return (time.process_time() - began) / times * 1e6


def logger_of(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("measured")  # noqa: LOG001 - of this program alone
    logger.addHandler(handler)
    return logger


def line(form: str) -> float:
    handler = logs.Lines(io.StringIO())
    handler.setFormatter(
        logs.LineFormatter(form=form) if form else logging.Formatter("%(asctime)s %(message)s")
    )
    logger = logger_of(handler)
    fields = {"method": "GET", "path": "/", "status": 200, "ms": 12.3}
    with logs.only(request_id=logs.new_request_id(), user_id=3):
        return cost(lambda: logger.info("GET %s %d in %s ms", "/", 200, 12.3, extra=fields), times=LINES)


async def _nothing(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _drop(_message: Any) -> None:
    pass


async def requests(application: Any, *, path: str = "/") -> float:
    async def one() -> None:
        await application({"type": "http", "method": "GET", "path": path, "headers": []}, None, _drop)

    began = time.process_time()
    for _each in range(REQUESTS):
        await one()
    return (time.process_time() - began) / REQUESTS * 1e6


def main() -> None:
    access = logging.getLogger("cozechat.access")
    access.propagate = False
    handler = logs.Lines(io.StringIO())
    handler.setFormatter(logs.LineFormatter(form="json"))
    access.addHandler(handler)
    access.setLevel(logging.INFO)
    bare = asyncio.run(requests(_nothing))
    wrapped = Access(_nothing, has_own_ids=lambda _path: False)
    measured = {
        "a line of Python's own": line(""),
        "a line on the console": line("console"),
        "a line in JSON": line("json"),
        "a line that is not written": cost(lambda: access.debug("%s", 1), times=LINES),
        "looking for secrets in 100 characters": cost(
            lambda: logs.redact("GET /conversations/ 200 " * 4), times=LINES
        ),
        "a request: ids, header, line": asyncio.run(requests(wrapped)) - bare,
        "a request without a line": asyncio.run(requests(wrapped, path="/static/x")) - bare,
    }
    for what, microseconds in measured.items():
        print(f"{what:<40} {microseconds:6.1f} µs")  # noqa: T201


if __name__ == "__main__":
    main()
