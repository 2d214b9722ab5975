"""What is refused, how it is said, and that it costs nothing."""

import socket
from urllib.parse import urlsplit

import openai
import pytest

from .conftest import client_for

QUESTION = [{"role": "user", "content": "count to 5"}]
# Half a character makes it mended, deep enough for that to fail.
DEEP = b'{"model": "\\ud800", "x": ' + b"[" * 700 + b"]" * 700 + b"}"
BODY = {"model": "gpt-4", "messages": QUESTION}


def refusal(client, **more):
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(**(BODY | more))
    return refused.value


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 2}, "n"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "assistant", "content": "hi"}]}, "messages"),
        ({"messages": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"model": "coze-workflow"}, "workflow_id"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"extra_body": {"user": ["x"]}}, "user"),
        ({"extra_body": {"workflow_id": "1"}}, "workflow_id"),
        ({"metadata": {"k": "v" * 600}}, "metadata"),
    ],
)
def test_a_body_that_cannot_be_answered_says_which_parameter_is_wrong(more, param, client):
    refused = refusal(client, **more)
    assert isinstance(refused, openai.BadRequestError)
    assert refused.param == param


def test_a_wrong_key_is_refused_once(site):
    with client_for(site, "sk-cc-wrong", max_retries=2) as client:
        refused = refusal(client)
    assert isinstance(refused, openai.AuthenticationError)
    assert refused.code == "invalid_api_key"
    assert refused.response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("end", ["is_active=False", "expires_at=timezone.now()"], ids=["revoked", "expired"])
def test_a_key_that_has_ended_opens_nothing(end, site, key):
    site.colleague.does(f"""
from django.utils import timezone
from cozechat.gateway import keys
from cozechat.gateway.models import ApiKey
ApiKey.objects.filter(digest=keys.digest({key!r})).update({end})
""")
    with client_for(site, key) as client:
        assert refusal(client).code == "invalid_api_key"


def test_a_key_is_refused_from_other_addresses(site):
    with client_for(site, site.key(addresses=["192.0.2.0/24"])) as client:
        assert refusal(client).code == "ip_not_allowed"
    with client_for(site, site.key(addresses=["127.0.0.0/8"])) as client:
        client.chat.completions.create(**BODY)


def test_no_money_is_said_once_and_nothing_reaches_coze(site):
    site.colleague.does("""
from accounts.models import User
User.objects.get_or_create(username="penniless")
""")
    key = site.key("penniless")
    with client_for(site, key, max_retries=2) as client:
        refused = refusal(client)
    assert (refused.status_code, refused.code) == (429, "insufficient_quota")
    assert refused.response.headers["x-should-retry"] == "false"
    (record,) = site.records(secret=key)
    assert (record["status"], record["cost"], record["error_code"]) == ("refused", 0, "insufficient_quota")
    assert site.coze.ledger()["chats"] == {}


def test_a_model_without_a_price_is_refused_not_free(site, key):
    site.colleague.does("""
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.emulator import seed
app = CozeApp.objects.create(name="unpriced", base_url="https://api.coze.cn")
Assistant.objects.create(app=app, name="unpriced", gateway_name="unpriced", kind="bot", bot_id=seed.BOT_ID)
""")
    with client_for(site, key) as client:
        refused = refusal(client, model="unpriced")
    assert (refused.status_code, refused.code) == (400, "price_not_configured")


def test_a_budget_of_a_key_and_of_an_end_user_ends_by_itself(site):
    with client_for(site, site.key(limit=2_000_000)) as client:
        client.chat.completions.create(**BODY)
        while True:
            try:
                client.chat.completions.create(**BODY)
            except openai.RateLimitError as error:
                refused = error
                break
    assert refused.code == "insufficient_quota"
    assert "this key" in refused.message
    with client_for(site, site.key(end_user_limit=1_600_000)) as client:
        client.chat.completions.create(user="a", **BODY)
        client.chat.completions.create(user="b", **BODY)
        for _ in range(20):
            try:
                client.chat.completions.create(user="a", **BODY)
            except openai.RateLimitError as error:
                assert "end user" in error.message
                break
        else:
            raise AssertionError("the end user's budget never ended")


def test_too_many_requests_are_told_when_to_come_back(site):
    key = site.key(requests_per_minute=2)
    with client_for(site, key) as client:
        raw = client.chat.completions.with_raw_response.create(**BODY)
        assert raw.headers["x-ratelimit-limit-requests"] == "2"
        assert raw.headers["x-ratelimit-remaining-requests"] == "1"
        client.chat.completions.create(**BODY)
        refused = refusal(client)
    assert (refused.status_code, refused.code, refused.type) == (429, "rate_limit_exceeded", "requests")
    assert 1 <= int(refused.response.headers["retry-after"]) <= 60
    assert [record["status"] for record in site.records(secret=key)] == ["completed", "completed", "refused"]


