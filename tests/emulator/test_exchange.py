"""Trading assertions for tokens: every check, in order, with its error and status."""

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cozechat.emulator.process import RunningEmulator

from .raw import GRANT_TYPE, Session, assertion, claims, exchange, request


def signed(emulator: RunningEmulator, **changes: Any) -> str:
    return assertion(emulator.credentials, claims(emulator, **changes))


def test_a_good_assertion_gets_a_bare_token_that_ends_at_a_point_in_time(emulator: RunningEmulator) -> None:
    reply = exchange(emulator, signed(emulator, session_name="alice"))
    assert list(reply.json) == ["access_token", "expires_in", "token_type"]
    assert reply.json["access_token"].startswith("czs_")
    assert reply.json["token_type"] == "Bearer"
    assert abs(reply.json["expires_in"] - time.time() - 900) < 3
    assert "x-tt-logid" in reply.headers


def test_without_a_duration_a_token_lives_for_fifteen_minutes(emulator: RunningEmulator) -> None:
    reply = exchange(emulator, signed(emulator), duration_seconds=None, scope=None)
    assert abs(reply.json["expires_in"] - time.time() - 900) < 3


@pytest.mark.parametrize("audience", ["127.0.0.1", "api.coze.cn", "api.coze.com"])
def test_the_audience_may_leave_out_the_port_or_be_a_public_host(
    emulator: RunningEmulator, audience: str
) -> None:
    assert exchange(emulator, signed(emulator, aud=audience)).status == 200


def refused(emulator: RunningEmulator, token: str | None, **body: Any) -> tuple[int, str]:
    reply = exchange(emulator, token, **body)
    assert set(reply.json) == {"error_code", "error_message", "error"}
    assert reply.json["error_message"]
    return reply.status, reply.json["error_code"]


def test_no_assertion_is_refused(emulator: RunningEmulator) -> None:
    assert refused(emulator, None) == (401, "invalid_client")


@pytest.mark.parametrize(
    "token", ["x", "a.b", "a.b.c", "a.b.c.d", "eyJ9.eyJ9.eyJ9", "e30.e30.", "W10.W10.W10"]
)
def test_an_assertion_that_is_no_jwt_is_refused(emulator: RunningEmulator, token: str) -> None:
    assert refused(emulator, token) == (401, "invalid_client")


def test_other_algorithms_are_refused(emulator: RunningEmulator) -> None:
    payload, kid = claims(emulator), emulator.credentials.public_key_id
    unsigned = jwt.encode(payload, None, algorithm="none", headers={"kid": kid})
    symmetric = jwt.encode(payload, "s" * 64, algorithm="HS256", headers={"kid": kid})
    assert refused(emulator, unsigned) == refused(emulator, symmetric) == (401, "invalid_client")


def test_an_unknown_key_id_is_refused_in_cozes_own_spelling(emulator: RunningEmulator) -> None:
    token = assertion(emulator.credentials, claims(emulator), kid="somebody-else")
    assert exchange(emulator, token).json["error_message"] == "invalid jwt: kid not been registred"


def test_a_signature_of_another_key_is_refused(emulator: RunningEmulator) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    token = assertion(emulator.credentials, claims(emulator), key=other.decode())
    assert refused(emulator, token) == (401, "invalid_client")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "1150000"},
        {"iss": None},
        {"aud": "api.example.com"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"iat": 4_000_000_000, "exp": 4_000_000_600},
        {"jti": None},
        {"jti": ""},
    ],
)
def test_wrong_claims_are_refused(emulator: RunningEmulator, changes: dict[str, Any]) -> None:
    token = assertion(emulator.credentials, claims(emulator, **changes))
    assert refused(emulator, token) == (401, "invalid_client")


def test_an_assertion_is_taken_once(emulator: RunningEmulator) -> None:
    token = signed(emulator)
    assert exchange(emulator, token).status == 200
    assert refused(emulator, token) == (401, "invalid_client")


def test_another_assertion_with_the_same_jti_is_a_replay_too(emulator: RunningEmulator) -> None:
    assert exchange(emulator, signed(emulator, jti="once-only")).status == 200
    assert refused(emulator, signed(emulator, jti="once-only", session_name="b")) == (401, "invalid_client")


def test_another_grant_type_is_refused_by_name(emulator: RunningEmulator) -> None:
    reply = exchange(emulator, signed(emulator), grant_type="password")
    assert (reply.status, reply.json["error_code"]) == (400, "unsupported_grant_type")
    assert reply.json["error_message"] == "not supported grant type: password"


@pytest.mark.parametrize("seconds", [0, -1, 86400, "soon", 1.5, True, [900]])
def test_a_duration_out_of_bounds_is_refused(emulator: RunningEmulator, seconds: Any) -> None:
    assert refused(emulator, signed(emulator), duration_seconds=seconds) == (400, "invalid_request")


def test_the_longest_duration_is_a_second_short_of_a_day(emulator: RunningEmulator) -> None:
    assert exchange(emulator, signed(emulator), duration_seconds=86399).status == 200


def test_a_body_that_is_no_json_is_an_invalid_request(emulator: RunningEmulator) -> None:
    headers = {"Authorization": f"Bearer {signed(emulator)}"}
    reply = request(emulator, "POST", "/api/permission/oauth2/token", body=b"{", headers=headers)
    assert (reply.status, reply.json["error_code"]) == (400, "invalid_request")


@pytest.mark.parametrize("kind", ["account", "enterprise_id"])
def test_a_token_of_another_account_does_not_reach_this_ones_conversations(
    emulator: RunningEmulator, alice: Session, kind: str
) -> None:
    path = f"/api/permission/oauth2/{kind}/7480012345678909999/token"
    token = exchange(emulator, signed(emulator, session_name=alice.name), path=path).json["access_token"]
    same_name = Session(emulator, name=alice.name, token=token)
    conversation = alice.conversation()
    reply = same_name.get(f"/v1/conversation/retrieve?conversation_id={conversation}")
    assert reply.json["code"] == 4002


@pytest.mark.parametrize("token", ["", "czs_garbage", "pat_x", "é"])
def test_a_token_that_was_never_issued_is_not_authenticated(emulator: RunningEmulator, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
    reply = request(emulator, "GET", "/v1/users/me", headers=headers)
    assert (reply.status, reply.json["code"]) == (200, 4100)


def test_a_revoked_token_is_4100_and_the_others_live_on(
    emulator: RunningEmulator, alice: Session, bob: Session
) -> None:
    emulator.revoke_tokens(session_name=alice.name)
    assert alice.get("/v1/users/me").json["code"] == 4100
    assert bob.get("/v1/users/me").json["code"] == 0


def test_an_expired_token_is_700012006(start: Any) -> None:
    emulator = start()
    alice = Session(emulator)
    emulator.expire_tokens()
    assert alice.get("/v1/users/me").json["code"] == 700012006
    assert alice.chat("hello").json["code"] == 700012006


def test_the_ledger_counts_exchanges_by_session(emulator: RunningEmulator, alice: Session) -> None:
    exchange(emulator, signed(emulator, session_name=alice.name))
    assert alice.name is not None
    assert emulator.ledger()["exchanges"][alice.name] == 2


def test_the_body_may_repeat_the_assertion(emulator: RunningEmulator) -> None:
    token = signed(emulator)
    assert exchange(emulator, token, assertion=token, grant_type=GRANT_TYPE).status == 200
