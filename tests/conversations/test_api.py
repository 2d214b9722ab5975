"""JSON for pages and scripts: one's own conversations, page by page; anybody else's do not exist."""

import base64
import json
import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from conversations import listing
from conversations.models import Conversation, Message
from tests.conversations import rows

LIST = "/api/conversations/"
SEARCH = "/api/search"
MISSING = uuid.UUID("00000000-0000-4000-8000-000000000000")


@pytest.fixture(autouse=True)
def no_coze(settings, tmp_path):
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.COZE_EMULATOR_DIR = tmp_path


@pytest.fixture
def alice(db) -> User:
    return User.objects.create_user("alice")


@pytest.fixture
def bob(db) -> User:
    return User.objects.create_user("bob")


@pytest.fixture
def alices(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def bobs(bob) -> Client:
    client = Client()
    client.force_login(bob)
    return client


def url(thread, rest: str = "/") -> str:
    return f"{LIST}{getattr(thread, 'pk', thread)}{rest}"


def patch(client: Client, path: str, body) -> object:
    return client.patch(path, json.dumps(body), content_type="application/json")


def walk(client: Client, path: str, *, name: str, limit: int) -> list[dict]:
    items, cursor = [], ""
    while cursor is not None:
        page = client.get(path, {"limit": limit, **({name: cursor} if cursor else {})}).json()
        assert len(page["items"]) <= limit
        items.append(page["items"])
        cursor = page["next"]
    return items


EVERYTHING = [
    ("GET", LIST), ("HEAD", LIST), ("POST", LIST), ("GET", url(MISSING)), ("HEAD", url(MISSING)), ("PATCH", url(MISSING)),
    ("DELETE", url(MISSING)), ("GET", url(MISSING, "/messages")), ("GET", url(MISSING, "/export")), ("GET", SEARCH),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
def test_whoever_is_not_signed_in_gets_401_as_json(method, path, db):
    answer = Client().generic(method, path)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/json"
    assert method == "HEAD" or answer.json()["error"]["code"] == "signed_out"
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", LIST), ("DELETE", LIST), ("PATCH", LIST), ("POST", url(MISSING)), ("PUT", url(MISSING))]
    + [(method, url(MISSING, rest)) for method in ("POST", "DELETE") for rest in ("/messages", "/export")]
    + [("POST", SEARCH)],
)
def test_a_wrong_method_is_405(method, path, alices):
    answer = alices.generic(method, path)
    assert answer.status_code == 405
    assert "GET" in answer["Allow"]


@pytest.mark.parametrize(
    ("method", "path"), [entry for entry in EVERYTHING if entry[0] in {"POST", "PATCH", "DELETE"}]
)
def test_a_change_without_a_csrf_token_is_refused(method, path, alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.generic(method, path, b"{}", content_type="application/json").status_code == 403
    assert Conversation.objects.count() == 0


def test_a_csrf_token_from_the_page_lets_a_change_through(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    page = client.get("/").content.decode()
    token = page.split('name="csrf-token" content="')[1].split('"')[0]
    answer = client.post(LIST, {}, content_type="application/json", headers={"X-CSRFToken": token})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("method", "rest"),
    [("GET", "/"),
     ("PATCH", "/"), ("DELETE", "/"), ("GET", "/messages"), ("GET", "/export"), ("GET", "/export?format=json"),
     ("GET", "/messages?before=rubbish"), ("GET", "/export?format=rubbish")],
)  # fmt: skip
def test_bobs_conversation_answers_alice_like_one_that_does_not_exist(method, rest, alices, bob):
    bobs = rows.conversation(bob, title="Bob's secret")
    rows.turn(bobs, "question", "secret")
    deleted = rows.conversation(bob, deleted_at=datetime.now(UTC))
    body = b'{"title": "stolen"}'
    theirs, nobodys, gone = (
        alices.generic(method, url(thread, rest), body, content_type="application/json")
        for thread in (bobs, MISSING, deleted)
    )
    assert theirs.status_code == nobodys.status_code == gone.status_code == 404
    assert theirs.content == nobodys.content == gone.content
    # A second may pass between the two requests.
    assert _undated(theirs) == _undated(nobodys)
    bobs.refresh_from_db()
    assert bobs.title == "Bob's secret"
    assert bobs.deleted_at is None


def _undated(response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in {"Expires", "Date"}}


def test_nobody_lists_or_finds_what_is_bobs(alices, bob):
    rows.turn(rows.conversation(bob, title="secret"), "secret", "secret")
    assert alices.get(LIST).json() == {"items": [], "next": None}
    assert alices.get(SEARCH, {"q": "secret"}).json() == {"items": [], "next": None}


def test_a_conversation_is_made_shown_renamed_and_deleted(alices):
    made = alices.post(LIST, {"title": " Coffee "}, content_type="application/json")
    assert made.status_code == 201
    thread = made.json()
    assert thread["title"] == "Coffee"
    assert alices.get(url(thread["id"])).json() == thread
    assert patch(alices, url(thread["id"]), {"title": "Tea\x07 \ud83d"}).json()["title"] == "Tea \ufffd"
    assert alices.get(LIST).json()["items"][0]["title"] == "Tea \ufffd"
    assert alices.delete(url(thread["id"])).status_code == 204
    assert alices.delete(url(thread["id"])).status_code == 404
    assert alices.get(LIST).json()["items"] == []


def test_a_conversation_without_a_title_is_made_from_no_body(alices):
    assert alices.post(LIST, content_type="application/json").status_code == 201
    assert alices.post(LIST, b"", content_type="application/json").json()["title"] == ""


@pytest.mark.parametrize(
    "body",
    ["[]", "1", "null", "{", '"x"', "[" * 100_000, '{"title": "' + "x" * 101 + '"}', "\xff", '{"title": ["x"]}',
     '{"title": {"a": 1}}', '{"title": 5}', '{"title": null}', '{"title": ""}',
     '{"title": "  "}', '{"title": "\\u0000"}'],
)  # fmt: skip
def test_a_body_that_makes_no_sense_is_400(body, alices, alice):
    thread = rows.conversation(alice, title="before")
    raw = body.encode("latin-1")
    answer = alices.patch(url(thread), raw, content_type="application/json")
    thread.refresh_from_db()
    assert answer.status_code == 400, answer.content
    assert answer.json()["error"]["code"] == "bad_request"
    assert thread.title == "before"
    assert alices.post(LIST, raw, content_type="application/json").status_code in {201, 400}


def test_without_any_assistant_nothing_is_made(alices, settings):
    alices.get("/")
    from cozechat.catalog.models import Assistant

    Assistant.objects.update(is_active=False)
    assert alices.post(LIST, {}, content_type="application/json").status_code == 503
    assert Conversation.objects.count() == 0


@pytest.mark.slow
def test_five_thousand_conversations_of_one_moment_come_once_each(alices, alice):
    assistant, moment = rows.assistant(), datetime(2026, 1, 1, tzinfo=UTC)
    Conversation.objects.bulk_create(
        Conversation(owner=alice, assistant=assistant, asked_at=moment, title=str(number))
        for number in range(5000)
    )
    found = [item["id"] for page in walk(alices, LIST, name="after", limit=100) for item in page]
    assert len(found) == len(set(found)) == 5000


def test_pages_have_neither_gaps_nor_repeats_and_are_in_order(alices, alice):
    assistant = rows.assistant()
    moments = [
        datetime(2026, 1, 1, second=number % 7, microsecond=number % 3, tzinfo=UTC) for number in range(120)
    ]
    Conversation.objects.bulk_create(
        Conversation(owner=alice, assistant=assistant, asked_at=at) for at in moments
    )
    found = [item for page in walk(alices, LIST, name="after", limit=7) for item in page]
    assert len({item["id"] for item in found}) == 120
    assert [item["asked_at"] for item in found] == sorted((item["asked_at"] for item in found), reverse=True)


def test_a_conversation_that_moves_up_between_pages_hides_no_other(alices, alice):
    threads = [rows.conversation(alice, asked_at=datetime(2026, 1, day, tzinfo=UTC)) for day in range(1, 11)]
    first = alices.get(LIST, {"limit": 4}).json()
    Conversation.objects.filter(pk=threads[0].pk).update(asked_at=datetime(2026, 2, 1, tzinfo=UTC))
    rest = alices.get(LIST, {"limit": 100, "after": first["next"]}).json()["items"]
    ids = [item["id"] for item in [*first["items"], *rest]]
    assert len(ids) == len(set(ids)) == 9


def encoded(value) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    ["x", "é", "=", "AAAA", "\x00", encoded([]), encoded({}), encoded(5), encoded(["2026-01-01", "x"]), encoded("ab"),
     encoded(["2026-01-01T00:00:00", str(MISSING)]), encoded([1, 2]), encoded(["rubbish", str(MISSING)]),
     encoded(["2026-01-01T00:00:00+00:00", "not a uuid"]), encoded(["2026-01-01T00:00:00+00:00", None]),
     encoded(["0001-01-01T00:00:00+23:59", str(MISSING)]), encoded(["9999-12-31T23:59:59-23:59", str(MISSING)]),
     "W" * 5000],
)  # fmt: skip
def test_a_cursor_that_we_did_not_make_is_400(cursor, alices, alice):
    rows.conversation(alice)
    assert alices.get(LIST, {"after": cursor}).status_code == 400


@pytest.mark.parametrize("before", ["x", "-1", "1.5", "9" * 19, "٣", "0x1", " 1"])
def test_a_message_cursor_that_we_did_not_make_is_400(before, alices, alice):
    assert alices.get(url(rows.conversation(alice), "/messages"), {"before": before}).status_code == 400


@pytest.mark.parametrize(
    ("limit", "count"), [("0", 1), ("1", 1), ("", 3), ("rubbish", 3), ("-5", 3), ("999999", 3)]
)
def test_a_limit_is_kept_within_reason(limit, count, alices, alice):
    for _ in range(3):
        rows.conversation(alice)
    assert len(alices.get(LIST, {"limit": limit}).json()["items"]) == count


def test_messages_come_in_pages_oldest_first(alices, alice):
    thread = rows.conversation(alice)
    for number in range(25):
        rows.turn(thread, f"question {number}", f"answer {number}")
    pages = walk(alices, url(thread, "/messages"), name="before", limit=7)
    found = [item for page in reversed(pages) for item in page]
    assert [item["content"] for item in found] == [
        f"{what} {n}" for n in range(25) for what in ("question", "answer")
    ]
    assert set(found[0]) >= {"id", "turn", "role", "content", "status", "created_at"}


@pytest.mark.parametrize(
    ("query", "titles"),
    [("咖啡", ["一"]), ("COFFEE", ["two"]), ("coffee", ["two"]), ("%", ["three"]), ("_", ["four"]), ("\\", ["five"]),
     ("10%", ["three"]), ("一", ["一"]), ("nothing", []), ("", []), ("   ", []), ("two", ["two"]), ("TWO", ["two"]),
     ("ÄRGER", ["six"]), ("ärger", ["six"]), ("' OR 1=1", [])],
)  # fmt: skip
def test_what_was_said_is_found(query, titles, alices, alice):
    for title, text in [
        ("一", "我想喝咖啡吗"), ("two", "Coffee"), ("three", "10% off"), ("four", "snake_case"), ("five", "a\\b"),
        ("six", "So ein Ärger"),
    ]:  # fmt: skip
        rows.turn(rows.conversation(alice, title=title), text, "answer")
    assert [item["title"] for item in alices.get(SEARCH, {"q": query}).json()["items"]] == titles


def test_a_hit_comes_with_an_excerpt_and_its_message(alices, alice):
    thread = rows.conversation(alice, title="x")
    rows.turn(thread, "q", "before " * 50 + "needle" + " after" * 50)
    (hit,) = alices.get(SEARCH, {"q": "NEEDLE"}).json()["items"]
    assert "needle" in hit["excerpt"]
    assert hit["excerpt"].startswith("…")
    assert hit["excerpt"].endswith("…")
    assert len(hit["excerpt"]) < 150
    assert hit["message"] == Message.objects.get(role="assistant").pk


def test_many_hits_in_one_conversation_do_not_hide_the_others(alices, alice):
    rows.turn(rows.conversation(alice, title="old"), "needle", "")
    chatty = rows.conversation(alice, title="chatty")
    for _ in range(70):
        rows.turn(chatty, "needle", "needle")
    assert {item["title"] for item in alices.get(SEARCH, {"q": "needle"}).json()["items"]} == {
        "old",
        "chatty",
    }


@pytest.mark.parametrize("query", ["\x00", "\ud83d", "x" * 100_000, "%" * 1000])
def test_a_strange_query_finds_nothing_and_breaks_nothing(query, alices, alice):
    rows.turn(rows.conversation(alice), "a", "b")
    path = SEARCH + "?q=" + query.encode("utf-8", "surrogatepass").hex(" ").replace(" ", "%").join(["%", ""])
    assert alices.get(path).json() == {"items": [], "next": None}


def test_a_conversation_can_be_taken_along_as_markdown_and_as_json(alices, alice):
    thread = rows.conversation(alice, title="Tea & 咖啡")
    rows.turn(thread, "What is `x`?", "**y**")
    text = alices.get(url(thread, "/export"))
    assert text["Content-Type"] == "text/markdown; charset=utf-8"
    assert text["Content-Disposition"] == f'attachment; filename="{thread.pk}.md"'
    assert text["X-Content-Type-Options"] == "nosniff"
    content = text.content.decode()
    assert content.startswith("# Tea & 咖啡\n")
    assert content.index("What is `x`?") < content.index("**y**")

    data = alices.get(url(thread, "/export?format=json"))
    assert data["Content-Type"] == "application/json"
    exported = json.loads(data.content)
    assert exported["conversation"]["title"] == "Tea & 咖啡"
    assert [message["content"] for message in exported["messages"]] == ["What is `x`?", "**y**"]
    assert alices.get(url(thread, "/export?format=pdf")).status_code == 400
    assert alice.session_name not in content + data.content.decode()


def test_nothing_of_the_api_is_kept_by_a_cache(alices, alice):
    thread = rows.conversation(alice)
    for path in (LIST, url(thread), url(thread, "/messages"), url(thread, "/export"), SEARCH, url(MISSING)):
        assert "no-store" in alices.get(path)["Cache-Control"]
        assert "private" in alices.get(path)["Cache-Control"]
        assert alices.head(path).content == b""


@pytest.mark.parametrize("path", [LIST, "messages", "export", SEARCH])
def test_more_rows_cost_no_more_queries(path, alices, alice):
    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert alices.get(where, {"q": "answer"}).status_code == 200
        return len(queries)

    thread = rows.conversation(alice)
    where = url(thread, f"/{path}") if path in {"messages", "export"} else path
    rows.turn(thread, "q", "answer")
    few = count()
    for number in range(10):
        rows.turn(thread, f"q {number}", "answer")
        rows.turn(rows.conversation(alice), "q", "answer", status="in_progress")
    assert count() == few


def test_listing_says_where_an_answer_is_on_its_way(alices, alice):
    rows.turn(rows.conversation(alice, title="runs"), "q", "", status="in_progress")
    rows.turn(rows.conversation(alice, title="rests"), "q", "a")
    found = {item["title"]: item["running"] for item in alices.get(LIST).json()["items"]}
    assert found == {"runs": True, "rests": False}
    assert listing.PAGE == 50


def test_an_answer_without_a_word_does_not_end_the_walk(alices, alice):
    thread = rows.conversation(alice)
    rows.turn(thread, "first", "said")
    rows.turn(thread, "stopped", "", status="canceled")
    pages = walk(alices, url(thread, "/messages"), name="before", limit=1)
    assert sorted(item["content"] for page in pages for item in page) == ["first", "said", "stopped"]
