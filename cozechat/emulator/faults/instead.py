"""Faults that answer in an endpoint's place, or hold it up."""

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate

from cozechat.emulator.assertions import peek_session_name
from cozechat.emulator.calls import Answer, Call
from cozechat.emulator.faults.board import Fault
from cozechat.emulator.faults.catalog import EXCHANGE, INSTEAD
from cozechat.emulator.oauth import refused
from cozechat.emulator.refusals import ExchangeRefusal
from cozechat.emulator.wire import Header, Reply, Send, envelope

HTML = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>502 Bad Gateway</body>\r\n</html>\r\n"


class ResetRequest:
    """An answer that is none: the connection breaks."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def write(self, send: Send, *, log_id: str) -> None:
        self._call.world.connections.reset(self._call.request.peer)


async def strike(call: Call) -> Answer | None:
    """What an armed fault answers, or None when the endpoint may."""
    if not call.world.faults.armed:
        return None
    session_name = _asker(call)
    for fault in call.world.faults.take_all(INSTEAD, path=call.path, session_name=session_name):
        call.world.ledger.faults[fault.name] += 1
        if fault.name == "slow-first-byte":
            await asyncio.sleep(fault.settings["seconds"])
        else:
            return ANSWERS[fault.name](call, fault)
    return None


def _asker(call: Call) -> str | None:
    if call.path.startswith(EXCHANGE):
        return peek_session_name(call.bearer)
    return call.world.tokens.session_name(call.bearer)


def _html(call: Call, fault: Fault) -> Answer:
    return Reply(HTML, status=502, content_type=b"text/html")


def _rate_limited(call: Call, fault: Fault) -> Answer:
    headers = RETRY_AFTER.get(fault.settings["retry_after"], _in_seconds)(fault.settings["seconds"])
    code = fault.settings["code"]
    return envelope(call.log_id, code=code, msg="rate limit exceeded", status=429, headers=headers)


def _in_seconds(seconds: float) -> tuple[Header, ...]:
    return ((b"retry-after", f"{seconds:g}".encode()),)


def _as_date(seconds: float) -> tuple[Header, ...]:
    return ((b"retry-after", formatdate(time.time() + seconds, usegmt=True).encode()),)


RETRY_AFTER: dict[str, Callable[[float], tuple[Header, ...]]] = {
    "date": _as_date,
    "huge": lambda seconds: ((b"retry-after", b"9" * 20),),
    "absent": lambda seconds: (),
}


def _unauthorized(call: Call, fault: Fault) -> Answer:
    status = 401 if fault.name == "unauthorized" else 200
    return envelope(call.log_id, code=4100, msg="authentication is invalid", status=status)


def _token_invalid(call: Call, fault: Fault) -> Answer:
    return envelope(call.log_id, code=700012006, msg="access token invalid")


def _json_error(call: Call, fault: Fault) -> Answer:
    return envelope(call.log_id, code=fault.settings["code"], msg=fault.settings["msg"])


def _without_data(call: Call, fault: Fault) -> Answer:
    return envelope(call.log_id)


def _exchange_error(call: Call, fault: Fault) -> Answer:
    return refused(ExchangeRefusal(fault.settings["error"], "Service internal error."))


def _reset(call: Call, fault: Fault) -> Answer:
    return ResetRequest(call)


ANSWERS: dict[str, Callable[[Call, Fault], Answer]] = {
    "html-502": _html,
    "rate-limited": _rate_limited,
    "unauthorized": _unauthorized,
    "token-invalid": _unauthorized,
    "access-token-invalid": _token_invalid,
    "json-error": _json_error,
    "omit-data": _without_data,
    "exchange-error": _exchange_error,
    "reset-request": _reset,
}
