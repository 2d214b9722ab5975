"""Callbacks as Coze sends them: signed, with an event id, to an address on this machine."""

import asyncio
import hashlib
import http.client
import ipaddress
import secrets
import time
import uuid
from typing import Any
from urllib.parse import SplitResult, urlsplit

from cozechat.emulator.calls import Call
from cozechat.emulator.refusals import Refusal
from cozechat.emulator.wire import Reply, bare, compact

# Coze gives up after so long.
_SECONDS = 3.0
_SHOWN = 2000


async def send(call: Call) -> Reply:
    """Takes `{"url", "verify_token", "event_type", "event"?, "event_id"?, "unsigned"?}`; says what was answered."""
    fields = call.body()
    address = _address(fields.text("url") or "")
    given: Any = fields.all().get("event")
    event = given if isinstance(given, dict) else {}
    header = {
        "event_type": fields.text("event_type") or "url_verification",
        "event_id": fields.text("event_id") or uuid.uuid4().hex,
        "created_at": int(time.time() * 1000),
    }
    if header["event_type"] == "url_verification":
        event = {"challenge": str(uuid.uuid4())} | event
    body = compact({"header": header, "event": event}).encode()
    headers = {"Content-Type": "application/json"}
    if "unsigned" not in fields:
        headers |= _signed(body, token=fields.text("verify_token") or "")
    status, answer = await asyncio.to_thread(_post, address, body, headers)
    return bare(
        {
            "event_id": header["event_id"],
            "status": status,
            "answer": answer,
            "challenge": event.get("challenge"),
        }
    )


def _address(url: str) -> SplitResult:
    """Only this very machine is told anything."""
    try:
        address = urlsplit(url)
        host = "127.0.0.1" if address.hostname == "localhost" else address.hostname or ""
        if address.scheme == "http" and ipaddress.ip_address(host).is_loopback:
            return address
    except ValueError:
        pass
    raise Refusal(400, "url must be an http address on this machine", status=400)


def _signed(body: bytes, *, token: str) -> dict[str, str]:
    timestamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(8)
    signature = hashlib.sha1(f"{timestamp}{nonce}{token}".encode() + body, usedforsecurity=False).hexdigest()
    return {"X-Coze-Timestamp": timestamp, "X-Coze-Nonce": nonce, "X-Coze-Signature": signature}


def _post(address: SplitResult, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """Status and beginning of the answer; 0 and the error where none came."""
    connection = http.client.HTTPConnection(address.netloc, timeout=_SECONDS)
    try:
        connection.request("POST", address.path or "/", body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read(_SHOWN).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, type(error).__name__
    finally:
        connection.close()
