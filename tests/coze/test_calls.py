"""Conversations and messages: what is asked, what comes of each kind of answer."""

import asyncio
import gzip
import json
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from cozechat.coze import codes, errors
from cozechat.coze.client import CozeClient
from cozechat.coze.types import Conversation
from tests.coze.wire import ALICE, LOG_ID, CozeStub, Script, Step, client_of, envelope, response, run

WIRE = {
    "id": "7390331532575195148",
    "name": "First",
    "meta_data": {"k": "v", "n": 1},
    "created_at": "1735115982",
    "updated_at": 1735115983,
    "last_section_id": "7390331532575195149",
}
CONVERSATION = Conversation(
    id="7390331532575195148",
    name="First",
    created_at=1735115982,
    updated_at=1735115983,
    last_section_id="7390331532575195149",
    meta_data={"k": "v", "n": "1"},
)


def ask(method: str, *arguments: Any, answer: Script, **options: Any) -> tuple[Any, CozeStub]:
    """What a method of the client returns, and the stub that saw its requests."""

    async def scene(client: CozeClient, coze: CozeStub) -> Any:
        return await getattr(client, method)(ALICE, *arguments, **options), coze

    return run(scene, answer)


def refusal(answer: Script) -> errors.CozeError:
    with pytest.raises(errors.CozeError) as caught:
        ask("retrieve_conversation", "1", answer=answer)
    return caught.value


def test_a_conversation_is_created_for_the_caller():
    made, coze = ask(
        "create_conversation", bot_id="7", name="First", meta_data={"k": "v"}, answer=envelope(WIRE)
    )
    assert made == CONVERSATION
    (request,) = coze.requests
    assert (request.method, request.target) == ("POST", "/v1/conversation/create")
    assert request.json == {
        "bot_id": "7",
        "name": "First",
        "meta_data": {"k": "v"},
        "session_name": "u_alice",
    }
    assert request.headers["authorization"] == "Bearer czs_alice"


def test_conversations_are_listed_by_page():
    page, coze = ask(
        "list_conversations",
        bot_id="7",
        page_num=2,
        answer=envelope({"has_more": True, "conversations": [WIRE]}),
    )
    assert (page.items, page.has_more) == ((CONVERSATION,), True)
    assert coze.requests[0].target == "/v1/conversations?bot_id=7&page_num=2&page_size=50&sort_order=DESC"


@pytest.mark.parametrize("data", [{}, {"conversations": None, "has_more": None}, {"conversations": []}])
def test_a_listing_without_a_list_is_empty(data: dict[str, Any]):
    page, _ = ask("list_conversations", bot_id="7", answer=envelope(data))
    assert (page.items, page.has_more) == ((), False)


def test_a_conversation_is_retrieved_renamed_and_deleted():
    found, coze = ask("retrieve_conversation", "7&x", answer=envelope(WIRE))
    assert found == CONVERSATION
    assert coze.requests[0].target == "/v1/conversation/retrieve?conversation_id=7%26x"
    renamed, coze = ask("rename_conversation", "7", name="我", answer=envelope(WIRE))
    assert renamed == CONVERSATION
    assert (coze.requests[0].method, coze.requests[0].target) == ("PUT", "/v1/conversations/7")
    assert coze.requests[0].json == {"name": "我", "session_name": "u_alice"}
    gone, coze = ask("delete_conversation", "7", answer=envelope())
    assert gone is None
    assert (coze.requests[0].method, coze.requests[0].target) == ("DELETE", "/v1/conversations/7")


def test_a_cleared_conversation_goes_on_in_a_new_section():
    section, coze = ask("clear_conversation", "7", answer=envelope({"id": "8", "conversation_id": "7"}))
    assert section == "8"
    assert coze.requests[0].target == "/v1/conversations/7/clear"


