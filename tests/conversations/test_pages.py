"""The pages, read without JavaScript; what every page promises to its browser."""

import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from tests.conversations import rows


@pytest.fixture(autouse=True)
def no_coze(settings, tmp_path):
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.COZE_EMULATOR_DIR = tmp_path


@pytest.fixture
def alice(db) -> User:
    return User.objects.create_superuser("alice")


@pytest.fixture
def bob(db) -> User:
    return User.objects.create_user("bob")


@pytest.fixture
def alices(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def page_of(thread) -> str:
    return f"/c/{thread.pk}/"


def test_whoever_is_not_signed_in_is_sent_to_the_log_in(db):
    for path in ("/", f"/c/{uuid.uuid4()}/"):
        answer = Client().get(path)
        assert answer.status_code == 302
        assert answer["Location"] == f"/accounts/login/?next={path}"


def test_a_conversation_is_read_without_javascript(alices, alice):
    thread = rows.conversation(alice, title="Tea <b>")
    rows.turn(thread, "What is <i>tea</i>?", "**Leaves** <script>alert(1)</script>")
    text = alices.get(page_of(thread)).content.decode()
    assert "What is &lt;i&gt;tea&lt;/i&gt;?" in text
    assert "<strong>Leaves</strong> &lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "Tea &lt;b&gt;" in text
    assert "<i>tea" not in text


def test_old_html_is_made_anew_and_new_html_is_shown_as_stored(alices, alice):
    from conversations import rendering
    from conversations.models import Message

    thread = rows.conversation(alice)
    rows.turn(thread, "q", "**text**")
    answers = Message.objects.filter(role="assistant")
    answers.update(html="<p>stored</p>", html_version=rendering.version())
    assert "<p>stored</p>" in alices.get(page_of(thread)).content.decode()
    answers.update(html_version=rendering.version() - 1)
    text = alices.get(page_of(thread)).content.decode()
    assert "<p>stored</p>" not in text
    assert "<strong>text</strong>" in text


def test_a_running_answer_is_named_to_the_page(alices, alice):
    thread = rows.conversation(alice)
    running = rows.turn(thread, "q", "so far", status="in_progress")
    answer = alices.get(page_of(thread))
    assert answer.context["page_config"]["turn"] == str(running.pk)
    assert f'data-turn="{running.pk}"' in answer.content.decode()
    assert alices.get("/").context["page_config"]["turn"] is None


def test_bobs_conversation_is_as_missing_as_one_that_never_was(alices, bob):
    bobs = rows.conversation(bob, title="secret title")
    theirs, nobodys = alices.get(page_of(bobs)), alices.get(f"/c/{uuid.uuid4()}/")
    assert theirs.status_code == nobodys.status_code == 404
    assert "secret title" not in theirs.content.decode()
    assert theirs.content == nobodys.content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_page_is_only_read(method, alices):
    assert alices.generic(method, "/").status_code == 405
    assert alices.head("/").status_code == 200


PAGES = [
    "/", "/accounts/login/", "/accounts/signup/", "/accounts/logout/", "/accounts/profile/", "/accounts/password/reset/",
    "/accounts/password/change/", "/accounts/email/", "/accounts/2fa/", "/admin/", "/admin/conversations/conversation/",
    "/admin/catalog/cozeapp/add/", "/admin/accounts/user/", "/nothing/here/", "/c/00000000-0000-4000-8000-000000000000/",
]  # fmt: skip


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_says_what_its_browser_may_do(path, signed_in, alices):
    answer = (alices if signed_in else Client()).get(path)
    assert answer.status_code in {200, 302, 404}
    policy = answer["Content-Security-Policy"]
    assert "unsafe-" not in policy
    assert "*" not in policy
    for directive in ("default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert directive in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    text = answer.content.decode()
    assert "<script>" not in text
    assert " style=" not in text
    assert " onclick=" not in text


def test_a_page_is_not_kept_by_a_cache(alices, alice):
    thread = rows.conversation(alice)
    for path in ("/", page_of(thread)):
        assert "no-store" in alices.get(path)["Cache-Control"]


def test_the_page_never_tells_the_session_name(alices, alice):
    thread = rows.conversation(alice)
    rows.turn(thread, "q", "a")
    assert alice.session_name not in alices.get(page_of(thread)).content.decode()


def test_more_conversations_and_messages_cost_no_more_queries(alices, alice):
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert alices.get(page_of(thread)).status_code == 200
        return len(queries)

    thread = rows.conversation(alice)
    rows.turn(thread, "q", "a")
    count()
    few = count()
    for number in range(15):
        rows.turn(thread, f"q {number}", "a")
        rows.conversation(alice, title=str(number))
    assert count() == few
    assert few < 15


@pytest.mark.parametrize(("language", "words"), [("zh-hans", "新对话"), ("en", "New chat")])
def test_the_page_speaks_the_readers_language(language, words, alices):
    answer = alices.get("/", headers={"Accept-Language": language})
    assert words in answer.content.decode()
    assert f'lang="{language}"'.lower() in answer.content.decode().lower()


def test_the_icon_is_at_its_old_address_too(client):
    answer = client.get("/favicon.ico")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/svg+xml")
    assert answer.content.startswith(b"<svg")
    assert "max-age" in answer["Cache-Control"]
    assert client.post("/favicon.ico").status_code == 405
