"""Who may tell us what, and what they are answered."""

import json
import time
from typing import Any

import pytest
from django.test import AsyncClient

from cozechat.webhooks.models import Event
from tests.webhooks.conftest import post
from tests.webhooks.telling import OLD_TOKEN, TOKEN, bearer, coze_event, encoded, message_event, signed

EVENT = {"id": "e-1", "type": "something.else", "data": {"a": 1}}


async def stored() -> list[Event]:
    return [event async for event in Event.objects.order_by("pk")]


async def test_an_event_is_stored_before_it_is_accepted(tell: Any) -> None:
    answer = await tell(EVENT)
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted", "id": "e-1"})
    (event,) = await stored()
    assert (event.source, event.event_id, event.kind) == ("webhook", "e-1", "something.else")
    assert json.loads(event.body) == EVENT


async def test_the_same_event_again_is_accepted_and_stored_once(tell: Any) -> None:
    answers = [await tell(EVENT) for _each in range(3)]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert len(await stored()) == 1


async def test_without_an_id_the_same_body_is_the_same_event(tell: Any) -> None:
    for data in ({"a": 1}, {"a": 1}, {"a": 2}):
        assert (await tell({"type": "x", "data": data})).status_code == 202
    assert len(await stored()) == 2


async def test_both_doors_count_ids_for_themselves(tell: Any, call_back: Any) -> None:
    await tell(EVENT)
    await call_back(coze_event("bot.published", {}, event_id="e-1"))
    assert [event.source for event in await stored()] == ["webhook", "callback"]


@pytest.mark.parametrize("token", [TOKEN, OLD_TOKEN])
async def test_each_token_of_a_rotation_counts(token: str, transactional_db: None) -> None:
    assert (await post("/webhook/coze", EVENT, bearer(token))).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Bearer {TOKEN},{OLD_TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer \xff\xe9"},
    ],
    ids=str,
)
async def test_whoever_has_no_token_learns_nothing(headers: dict[str, str], transactional_db: None) -> None:
    answers = [await post("/webhook/coze", body, headers) for body in (EVENT, b"rubbish")]
    for answer in answers:
        assert answer.status_code == 401
        assert answer.json() == {"error": {"code": "unauthorized", "message": "Not authorized."}}
    assert await stored() == []


