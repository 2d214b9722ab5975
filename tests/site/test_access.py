"""Each request and each socket has an id, in its lines, in its answer, on its error page; and a line of its own."""

import asyncio
import logging
import re

import pytest
from asgiref.testing import ApplicationCommunicator

from cozechat import logs
from cozechat.access import Access, shown

pytestmark = pytest.mark.django_db(transaction=True)
OUR_ID = re.compile(r"req_[0-9a-f]{32}")


@pytest.fixture
def lines(caplog):
    """The lines of the access log, with the ids that each was written under."""
    import cozechat.asgi  # noqa: F401 - it configures logging anew

    caplog.set_level(logging.INFO)
    found = []

    class Note(logging.Handler):
        def emit(self, record):
            found.append((record, logs.current()))

    note = Note()
    logging.getLogger("cozechat.access").addHandler(note)
    yield found
    logging.getLogger("cozechat.access").removeHandler(note)


async def get(path: str, **headers: str):
    """The whole way of one request, as a server makes the application go it."""
    from cozechat.asgi import application

    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    path, _mark, query = path.partition("?")
    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": query.encode(),
        "headers": [(b"host", b"localhost"), *sent],
    }  # fmt: skip
    asked = [{"type": "http.request", "body": b"", "more_body": False}]
    said: list[dict] = []

    async def receive():
        return asked.pop() if asked else await asyncio.Event().wait()

    async def send(message):
        said.append(message)

    await application(scope, receive, send)
    names = {name.lower().decode(): value.decode() for name, value in said[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in said[1:])
    return {"status": said[0]["status"], "headers": names, "body": body}


async def test_a_request_gets_an_id_and_says_it(lines):
    answer = await get("/accounts/login/")
    ((record, ids),) = lines
    assert OUR_ID.fullmatch(answer["headers"]["x-request-id"])
    assert ids == {"request_id": answer["headers"]["x-request-id"]}
    assert (record.method, record.path, record.status) == ("GET", "/accounts/login/", 200)
    assert record.ms > 0


async def test_a_proxys_id_is_kept(lines):
    answer = await get("/accounts/login/", x_request_id="proxy-1234.abc")
    assert answer["headers"]["x-request-id"] == "proxy-1234.abc"
    assert lines[0][1]["request_id"] == "proxy-1234.abc"


@pytest.mark.parametrize(
    "sent", ["", "short", "x" * 101, "with space inside", "a\\nb-forged-line", "<script>alert(1)</script>", "中" * 10,
             "pat_abcdefghijklmnop", "eyJhbGciOiJIUzI1NiJ9.e30.abc"]
)  # fmt: skip
async def test_an_id_that_makes_no_sense_is_replaced(lines, sent):
    answer = await get("/accounts/login/", x_request_id=sent)
    assert OUR_ID.fullmatch(answer["headers"]["x-request-id"])
    assert "client_request_id" not in lines[0][1]


async def test_the_api_keeps_its_own_ids_which_are_unique_and_notes_the_clients(lines):
    answer = await get("/v1/models", x_request_id="a-clients-own-id")
    assert OUR_ID.fullmatch(answer["headers"]["x-request-id"])
    assert lines[0][1] == {
        "request_id": answer["headers"]["x-request-id"], "client_request_id": "a-clients-own-id",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/nothing-here", "/api/conversations/rubbish"])
async def test_a_page_that_tells_of_an_error_shows_the_id(lines, path):
    answer = await get(path)
    assert answer["status"] == 404
    assert answer["headers"]["x-request-id"] in answer["body"].decode()


async def test_the_page_of_our_own_fault_shows_the_id_that_the_traceback_is_logged_under(monkeypatch, caplog):
    found = []
    caplog.handler.addFilter(lambda record: found.append((record.name, logs.current())) or True)
    monkeypatch.setattr("django.contrib.auth.decorators.resolve_url", lambda _to: 1 / 0)
    answer = await get("/")
    assert answer["status"] == 500
    told = dict(found)["django.request"]
    assert answer["headers"]["x-request-id"] == told["request_id"]
    assert told["request_id"] in answer["body"].decode()


async def test_a_query_is_not_logged(lines, caplog):
    await get("/nothing-here?password=a-secret-word")
    assert "a-secret-word" not in caplog.text + str([vars(record) for record, _ids in lines])


@pytest.mark.parametrize("path", ["/health", "/static/nothing.css", "/favicon.ico"])
async def test_what_is_asked_for_all_the_time_has_no_line_unless_it_fails(lines, path):
    answer = await get(path)
    assert len(lines) == (answer["status"] >= 400)


async def test_who_is_logged_in_is_in_the_line(lines, alice, client):
    from asgiref.sync import sync_to_async

    await sync_to_async(client.force_login)(alice)
    await get("/", cookie=f"sessionid={client.cookies['sessionid'].value}")
    assert lines[0][1]["user_id"] == alice.pk


async def test_a_client_that_leaves_has_a_line(lines):
    async def silent(scope, receive, send):
        await asyncio.sleep(0)

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    asked = ApplicationCommunicator(Access(silent, has_own_ids=lambda _path: False), scope)
    await asked.wait()
    assert "was left by its client" in lines[0][0].getMessage()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/accounts/password/reset/key/3-cq2xyz-0123456789abcdef0123/", "/accounts/password/reset/key/[redacted]/"),
        ("/accounts/confirm-email/MQ:1abcdef:9sZ_abcdefgh-ij/", "/accounts/confirm-email/[redacted]/"),
        ("/c/0b7e1c52-6f0a-4d53-9f0e-1d2c3b4a5968/", "/c/0b7e1c52-6f0a-4d53-9f0e-1d2c3b4a5968/"),
        ("/accounts/password/reset/done/", "/accounts/password/reset/done/"),
        ("/a-page-with-a-long-name.html", "/a-page-with-a-long-name.html"),
        ("/" + "x" * 10_000, "/" + "x" * 499),
        ("/v1/chat/completions", "/v1/chat/completions"),
    ],
)  # fmt: skip
def test_a_path_shows_where_but_no_ticket(path, said):
    assert shown(path) == said


def test_work_that_goes_on_carries_the_ids_it_was_given_and_no_others():
    async def main():
        with logs.only(request_id="a", user_id=1):
            plain = asyncio.create_task(ids())
            turn = asyncio.create_task(ids(), context=logs.context_of(turn_id="t"))
            chore = asyncio.create_task(ids(), context=logs.context_of())
            with logs.also(user_id=2):
                inner = logs.current()
        return await plain, await turn, await chore, inner, logs.current()

    async def ids():
        await asyncio.sleep(0)
        return logs.current()

    assert asyncio.run(main()) == (
        {"request_id": "a", "user_id": 1}, {"turn_id": "t"}, {}, {"request_id": "a", "user_id": 2}, {},
    )  # fmt: skip


def test_the_context_of_a_task_keeps_the_language_of_who_asked():
    from django.utils import translation

    with translation.override("zh-hans"):
        context = logs.context_of(turn_id="t")
    assert context.run(translation.get_language) == "zh-hans"


async def test_a_thread_of_the_pool_forgets_whom_it_worked_for():
    from cozechat import database

    async def ask(number):
        with logs.only(user_id=number):
            return await database.run(logs.current)

    assert await asyncio.gather(*map(ask, range(1, 40))) == [{"user_id": number} for number in range(1, 40)]
    assert await database.run(logs.current) == {}