def test_too_many_tokens_are_refused_and_unused_ones_come_back(site):
    key = site.key(tokens_per_minute=1500)
    with client_for(site, key) as client:
        # A thousand are set aside each time and a dozen are used, so the second call fits into the minute.
        for _ in range(3):
            client.chat.completions.create(**BODY)
        refused = refusal(client, messages=[{"role": "user", "content": "count to 3 " + "字" * 1499}])
    assert (refused.code, refused.type) == ("rate_limit_exceeded", "tokens")


def test_a_second_call_at_once_waits_until_the_client_comes_back(site):
    key = site.key(concurrency=1)
    slow = [{"role": "user", "content": "slowly count to 60"}]
    with client_for(site, key) as client:
        stream = client.chat.completions.create(model="gpt-4", messages=slow, stream=True)
        next(iter(stream))
        assert refusal(client).code == "rate_limit_exceeded"
        with client_for(site, key, max_retries=5) as patient:
            assert patient.chat.completions.create(**BODY).choices[0].message.content == "1 2 3 4 5"
        stream.close()


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "code"),
    [
        ("POST", "/v1/chat/completions", {"content": b"{"}, 400, "invalid_json"),
        ("POST", "/v1/chat/completions", {"content": b"[]"}, 400, "invalid_json"),
        ("POST", "/v1/chat/completions", {"content": b"\xff\xfe"}, 400, "invalid_json"),
        ("POST", "/v1/chat/completions", {"content": b"[" * 100_000}, 400, "invalid_json"),
        ("POST", "/v1/chat/completions", {"content": b'{"n": NaN}'}, 400, "invalid_json"),
        ("POST", "/v1/chat/completions", {"content": DEEP}, 400, "invalid_json"),
        ("POST", "/v1/chat/completions", {"data": {"a": "b"}}, 415, "unsupported_media_type"),
        ("POST", "/v1/chat/completions", {"content": b" " * 17_000_000}, 413, "request_too_large"),
        ("GET", "/v1/chat/completions", {}, 405, "method_not_allowed"),
        ("DELETE", "/v1/models", {}, 405, "method_not_allowed"),
        ("POST", "/v1/chat/completions/", {"json": BODY}, 404, "not_found"),
        ("POST", "/v1/nothing", {"json": BODY}, 404, "not_found"),
        ("GET", "/v1", {}, 404, "not_found"),
        ("POST", "/chat/completions", {"json": BODY}, 404, "not_found"),
        ("GET", "/v1/models/%ff%00", {}, 404, "model_not_found"),
    ],
)
def test_everything_under_v1_answers_in_json(method, path, more, status, code, site, key):
    if "content" in more:
        more = more | {"headers": {"Content-Type": "application/json"}}
    found = site.post(path, key=key, method=method, **more)
    assert found.status_code == status
    assert found.headers["content-type"] == "application/json"
    assert found.headers["x-request-id"].startswith("req_")
    error = found.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert found.cookies == {}


def test_a_foreign_host_is_refused_in_json(site, key):
    found = site.post("/v1/models", key=key, method="GET", headers={"Host": "evil.example"})
    assert (found.status_code, found.json()["error"]["code"]) == (400, "invalid_host")


def test_half_a_surrogate_is_no_reason_to_fail(site, key):
    body = rb'{"model": "gpt-4", "messages": [{"role": "user", "content": "say \ud83d"}], "user": "\udc00"}'
    found = site.post(
        "/v1/chat/completions", key=key, content=body, headers={"Content-Type": "application/json"}
    )
    assert found.status_code == 200


def test_a_browser_may_ask_with_the_headers_of_the_official_client(site):
    wanted = "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-retry-count"
    headers = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": wanted,
    }
    found = site.post("/v1/chat/completions", method="OPTIONS", headers=headers)
    assert found.status_code == 204
    assert found.headers["access-control-allow-origin"] == "*"
    assert found.headers["access-control-allow-headers"] == wanted
    refused = site.post("/v1/chat/completions", json=BODY, headers={"Origin": "https://app.example"})
    assert refused.status_code == 401
    assert "x-request-id" in refused.headers["access-control-expose-headers"]


def test_a_request_that_never_ends_its_body_harms_nobody(site, client):
    where = urlsplit(site.url)
    with socket.create_connection((where.hostname, where.port), timeout=5) as line:
        line.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
        assert client.chat.completions.create(**BODY).choices[0].message.content == "1 2 3 4 5"
