"""Signing in: keys as people paste them, assertions as Coze wants them, tokens in both forms of their end."""

import functools
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from cozechat.coze import errors, oauth
from cozechat.coze.client import CozeClient
from cozechat.coze.credentials import Credentials, IssuedToken
from tests.coze.wire import LOG_ID, CozeStub, Script, envelope, response, run

NO_ENCRYPTION = NoEncryption()


@functools.cache
def new_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def pem(
    key: Any = None,
    *,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption = NO_ENCRYPTION,
) -> str:
    return (key or new_key()).private_bytes(Encoding.PEM, form, encryption).decode()


def credentials(**more: Any) -> Credentials:
    given = {
        "client_id": "1150",
        "public_key_id": "kid-1",
        "private_key": pem(),
        "base_url": "https://api.coze.cn",
    }
    return Credentials(**{**given, **more})


def exchange(answer: Script, *, ttl: int = 900, **more: Any) -> tuple[IssuedToken, CozeStub]:
    async def scene(client: CozeClient, coze: CozeStub) -> Any:
        return await client.exchange(session_name="u_alice", ttl=ttl), coze

    given = {"client_id": "1150", "public_key_id": "kid-1", "private_key": pem(), **more}
    return run(scene, answer, **given)


def granted(**fields: Any) -> list[bytes]:
    return response(json.dumps({"access_token": "czs_1", "token_type": "Bearer", **fields}).encode())


DRESSES = {
    "as it is": lambda text: text,
    "literal newlines": lambda text: text.replace("\n", "\\n"),
    "doubly literal newlines": lambda text: text.replace("\n", "\\\\n"),
    "literal CRLF": lambda text: text.replace("\n", "\\r\\n"),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "spaces": lambda text: text.replace("\n", " "),
    "one line": lambda text: text.replace("\n", ""),
    "in quotes": lambda text: f'"{text}"',
    "indented": lambda text: "\n  " + text.replace("\n", "\n  "),
    "with a byte order mark": lambda text: "\ufeff" + text,
}


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("dress", DRESSES)
def test_a_key_is_read_in_every_shape_it_gets_on_its_way(dress: str, form: PrivateFormat):
    key = oauth.parse_private_key(DRESSES[dress](pem(form=form)))
    assert key.private_numbers() == new_key().private_numbers()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not PEM"),
        ("MIIEvQIBADANBgkq", "not PEM"),
        ("-----BEGIN PRIVATE KEY-----\nx-----END RSA PRIVATE KEY-----", "not PEM"),
        ("-----BEGIN PRIVATE KEY-----\n!!!\n-----END PRIVATE KEY-----", "damaged"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "damaged"),
        (pem(encryption=BestAvailableEncryption(b"x")), "encrypted"),
        (pem(form=PrivateFormat.TraditionalOpenSSL, encryption=BestAvailableEncryption(b"x")), "encrypted"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "not an RSA key"),
        (pem(new_key(1024)), "1024 bits"),
    ],
)
def test_an_unusable_key_is_refused_with_the_reason_and_not_shown(text: str, reason: str):
    with pytest.raises(errors.InvalidKey) as caught:
        oauth.parse_private_key(text)
    assert reason in caught.value.message
    assert caught.value.__cause__ is None
    assert not text[30:60] or text[30:60] not in str(caught.value)


def claims_of(assertion: str, *, audience: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        assertion,
        new_key().public_key(),
        algorithms=["RS256"],
        audience=audience,
        leeway=0,
        options={"require": ["iss", "aud", "iat", "exp", "jti"]},
    )
    return claims