def test_messages_are_listed_by_cursor():
    message = {"id": "1", "role": "user", "type": "question", "content": "a\ud83d", "content_type": "text"}
    page, coze = ask(
        "list_messages",
        "7",
        limit=2,
        order="asc",
        after_id="0",
        answer=response(
            json.dumps(
                {"code": 0, "data": [message], "first_id": "1", "last_id": 1, "has_more": True}
            ).encode()
        ),
    )
    assert (page.first_id, page.last_id, page.has_more) == ("1", "1", True)
    assert (page.items[0].role, page.items[0].content) == ("user", "a\ufffd")
    assert coze.requests[0].target == "/v1/conversation/message/list?conversation_id=7"
    assert coze.requests[0].json == {"limit": 2, "order": "asc", "after_id": "0", "session_name": "u_alice"}


def test_a_list_of_no_messages_may_be_left_out():
    page, _ = ask("list_messages", "7", answer=envelope())
    assert page.items == ()


def test_the_session_name_can_be_kept_out_of_payloads():
    async def scene(client: CozeClient, coze: CozeStub) -> Any:
        await client.create_conversation(ALICE)
        return coze.requests[0].json

    assert run(scene, envelope(WIRE), send_session_name_in_body=False) == {}


@pytest.mark.parametrize("conversation_id", ["", ".", ".."])
def test_an_id_that_names_something_else_is_never_sent(conversation_id: str):
    with pytest.raises(errors.BadRequest):
        ask("delete_conversation", conversation_id, answer=envelope())


def test_an_id_cannot_leave_its_place_in_the_path():
    _, coze = ask("delete_conversation", "../bots/1?x#y", answer=envelope())
    assert coze.requests[0].target == "/v1/conversations/..%2Fbots%2F1%3Fx%23y"


def test_a_base_url_may_have_a_path():
    async def scene(client: CozeClient, coze: CozeStub) -> str:
        async with client_of(coze.base_url + "/emu/") as other:
            await other.delete_conversation(ALICE, "7")
        return coze.requests[0].target

    assert run(scene, envelope()) == "/emu/v1/conversations/7"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (envelope(code=4100, msg="authentication is invalid"), errors.TokenRefused),
        (envelope(code="700012006", msg="access token invalid"), errors.TokenRefused),
        (envelope(code=4101, msg="no"), errors.PermissionDenied),
        (envelope(code="4002", msg="no"), errors.ConversationNotFound),
        (envelope(code=4008, msg="no"), errors.QuotaExceeded),
        (envelope(code=123456, msg="news"), errors.UpstreamFailed),
        (envelope(code="strange", msg="news"), errors.UpstreamFailed),
        (envelope(), errors.BadResponse),
        (envelope([]), errors.BadResponse),
        (envelope({"name": "no id"}), errors.BadResponse),
        (response(b'{"data":{"id":"1"}}'), errors.BadResponse),
        (response(b"[]"), errors.BadResponse),
        (response(b""), errors.BadResponse),
        (response(b"[" * 100_000), errors.BadResponse),
        (response(b"<html>", mime="text/html"), errors.BadResponse),
        (response(b"<html>", mime="text/html", status="502 Bad Gateway"), errors.UpstreamFailed),
        (response(b"<html>", mime="text/html", status="504 Gateway Timeout"), errors.TimedOut),
        (response(b"", status="401 Unauthorized"), errors.TokenRefused),
        (response(b'{"code":0,"data":{"id":"1"}}', status="403 Forbidden"), errors.PermissionDenied),
        (response(b"{}", status="404 Not Found"), errors.NotFound),
        (response(b"", status="301 Moved", headers="Location: http://127.0.0.1:9/\r\n"), errors.BadResponse),
        (response(gzip.compress(b"{}"), headers="Content-Encoding: gzip\r\n"), errors.BadResponse),
        ([b"", Step(seconds=1)], errors.TimedOut),
        ([b"", Step(reset=True)], errors.ConnectionLost),
        (
            [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", Step(seconds=0.05), Step(reset=True)],
            errors.Truncated,
        ),
    ],
)
def test_what_is_no_success_is_an_error_named_for_its_cause(answer: Script, kind: type):
    assert type(refusal(answer)) is kind


def test_the_log_id_of_the_header_comes_first_and_the_body_is_the_fallback():
    assert refusal(envelope(code=4002)).log_id == LOG_ID
    bare = b'{"code":4002,"msg":"","detail":{"logid":"from-detail"}}'
    assert (
        refusal([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(bare) + bare]).log_id == "from-detail"
    )


