"""An OAuth app's keys come and go, as in Coze's console; a personal token needs none of them."""

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cozechat.emulator import process
from cozechat.emulator.process import RunningEmulator

from .raw import assertion, claims, exchange, request

OTHERS = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _each in range(3)]


def public(key: rsa.RSAPrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form).decode()


def private(key: rsa.RSAPrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def signed(running: RunningEmulator, *, kid: str, key: rsa.RSAPrivateKey) -> str:
    own = replace(running.credentials, public_key_id=kid, private_key=private(key))
    return assertion(own, claims(running))


@pytest.fixture
def running(tmp_path: Any) -> Any:
    with process.start(tmp_path, pace=2000) as started:
        yield started


def test_a_second_key_signs_beside_the_first_and_a_deleted_one_no_more(running: RunningEmulator) -> None:
    first = running.credentials.public_key_id
    second = running.upload_key(public(OTHERS[0]))
    assert running.public_key_ids() == [first, second]
    assert exchange(running, signed(running, kid=second, key=OTHERS[0])).status == 200
    assert exchange(running, assertion(running.credentials, claims(running))).status == 200

    running.delete_key(first)
    reply = exchange(running, assertion(running.credentials, claims(running)))
    assert (reply.status, reply.json["error_message"]) == (401, "invalid jwt: kid not been registred")
    assert exchange(running, signed(running, kid=second, key=OTHERS[0])).status == 200


def test_a_token_outlives_the_key_that_bought_it(running: RunningEmulator) -> None:
    token = exchange(running, assertion(running.credentials, claims(running))).json["access_token"]
    running.upload_key(public(OTHERS[0]))
    running.delete_key(running.credentials.public_key_id)
    headers = {"Authorization": f"Bearer {token}"}
    assert request(running, "GET", "/v1/users/me", headers=headers).json["code"] == 0


def test_a_key_signs_for_its_own_id_alone(running: RunningEmulator) -> None:
    running.upload_key(public(OTHERS[0]))
    reply = exchange(running, signed(running, kid=running.credentials.public_key_id, key=OTHERS[0]))
    assert reply.json["error_message"] == "invalid jwt: signature is invalid"


def test_keys_outlive_a_restart(tmp_path: Any) -> None:
    with process.start(tmp_path) as running:
        second = running.upload_key(public(OTHERS[0]))
        running.delete_key(running.credentials.public_key_id)
    with process.start(tmp_path) as running:
        assert running.public_key_ids() == [second]


def upload(running: RunningEmulator, pem: object) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {running.control_token}"}
    reply = request(
        running, "POST", "/emulator/keys", body=json.dumps({"public_key": pem}).encode(), headers=headers
    )
    return reply.status, reply.json["msg"]


def test_three_keys_are_the_most_and_rubbish_is_none(running: RunningEmulator) -> None:
    for key in OTHERS[:2]:
        running.upload_key(public(key))
    assert upload(running, public(OTHERS[2])) == (400, "an OAuth app has at most 3 keys")
    running.upload_key(public(OTHERS[0]))
    for rubbish in ("rubbish", private(OTHERS[2]), 5, None, ""):
        status, words = upload(running, rubbish)
        assert status == (400 if isinstance(rubbish, str) and rubbish else 200)
        assert words
    assert len(running.public_key_ids()) == 3


@pytest.mark.parametrize("path", ["/emulator/keys", "/emulator/personal-tokens"])
def test_nobody_changes_keys_without_the_control_token(running: RunningEmulator, path: str) -> None:
    assert request(running, "POST", path, body=b"{}").status == 401
    assert request(running, "DELETE", "/emulator/keys?public_key_id=x").status == 401


def test_a_personal_token_is_the_accounts_and_ends(running: RunningEmulator) -> None:
    def me(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return int(request(running, "GET", "/v1/users/me", headers=headers).json["code"])

    token = running.personal_token()
    assert token.startswith("pat_")
    assert me(token) == 0
    assert me(running.personal_token(seconds=0)) == 700012006
    assert me("pat_nobodys") == 4100
