"""The emulator's own endpoints: who it is, its faults, its ledger. Loopback only; none of this is Coze's."""

import ipaddress
import secrets
import time

from cozechat.emulator import callbacks
from cozechat.emulator.calls import Call, Guard, Route
from cozechat.emulator.faults.board import BadFaultError
from cozechat.emulator.keyring import BadKeyError
from cozechat.emulator.oauth import API_CONNECTOR
from cozechat.emulator.refusals import Refusal
from cozechat.emulator.seed import ACCOUNT_ID
from cozechat.emulator.store import Identity
from cozechat.emulator.tokens import Token
from cozechat.emulator.wire import Reply, bare

PREFIX = "/emulator/"


def admit(call: Call) -> None:
    """Lets nobody in who is elsewhere or does not hold the control token."""
    address = call.request.peer[0]
    if not address or not ipaddress.ip_address(address).is_loopback:
        raise Refusal(403, "the emulator is controlled from its own machine", status=403)
    if not secrets.compare_digest((call.bearer or "").encode(), call.world.control_token.encode()):
        raise Refusal(401, "the control token is missing or wrong", status=401)


async def identity(call: Call) -> Reply:
    return bare({"service": "coze-emulator", "public_key_id": call.world.credentials.public_key_id})


async def list_faults(call: Call) -> Reply:
    return bare({"faults": [fault.as_json() for fault in call.world.faults.armed]})


async def arm_fault(call: Call) -> Reply:
    """Takes `{"name": …, "times"?, "session_name"?, "path"?, …}` with the fault's own parameters."""
    settings = call.body().all()
    try:
        fault = call.world.faults.arm(str(settings.pop("name", "")), settings=settings)
    except BadFaultError as wrong:
        raise Refusal(400, str(wrong), status=400) from None
    return bare(fault.as_json())


async def disarm_faults(call: Call) -> Reply:
    call.world.faults.disarm(call.query.identifier("name"))
    return await list_faults(call)


async def ledger(call: Call) -> Reply:
    return bare(call.world.ledger.as_json() | {"running": len(call.world.running)})


async def reset_ledger(call: Call) -> Reply:
    call.world.ledger.reset()
    return await ledger(call)


async def revoke_tokens(call: Call) -> Reply:
    """All of them, or one session's; `{"expire": true}` lets all run out instead."""
    fields = call.body()
    if "expire" in fields:
        call.world.tokens.expire()
        return bare({"revoked": 0})
    return bare({"revoked": call.world.tokens.revoke(session_name=fields.text("session_name"))})


async def list_keys(call: Call) -> Reply:
    return bare({"public_key_ids": list(call.world.keyring.keys)})


async def upload_key(call: Call) -> Reply:
    """Takes `{"public_key": PEM}`, as Coze's console does; says the key's id."""
    try:
        return bare({"public_key_id": call.world.keyring.upload(call.body().required("public_key"))})
    except BadKeyError as wrong:
        raise Refusal(400, str(wrong), status=400) from None


async def delete_key(call: Call) -> Reply:
    call.world.keyring.delete(call.query.required("public_key_id"))
    return await list_keys(call)


async def make_personal_token(call: Call) -> Reply:
    """A token of the account itself, which belongs to no session; `{"seconds": …}` says how long it lasts."""
    seconds = call.body().number("seconds", low=0, high=10**9, default=86_400)
    identity = Identity(ACCOUNT_ID, API_CONNECTOR, None)
    token = Token(identity, None, int(time.time()) + seconds)
    return bare({"token": call.world.tokens.issue(token, prefix="pat_")})


ROUTES = (
    Route("GET", "/emulator/identity", identity, guard=Guard.NONE),
    Route("GET", "/emulator/faults", list_faults, guard=Guard.CONTROL),
    Route("POST", "/emulator/faults", arm_fault, guard=Guard.CONTROL),
    Route("DELETE", "/emulator/faults", disarm_faults, guard=Guard.CONTROL),
    Route("GET", "/emulator/ledger", ledger, guard=Guard.CONTROL),
    Route("DELETE", "/emulator/ledger", reset_ledger, guard=Guard.CONTROL),
    Route("POST", "/emulator/revoke", revoke_tokens, guard=Guard.CONTROL),
    Route("GET", "/emulator/keys", list_keys, guard=Guard.CONTROL),
    Route("POST", "/emulator/keys", upload_key, guard=Guard.CONTROL),
    Route("DELETE", "/emulator/keys", delete_key, guard=Guard.CONTROL),
    Route("POST", "/emulator/personal-tokens", make_personal_token, guard=Guard.CONTROL),
    Route("POST", "/emulator/callbacks", callbacks.send, guard=Guard.CONTROL),
)