@pytest.mark.parametrize("path", ["/webhook/coze", "/callbacks/coze"])
async def test_without_tokens_there_is_nothing_there(
    path: str, settings: Any, transactional_db: None
) -> None:
    settings.COZE_WEBHOOK_TOKENS = settings.COZE_CALLBACK_VERIFY_TOKENS = []
    body = encoded(EVENT)
    for headers in (bearer(), bearer(""), signed(body), signed(body, token="")):
        assert (await post(path, body, headers)).status_code == 404
    assert (await AsyncClient().get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/webhook/coze", "/callbacks/coze", "/webhook/coze/"])
@pytest.mark.parametrize("method", ["get", "put", "delete", "head", "options"])
async def test_only_post_is_possible(path: str, method: str, transactional_db: None) -> None:
    answer = await getattr(AsyncClient(), method)(path, headers=bearer())
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


RUBBISH = {
    "nothing": b"",
    "no JSON": b"rubbish",
    "half": b'{"type": "x"',
    "no object": b'["type"]',
    "a number": b"1",
    "no UTF-8": b'{"type": "\xff"}',
    "NaN": b'{"type": "x", "data": {"a": NaN}}',
    "deep": b'{"type": "x", "data": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "a long number": b'{"type": "x", "data": {"a": ' + b"1" * 5000 + b"}}",
    "no type": b'{"id": "1", "data": {}}',
    "a type that is no text": b'{"id": "1", "type": 5}',
    "a long type": b'{"id": "1", "type": "' + b"x" * 101 + b'"}',
    "a type with NUL": b'{"id": "1", "type": "x\\u0000"}',
    "half a character in its id": b'{"id": "\\ud800", "type": "x"}',
    "a long id": b'{"id": "' + b"x" * 101 + b'", "type": "x"}',
    "an id that is a list": b'{"id": [], "type": "x"}',
    "data that is a list": b'{"id": "1", "type": "x", "data": []}',
    "a header that is text": b'{"header": "x"}',
}


@pytest.mark.parametrize("body", RUBBISH.values(), ids=RUBBISH)
async def test_rubbish_is_a_bad_request_in_json(body: bytes, tell: Any) -> None:
    answer = await tell(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert await stored() == []


async def test_a_body_above_the_limit_is_refused(tell: Any) -> None:
    fits = encoded({"id": "1", "type": "x", "data": {"a": ""}})
    largest = fits.replace(b'""', b'"' + b"x" * (1024 * 1024 - len(fits)) + b'"')
    assert len(largest) == 1024 * 1024
    assert (await tell(largest + b" ")).status_code == 413
    assert (await tell(largest)).status_code == 202


async def test_what_a_database_cannot_hold_is_stored_as_it_was_written(tell: Any) -> None:
    body = b'{"id": "1", "type": "x", "data": {"a": "\\u0000 \\ud800"}}'
    assert (await tell(body)).status_code == 202
    assert (await stored())[0].body == body.decode()


async def test_the_address_is_verified_by_its_challenge(call_back: Any) -> None:
    event = coze_event("url_verification", {"challenge": "c-1"})
    for answer in (await call_back(event), await post("/callbacks/coze", event, {})):
        assert (answer.status_code, answer.json()) == (200, {"challenge": "c-1"})
    assert await stored() == []


@pytest.mark.parametrize("challenge", [None, 5, "x" * 301], ids=str)
async def test_a_challenge_that_is_none_is_a_bad_request(challenge: Any, call_back: Any) -> None:
    assert (await call_back(coze_event("url_verification", {"challenge": challenge}))).status_code == 400


async def test_a_signed_event_is_stored_and_answered_with_200(call_back: Any) -> None:
    assert (await call_back(coze_event("bot.published", {"bot_id": "1"}, event_id="e-7"))).status_code == 200
    (event,) = await stored()
    assert (event.source, event.event_id, event.kind) == ("callback", "e-7", "bot.published")


async def test_both_verify_tokens_of_a_rotation_count(call_back: Any) -> None:
    assert (await call_back(coze_event("x", {}), token="the-one-before")).status_code == 200


async def test_a_replayed_request_has_no_second_effect(transactional_db: None) -> None:
    body = encoded(coze_event("bot.published", {}, event_id="e-7"))
    headers = signed(body)
    answers = [await post("/callbacks/coze", body, headers) for _each in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert len(await stored()) == 1


@pytest.mark.parametrize("minutes", [-6, 6, -600])
async def test_an_old_or_future_signature_is_refused(minutes: int, call_back: Any) -> None:
    timestamp = str(int((time.time() + 60 * minutes) * 1000))
    answer = await call_back(coze_event("x", {}), timestamp=timestamp)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "stale")
    assert await stored() == []


@pytest.mark.parametrize("timestamp", ["soon", "-1", "9" * 40, "1e12"])
async def test_a_timestamp_that_is_no_time_is_refused(timestamp: str, call_back: Any) -> None:
    assert (await call_back(coze_event("x", {}), timestamp=timestamp)).status_code == 400


async def test_a_wrong_signature_is_refused(transactional_db: None) -> None:
    event = coze_event("url_verification", {"challenge": "c"})
    body = encoded(event)
    good = signed(body)
    shifted = {**good, "X-Coze-Timestamp": good["X-Coze-Timestamp"][:-1]}
    shifted["X-Coze-Nonce"] = good["X-Coze-Timestamp"][-1] + good["X-Coze-Nonce"]
    wrong = [
        signed(body, token="wrong"),
        signed(body + b" "),
        {**good, "X-Coze-Nonce": "another"},
        {**good, "X-Coze-Signature": good["X-Coze-Signature"].upper()},
        {name: value for name, value in good.items() if name != "X-Coze-Timestamp"},
        {"X-Coze-Signature": good["X-Coze-Signature"]},
    ]
    for headers in wrong:
        assert (await post("/callbacks/coze", body, headers)).status_code == 401
    # The same signature over a later digit: the hash agrees, the time does not.
    assert (await post("/callbacks/coze", body, shifted)).status_code == 400
    assert await stored() == []


async def test_without_a_signature_only_the_address_is_verified(transactional_db: None) -> None:
    for body in (coze_event("benefit.usage", {"id": "1"}), b"rubbish", b"{}"):
        assert (await post("/callbacks/coze", body, {})).status_code == 401
    assert await stored() == []


async def test_a_bearer_token_opens_no_callback_and_a_signature_no_webhook(transactional_db: None) -> None:
    body = encoded(coze_event("x", {}))
    assert (await post("/callbacks/coze", body, bearer())).status_code == 401
    assert (await post("/webhook/coze", body, signed(body))).status_code == 401


async def test_with_https_plain_http_is_refused(settings: Any, tell: Any) -> None:
    settings.HTTPS = True
    assert (await tell(EVENT)).status_code == 403
    assert await stored() == []


async def test_another_host_name_is_refused(tell: Any) -> None:
    assert (await tell(EVENT, Host="elsewhere.example")).status_code == 400


async def test_a_database_that_is_away_lets_the_sender_try_again(
    tell: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from asgiref.sync import sync_to_async
    from django.db import connection

    def rename(old: str, new: str) -> None:
        with connection.schema_editor() as editor:
            editor.execute(f"ALTER TABLE {old} RENAME TO {new}")

    await sync_to_async(rename)("webhooks_event", "webhooks_away")
    try:
        answer = await tell({"id": "1", "type": "x", "data": {"secret": "words-of-alice"}})
    finally:
        await sync_to_async(rename)("webhooks_away", "webhooks_event")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "could not be stored" in caplog.text
    assert "words-of-alice" not in caplog.text


async def test_no_body_and_no_token_is_logged(
    tell: Any, handled: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await tell(message_event("1", "words-of-alice"))
    await tell({"id": "1", "type": "conversation.message", "data": {"message": "words-of-alice"}})
    await post("/webhook/coze", b"words-of-alice", bearer())
    await post("/webhook/coze", EVENT, bearer("token-that-is-wrong"))
    await handled()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("cozechat", "conv"))]
    assert not [line for line in ours if "words-of-alice" in line or "token-" in line]


async def test_the_doors_are_no_pages(transactional_db: None) -> None:
    """They need neither cookie nor CSRF token, and set none."""
    strict = AsyncClient(enforce_csrf_checks=True)
    answer = await strict.post("/webhook/coze", EVENT, content_type="application/json", headers=bearer())
    assert answer.status_code == 202
    assert not answer.cookies
    assert "Content-Security-Policy" not in answer.headers