def test_an_error_says_its_code_and_log_id():
    assert str(refusal(envelope(code=4002, msg="gone"))) == f"gone (code 4002) [log {LOG_ID}]"


def test_a_rate_limit_in_seconds_is_kept():
    error = refusal(response(b"", status="429 Too Many Requests", headers="Retry-After: 7\r\n"))
    assert (type(error), error.retry_after) == (errors.RateLimited, 7)


def test_a_rate_limit_until_a_date_is_kept():
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    error = refusal(response(b"", status="429 Too Many Requests", headers=f"Retry-After: {date}\r\n"))
    assert 25 < (error.retry_after or 0) <= 30


@pytest.mark.parametrize(
    ("value", "seconds"), [("-5", 0), ("1e9", 3600), ("nan", None), ("soon", None), ("", None), (None, None)]
)
def test_a_strange_wait_is_bounded_or_forgotten(value: str | None, seconds: float | None):
    assert codes.parse_retry_after(value, now=0) == seconds


def test_a_rate_limit_by_code_keeps_the_header_too():
    error = refusal(response(b'{"code":4020,"msg":"slow"}', headers="Retry-After: 3\r\n"))
    assert (type(error), error.retry_after) == (errors.RateLimited, 3)


def test_a_cookie_of_one_call_does_not_travel_with_the_next():
    async def scene(client: CozeClient, coze: CozeStub) -> Any:
        await client.delete_conversation(ALICE, "1")
        await client.delete_conversation(ALICE, "2")
        return coze.requests

    first, second = run(scene, response(b'{"code":0}', headers="Set-Cookie: session=alice; Path=/\r\n"))
    assert "cookie" not in first.headers
    assert "cookie" not in second.headers


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    ask("delete_conversation", "1", answer=envelope())


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def test_nobody_there_is_unreachable_and_nothing_was_sent():
    async def main() -> None:
        async with client_of(f"http://127.0.0.1:{free_port()}") as client:
            with pytest.raises(errors.Unreachable) as caught:
                await client.retrieve_conversation(ALICE, "1")
        assert caught.value.nothing_sent
        assert caught.value.kind == "unreachable"

    asyncio.run(main())


def test_a_call_is_tried_once_more_when_there_was_no_connection():
    async def main() -> Conversation:
        port = free_port()
        coze = CozeStub(answers=[envelope(WIRE)])
        async with client_of(f"http://127.0.0.1:{port}") as client:
            call = asyncio.create_task(client.retrieve_conversation(ALICE, "1"))
            # The first attempt fails within these turns of the loop; the second finds the server.
            original = client._transport._call
            attempts = 0

            async def counted(request: Any) -> Any:
                nonlocal attempts, server
                attempts += 1
                if attempts == 2:
                    server = await asyncio.start_server(coze.serve, "127.0.0.1", port)
                return await original(request)

            server: asyncio.Server | None = None
            client._transport._call = counted  # type: ignore[method-assign]
            found = await call
        assert server is not None
        server.close()
        await server.wait_closed()
        return found

    assert asyncio.run(main()) == CONVERSATION


def test_a_lost_answer_is_not_asked_for_again():
    async def scene(client: CozeClient, coze: CozeStub) -> int:
        with pytest.raises(errors.ConnectionLost):
            await client.create_conversation(ALICE)
        return len(coze.requests)

    assert run(scene, [b"", Step(reset=True)]) == 1


def test_a_token_and_a_key_are_not_shown():
    async def scene(client: CozeClient, coze: CozeStub) -> str:
        return repr((ALICE, client._exchanges._credentials))

    shown = run(scene, envelope(), private_key="-----BEGIN SECRET")
    assert "czs_alice" not in shown
    assert "SECRET" not in shown
    assert "u_alice" in shown


@pytest.mark.parametrize("kind", [item for item in vars(errors).values() if isinstance(item, type)])
def test_every_error_has_a_word_for_the_outside(kind: type):
    if not issubclass(kind, errors.CozeError):
        return
    words = (
        "unreachable timeout auth not_found not_published quota rate_limited busy content_refused truncated"
    )
    assert kind.kind in {*words.split(), "bad_response", "upstream_error", "internal"}
    assert kind.__name__ in (errors.__doc__ or "")