def test_an_assertion_carries_what_coze_asks_for_under_our_signature():
    now = time.time()
    assertion = oauth.sign_assertion(credentials(), session_name="u_alice", now=now)
    assert jwt.get_unverified_header(assertion) == {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
    claims = claims_of(assertion, audience="api.coze.cn")
    assert len(claims.pop("jti")) > 32
    assert claims == {
        "iss": "1150",
        "aud": "api.coze.cn",
        "iat": int(now) - 310,
        "exp": int(now) + 600,
        "session_name": "u_alice",
    }


def test_no_two_assertions_share_a_jti():
    assertions = [
        oauth.sign_assertion(credentials(), session_name="u_alice", now=time.time()) for _ in range(20)
    ]
    assert len({claims_of(item, audience="api.coze.cn")["jti"] for item in assertions}) == 20


@pytest.mark.parametrize(
    ("given", "audience"),
    [
        ({"base_url": "https://api.coze.com/"}, "api.coze.com"),
        ({"base_url": "http://u:p@127.0.0.1:9090/emu"}, "127.0.0.1:9090"),
        ({"audience": "api.coze.com"}, "api.coze.com"),
    ],
)
def test_the_audience_is_the_host_unless_it_is_configured(given: dict[str, str], audience: str):
    assertion = oauth.sign_assertion(credentials(**given), session_name="u_alice", now=time.time())
    assert claims_of(assertion, audience=audience)["aud"] == audience


def test_signing_is_quick_once_the_key_is_parsed():
    mine = credentials()
    oauth.sign_assertion(mine, session_name="u_alice", now=0)
    took = []
    for _ in range(20):
        started = time.perf_counter()
        oauth.sign_assertion(mine, session_name="u_alice", now=0)
        took.append(time.perf_counter() - started)
    assert min(took) < 0.005


def test_nobody_gets_a_token_without_a_session():
    with pytest.raises(errors.BadRequest):
        oauth.sign_assertion(credentials(), session_name="", now=0)


def test_the_exchange_is_the_documented_one():
    issued, coze = exchange(granted(expires_in=int(time.time()) + 900))
    assert issued.token == "czs_1"
    (request,) = coze.requests
    assert (request.method, request.target) == ("POST", "/api/permission/oauth2/token")
    assert request.json == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "duration_seconds": 900,
    }
    assertion = request.headers["authorization"].removeprefix("Bearer ")
    assert claims_of(assertion, audience=coze.base_url.removeprefix("http://"))["session_name"] == "u_alice"


def test_the_assertion_may_be_repeated_in_the_body():
    _, coze = exchange(granted(expires_in=900), assertion_in_body=True)
    assert "Bearer " + coze.requests[0].json["assertion"] == coze.requests[0].headers["authorization"]


@pytest.mark.parametrize("fields", [{"expires_in": 600}, {"expires_in": "600"}, {"expires_in": 600.0}])
def test_an_end_in_seconds_counts_from_now(fields: dict[str, Any]):
    assert exchange(granted(**fields))[0].expires_at == pytest.approx(time.time() + 600, abs=5)


@pytest.mark.parametrize("form", [int, str])
def test_an_end_as_a_time_is_that_time(form: type):
    ends = int(time.time()) + 600
    assert exchange(granted(expires_in=form(ends)))[0].expires_at == ends


LIFETIMES = {"a day": 86399, "in milliseconds": 1762744399 * 1000, "a time": int(time.time()) + 10**7}


@pytest.mark.parametrize("lifetime", LIFETIMES.values(), ids=LIFETIMES)
def test_no_token_outlives_what_was_asked_for(lifetime: int):
    assert exchange(granted(expires_in=lifetime))[0].expires_at == pytest.approx(time.time() + 900, abs=5)


def test_a_token_in_an_envelope_is_found():
    assert exchange(envelope({"access_token": "czs_2", "expires_in": 900}))[0].token == "czs_2"


@pytest.mark.parametrize("ttl", [0, -1, 86400])
def test_a_lifetime_that_coze_does_not_grant_is_not_asked_for(ttl: int):
    with pytest.raises(errors.BadRequest):
        exchange(granted(expires_in=900), ttl=ttl)


REFUSED = b'{"error_code":"invalid_client","error_message":"invalid jwt: kid not been registred","error":"x"}'


@pytest.mark.parametrize(
    ("answer", "kind", "word"),
    [
        (response(REFUSED, status="401 Unauthorized"), errors.ExchangeRefused, "invalid_client"),
        (response(REFUSED), errors.ExchangeRefused, "invalid_client"),
        (response(b'{"error":"access_deny"}'), errors.ExchangeRefused, "access_deny"),
        (response(b'{"error_code":"internal_error"}'), errors.ExchangeFailed, "internal_error"),
        (envelope(code=4100, msg="authentication is invalid"), errors.ExchangeRefused, "4100"),
        (response(b"", status="401 Unauthorized"), errors.ExchangeRefused, "401"),
        (envelope(code=4020, msg="slow down"), errors.RateLimited, None),
        (
            response(b"", status="429 Too Many Requests", headers="Retry-After: 5\r\n"),
            errors.RateLimited,
            None,
        ),
        (response(b"<html>", status="502 Bad Gateway", mime="text/html"), errors.UpstreamFailed, None),
        (response(b"<html>", mime="text/html"), errors.BadResponse, None),
        (response(b"{}"), errors.BadResponse, None),
        (granted(), errors.BadResponse, None),
        (granted(expires_in=0), errors.BadResponse, None),
        (granted(expires_in="soon"), errors.BadResponse, None),
        (granted(access_token="", expires_in=900), errors.BadResponse, None),
    ],
)
def test_an_exchange_that_fails_says_why(answer: Script, kind: type, word: str | None):
    with pytest.raises(errors.CozeError) as caught:
        exchange(answer)
    assert type(caught.value) is kind
    assert getattr(caught.value, "error_code", None) == word
    assert caught.value.log_id == LOG_ID
