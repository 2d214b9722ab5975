"""Trading an assertion for an access token."""

import time

from cozechat.emulator.assertions import Authority, Claims, check, peek_session_name
from cozechat.emulator.calls import Call, Guard, Route
from cozechat.emulator.fields import Fields
from cozechat.emulator.refusals import ExchangeRefusal, Refusal
from cozechat.emulator.seed import ACCOUNT_ID
from cozechat.emulator.store import Identity
from cozechat.emulator.tokens import Token
from cozechat.emulator.wire import Reply, bare

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEFAULT_SECONDS, MOST_SECONDS = 900, 86399
API_CONNECTOR = "1024"


async def exchange(call: Call) -> Reply:
    """The answer is not wrapped in the envelope, and `expires_in` is a point in time."""
    try:
        return _exchange(call)
    except ExchangeRefusal as refusal:
        call.world.ledger.exchange_refusals[refusal.error] += 1
        return refused(refusal)


def refused(refusal: ExchangeRefusal) -> Reply:
    body = {"error_code": refusal.error, "error_message": refusal.message, "error": refusal.error}
    return bare(body, status=refusal.status)


def _exchange(call: Call) -> Reply:
    world = call.world
    ahead = _clock_skew(call)
    claims = _claims(call, now=time.time() + ahead)
    fields = _fields(call)
    seconds = _seconds(fields)
    account_id = call.place.get("account_id", ACCOUNT_ID)
    expires_at = world.now() + seconds
    identity = Identity(account_id, API_CONNECTOR, claims.session_name)
    token = world.tokens.issue(Token(identity, fields.mapping("scope"), expires_at))
    world.ledger.exchanges[claims.session_name or ""] += 1
    relative = world.faults.take("expires-in-relative", path=call.path, session_name=claims.session_name)
    expires_in = seconds if relative else expires_at + int(ahead)
    return bare({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"})


def _clock_skew(call: Call) -> float:
    """By how much the clock is wrong here, if it is."""
    session_name = peek_session_name(call.bearer)
    fault = call.world.faults.take("clock-skew", path=call.path, session_name=session_name)
    if fault is None:
        return 0.0
    call.world.ledger.faults[fault.name] += 1
    return float(fault.settings["seconds"])


def _claims(call: Call, *, now: float) -> Claims:
    assertion = call.bearer
    if not assertion:
        raise ExchangeRefusal("invalid_client", "verify jwt empty error")
    authority = Authority(call.world.credentials.client_id, call.world.keyring.keys)
    claims = check(assertion, authority=authority, host=call.host, now=now)
    if not call.world.spent.spend(claims.jti, issuer=claims.issuer, until=claims.expires_at):
        raise ExchangeRefusal("invalid_client", "invalid jwt: jti has been used")
    return claims


def _fields(call: Call) -> Fields:
    try:
        fields = call.body()
        fields.mapping("scope")
        grant_type = fields.text("grant_type") or ""
    except Refusal as refusal:
        raise ExchangeRefusal("invalid_request", f"invalid request: {refusal.msg}") from None
    if grant_type != GRANT_TYPE:
        raise ExchangeRefusal("unsupported_grant_type", f"not supported grant type: {grant_type}")
    return fields


def _seconds(fields: Fields) -> int:
    try:
        return fields.number("duration_seconds", low=1, high=MOST_SECONDS, default=DEFAULT_SECONDS)
    except Refusal:
        raise ExchangeRefusal("invalid_request", "invalid request: duration_seconds") from None


ROUTES = (
    Route("POST", "/api/permission/oauth2/token", exchange, guard=Guard.NONE),
    Route("POST", "/api/permission/oauth2/account/{account_id}/token", exchange, guard=Guard.NONE),
    Route("POST", "/api/permission/oauth2/enterprise_id/{account_id}/token", exchange, guard=Guard.NONE),
)
