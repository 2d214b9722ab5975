"""Checking the signed JWT that a client trades for an access token, in Coze's order."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cozechat.emulator.fields import plain_json
from cozechat.emulator.refusals import ExchangeRefusal, Refusal

LEEWAY = 60
"""Seconds by which a client's clock may run ahead."""
PUBLIC_HOSTS = frozenset({"api.coze.cn", "api.coze.com"})


@dataclass(frozen=True, slots=True)
class Authority:
    """The OAuth app that may sign: its client id and public keys by id."""

    client_id: str
    keys: dict[str, rsa.RSAPublicKey]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good assertion says."""

    issuer: str
    jti: str
    expires_at: float
    session_name: str | None


def check(assertion: str, *, authority: Authority, host: str, now: float) -> Claims:
    """Raises `ExchangeRefusal` at the first thing wrong; whether the `jti` is fresh is for the caller."""
    header, payload, signature, signed = _split(assertion)
    _check_signature(header, signature=signature, signed=signed, authority=authority)
    if payload.get("iss") != authority.client_id:
        raise _invalid("invalid jwt: iss does not match the app of the key")
    if payload.get("aud") not in _audiences(host):
        raise _invalid("invalid jwt: aud is not this API endpoint")
    expires_at = _check_times(payload, now=now)
    jti = payload.get("jti")
    if not isinstance(jti, str) or not jti:
        raise _invalid("invalid jwt: jti is required")
    return Claims(authority.client_id, jti, expires_at, _session_name(payload))


def peek_session_name(assertion: str | None) -> str | None:
    """The session an assertion claims to be for, unchecked: only good for choosing a fault."""
    try:
        _, payload, _, _ = _split(assertion or "")
        return _session_name(payload)
    except ExchangeRefusal:
        return None


def _invalid(message: str) -> ExchangeRefusal:
    return ExchangeRefusal("invalid_client", message)


def _split(assertion: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    parts = assertion.split(".")
    if len(parts) != 3:
        raise _invalid("invalid jwt: token contains an invalid number of segments")
    try:
        header, payload = (plain_json(_decode(part)) for part in parts[:2])
        signature = _decode(parts[2])
    except (ValueError, Refusal):
        raise _invalid("invalid jwt: malformed token") from None
    if not isinstance(header, dict) or not isinstance(payload, dict):
        raise _invalid("invalid jwt: malformed token")
    return header, payload, signature, f"{parts[0]}.{parts[1]}".encode()


def _decode(part: str) -> bytes:
    try:
        return base64.b64decode(part.encode("ascii") + b"=" * (-len(part) % 4), b"-_", validate=True)
    except binascii.Error:
        raise ValueError(part) from None


def _check_signature(
    header: dict[str, Any], *, signature: bytes, signed: bytes, authority: Authority
) -> None:
    if header.get("alg") != "RS256":
        raise _invalid("invalid jwt: signing method is invalid")
    kid = header.get("kid")
    key = authority.keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise _invalid("invalid jwt: kid not been registred")
    try:
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise _invalid("invalid jwt: signature is invalid") from None


def _audiences(host: str) -> frozenset[str]:
    """A client may name the host with or without its port."""
    return PUBLIC_HOSTS | {host, host.rsplit(":", 1)[0]}


def _check_times(payload: dict[str, Any], *, now: float) -> float:
    issued_at, expires_at = _time(payload, "iat"), _time(payload, "exp")
    if not expires_at > now or not expires_at > issued_at:
        raise _invalid("invalid jwt: token is expired")
    if issued_at > now + LEEWAY:
        raise _invalid("invalid jwt: token used before issued")
    return expires_at


def _time(payload: dict[str, Any], name: str) -> float:
    value = payload.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _invalid(f"invalid jwt: {name} is required")
    return value


def _session_name(payload: dict[str, Any]) -> str | None:
    value = payload.get("session_name")
    if value is not None and not isinstance(value, str):
        raise ExchangeRefusal("invalid_request", "invalid request: session_name")
    return value or None
