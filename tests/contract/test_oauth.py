"""Tokens through the SDK (conformance 1 to 3 and 21)."""

import asyncio
import base64
import json
import time
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .sdk import Sdk, async_coze, cozepy, refusal


def test_a_token_for_a_session_ends_at_an_absolute_time(sdk: Sdk) -> None:
    token = sdk.app().get_access_token(ttl=900, session_name="A")
    assert token.access_token.startswith("czs_")
    assert abs(token.expires_in - time.time() - 900) <= 2


def test_the_async_app_gets_one_too(sdk: Sdk) -> None:
    async def main() -> None:
        known = sdk.credentials
        app = cozepy.AsyncJWTOAuthApp(
            known.client_id, known.private_key, known.public_key_id, sdk.emulator.base_url
        )
        try:
            token = await app.get_access_token(900, session_name="A")
            assert token.access_token.startswith("czs_")
            with pytest.raises(cozepy.CozeAPIError):
                await app.get_access_token(86400)
        finally:
            await app._requester.async_client.aclose()

    asyncio.run(main())


def other_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


@pytest.mark.parametrize("wrong", [{"private_key": other_key}, {"public_key_id": str}, {"client_id": str}])
def test_wrong_credentials_are_an_api_error_without_a_code(sdk: Sdk, wrong: dict[str, Any]) -> None:
    changes = {name: make() or "1150000000" for name, make in wrong.items()}
    error = refusal(lambda: sdk.app(**changes).get_access_token(ttl=900))
    assert error.code is None
    assert error.msg
    assert error.logid


def test_a_duration_of_a_day_is_an_api_error_without_a_code(sdk: Sdk) -> None:
    error = refusal(lambda: sdk.app().get_access_token(ttl=86400))
    assert (error.code, error.msg) == (None, "invalid request: duration_seconds")


def test_a_captured_assertion_cannot_be_replayed(sdk: Sdk) -> None:
    app = sdk.app()
    assertion = app._gen_jwt(sdk.credentials.public_key_id, sdk.credentials.private_key, 3600, "A")
    url = f"{sdk.emulator.base_url}/api/permission/oauth2/token"
    body = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "scope": None}
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {assertion}"}) as client:
        statuses = [client.post(url, json=body).status_code for _ in range(2)]
    assert statuses == [200, 401]
    assert json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "=="))["session_name"] == "A"


def test_jwt_auth_exchanges_once_for_three_calls(sdk: Sdk) -> None:
    coze = sdk.with_auth(cozepy.JWTAuth(oauth_app=sdk.app(), ttl=3600))
    before = sdk.emulator.ledger()["exchanges"].get("", 0)
    for _ in range(3):
        coze.users.me()
    assert sdk.emulator.ledger()["exchanges"][""] == before + 1


def test_a_relative_expiry_makes_jwt_auth_exchange_every_time(sdk: Sdk) -> None:
    sdk.emulator.arm("expires-in-relative")
    try:
        coze = sdk.with_auth(cozepy.JWTAuth(oauth_app=sdk.app(), ttl=3600))
        before = sdk.emulator.ledger()["exchanges"].get("", 0)
        for _ in range(3):
            coze.users.me()
        assert sdk.emulator.ledger()["exchanges"][""] == before + 3
    finally:
        sdk.emulator.disarm()


def test_a_path_prefix_is_no_part_of_the_audience(sdk: Sdk) -> None:
    app = sdk.app(base_url=sdk.emulator.base_url + "/")
    assert app.get_access_token(ttl=60).access_token


def test_me_has_all_four_fields(sdk: Sdk) -> None:
    me = sdk.coze().users.me()
    assert me.user_id
    assert me.user_name
    assert me.nick_name
    assert me.avatar_url
    assert me.response.logid


@pytest.mark.parametrize("token", ["czs_garbage", "revoked"])
def test_a_dead_token_is_refused_with_a_log_id_on_plain_and_stream_calls(sdk: Sdk, token: str) -> None:
    if token == "revoked":
        token = sdk.token("to be revoked")
        sdk.emulator.revoke_tokens(session_name="to be revoked")
    coze = sdk.coze(token)
    for act in (coze.users.me, lambda: sdk.stream(coze, "hi")):
        error = refusal(act)
        assert error.code == 4100
        assert error.logid


def test_a_token_that_ran_out_is_refused(sdk: Sdk) -> None:
    token = sdk.app().get_access_token(ttl=1, session_name="short").access_token
    time.sleep(1.1)
    error = refusal(sdk.coze(token).users.me)
    assert (error.code, bool(error.logid)) == (700012006, True)


def test_a_dead_token_is_refused_asynchronously(sdk: Sdk) -> None:
    async def main() -> None:
        async with async_coze(sdk, "czs_garbage") as coze:
            with pytest.raises(cozepy.CozeAPIError) as plain:
                await coze.users.me()
            with pytest.raises(cozepy.CozeAPIError) as streamed:
                await anext(aiter(coze.workflows.chat.stream(**sdk.chat("hi"))))
        assert plain.value.code == streamed.value.code == 4100
        assert streamed.value.logid

    asyncio.run(main())
