"""Signing in: a private key makes an assertion, the assertion buys an access token."""

import base64
import binascii
import functools
import json
import re
import secrets

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cozechat.coze.calls import Reply, Request
from cozechat.coze.codes import error_for
from cozechat.coze.credentials import Credentials, IssuedToken
from cozechat.coze.errors import (
    BadRequest,
    BadResponse,
    CozeError,
    ExchangeFailed,
    ExchangeRefused,
    InvalidKey,
    PermissionDenied,
    TokenRefused,
)
from cozechat.coze.types import JsonObject, as_int, as_object, as_text, parse_object

TOKEN_PATH = "/api/permission/oauth2/token"  # noqa: S105 - a path, not a secret
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LONGEST_TTL = 86399
ASSERTION_SECONDS = 600
# Coze's clock may be behind ours, and would refuse an assertion from its future; `exp` covers one that is ahead.
CLOCK_SKEW = 310
# Real Coze says when the token ends, the documents say how long it lasts; no token lasts 30 years.
SMALLEST_EPOCH = 10**9
SMALLEST_KEY = 2048

_PEM = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----(.*?)-----END \1-----", re.DOTALL)
_ESCAPED_NEWLINE = re.compile(r"\\+[nr]")


def normalise_pem(text: str) -> bytes:
    """A PEM block as the standard wants it, from one whose newlines became `\\n`, CRLF or spaces."""
    match = _PEM.search(_ESCAPED_NEWLINE.sub("\n", text))
    if match is None:
        raise InvalidKey("the private key is not PEM text: no -----BEGIN … PRIVATE KEY----- to its END")
    label, content = match.groups()
    body = "".join(content.split())
    try:
        base64.b64decode(body, validate=True)
    except binascii.Error:
        raise InvalidKey("the private key's PEM text is damaged, or the key is encrypted") from None
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


@functools.lru_cache(maxsize=64)
def parse_private_key(text: str) -> RSAPrivateKey:
    """The RSA key in `text`; kept, for parsing takes 30 ms and signing with the result less than one."""
    try:
        key = load_pem_private_key(normalise_pem(text), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidKey("the private key cannot be read: damaged, encrypted or of an unknown kind") from None
    if not isinstance(key, RSAPrivateKey):
        raise InvalidKey("the private key is not an RSA key")
    if key.key_size < SMALLEST_KEY:
        raise InvalidKey(f"the private key has {key.key_size} bits, at least {SMALLEST_KEY} are needed")
    return key


def sign_assertion(credentials: Credentials, *, session_name: str, now: float) -> str:
    """The signed JWT that is traded for a token of `session_name`: the only place where a JWT gets it.

    Coze takes a JWT once, hence the fresh `jti`.
    """
    if not session_name:
        raise BadRequest("a token without a session_name would not be isolated")
    claims = {
        "iss": credentials.client_id,
        "aud": credentials.jwt_audience,
        "iat": int(now) - CLOCK_SKEW,
        "exp": int(now) + ASSERTION_SECONDS,
        "jti": secrets.token_hex(32),
        "session_name": session_name,
    }
    key = parse_private_key(credentials.private_key)
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": credentials.public_key_id})


def exchange_request(credentials: Credentials, *, session_name: str, ttl: int, now: float) -> Request:
    """The request for a token that lives `ttl` seconds."""
    if not 1 <= ttl <= LONGEST_TTL:
        raise BadRequest(f"a token lives 1 to {LONGEST_TTL} seconds, not {ttl}")
    assertion = sign_assertion(credentials, session_name=session_name, now=now)
    payload: JsonObject = {"grant_type": GRANT_TYPE, "duration_seconds": ttl}
    if credentials.assertion_in_body:
        payload["assertion"] = assertion
    return Request(method="POST", path=TOKEN_PATH, bearer=assertion, body=json.dumps(payload).encode())


def read_token(reply: Reply, *, ttl: int, now: float) -> IssuedToken:
    """The token in the answer, bare or under `data`; raises `ExchangeRefused` with Coze's reason."""
    try:
        body = parse_object(reply.text)
    except ValueError:
        if reply.status < 400:
            raise BadResponse("the token endpoint did not answer JSON", log_id=reply.log_id) from None
        body = {}
    granted = body if "access_token" in body else as_object(body.get("data"))
    token = as_text(granted.get("access_token"))
    if reply.status >= 300 or not token:
        raise _refusal(reply, body)
    lifetime = as_int(granted.get("expires_in"))
    if lifetime is None or lifetime <= 0:
        raise BadResponse("the token endpoint did not say how long the token lives", log_id=reply.log_id)
    ends = lifetime if lifetime >= SMALLEST_EPOCH else now + lifetime
    return IssuedToken(token=token, expires_at=float(min(ends, now + ttl)))


def _refusal(reply: Reply, body: JsonObject) -> CozeError:
    log_id = reply.log_id
    word = as_text(body.get("error_code")) or as_text(body.get("error"))
    reason = (
        as_text(body.get("error_message"))
        or as_text(body.get("error_description"))
        or as_text(body.get("msg"))
    )
    if word == "internal_error":
        return ExchangeFailed(reason or word, error_code=word, log_id=log_id)
    if word:
        return ExchangeRefused(reason or word, error_code=word, log_id=log_id)
    if reply.status < 400 and not body.get("code"):
        return BadResponse("the token endpoint's answer has no token", log_id=log_id)
    code = as_text(body.get("code")) or None
    error = error_for(reason, code=code, status=reply.status, log_id=log_id, retry_after=reply.retry_after)
    if isinstance(error, (TokenRefused, PermissionDenied)):
        # There is no token yet that could be dropped and asked for again.
        return ExchangeRefused(
            error.message, error_code=code or str(reply.status), code=error.code, log_id=log_id
        )
    return error
