"""A superuser sees the site as Alice does: to read, for half an hour, and she is told. Nobody else can, in any way."""

from datetime import timedelta

import pytest
from django.conf import settings as site
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts import sockets
from accounts.models import User
from accounts.seeing import gate, grants
from cozechat.audit.models import AuditEvent, Verb
from tests.audit.conftest import PASSWORD, SECRET, signed_in
from tests.conversations import rows

WHY = "She asked why an answer stops"


@pytest.fixture(autouse=True)
def allowed(settings):
    settings.ALLOW_IMPERSONATION = True


def begin(client, user, **changes):
    return client.post(
        f"/admin/accounts/user/{user.pk}/see-as/", {"reason": WHY, "password": PASSWORD} | changes
    )


@pytest.fixture
def seeing(root, alice, thread):
    """Root's browser, which shows the site as Alice's."""
    client = signed_in(root)
    assert begin(client, alice)["Location"] == "/"
    return client


def is_seeing(client, user) -> bool:
    return f"<b>{user.username}</b>" in client.get("/").content.decode()


def test_root_reads_what_alice_reads_and_each_page_says_so(seeing, alice, thread):
    page = seeing.get(f"/c/{thread.pk}/").content.decode()
    assert SECRET in page
    assert "You see the site as <b>alice</b>: reading only." in page
    assert "main.js" not in page
    assert 'id="composer"' not in page


def test_alice_is_told_with_the_reason_what_was_opened_and_when_it_ended(seeing, root, alice, thread):
    seeing.get(f"/c/{thread.pk}/")
    seeing.post("/accounts/seeing/end/")
    told = AuditEvent.objects.about(alice).filter(actor_id=root.pk, is_staff_act=True)
    assert told.get(verb=Verb.SEEING_BEGAN).reason == WHY
    assert told.get(kind="conversations.conversation", verb=Verb.OPENED).object_id == str(thread.pk)
    assert told.filter(verb=Verb.SEEING_ENDED).count() == 1
    assert not AuditEvent.objects.filter(actor_id=alice.pk).exists()


def test_the_end_gives_root_back(seeing, root, alice):
    assert seeing.get("/admin/").status_code == 403
    assert seeing.post("/accounts/seeing/end/")["Location"] == f"/admin/accounts/user/{alice.pk}/change/"
    assert not is_seeing(seeing, alice)
    assert seeing.get("/admin/").status_code == 200


def all_routes(patterns, prefix=""):
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            space = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            yield from all_routes(pattern.url_patterns, space)
        elif isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name}", pattern


def test_whatever_is_not_listed_as_readable_is_closed(seeing, alice, thread):
    for path in (
        "/accounts/profile/", "/accounts/keys/", "/accounts/keys/new/", "/accounts/email/", "/accounts/2fa/",
        "/accounts/password/change/", "/accounts/usage/export.csv", "/admin/", "/monitoring/", "/diagnostics/coze",
        f"/api/conversations/{thread.pk}/export", f"/admin/accounts/user/{alice.pk}/change/",
    ):  # fmt: skip
        assert seeing.get(path).status_code in {403, 404}, path
    assert set(gate.READABLE) <= {name for name, _pattern in all_routes(get_resolver().url_patterns)}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_nothing_is_written_at_any_route(seeing, alice, thread, method):
    before = list(User.objects.order_by("pk").values()), thread.title
    for path in (
        "/", f"/c/{thread.pk}/", "/api/conversations/", f"/api/conversations/{thread.pk}/", "/api/search",
        "/accounts/profile/", "/accounts/keys/new/", "/accounts/logout/", "/accounts/balance/requests/",
        "/i18n/setlang/", "/accounts/usage/", f"/admin/accounts/user/{alice.pk}/see-as/",
    ):  # fmt: skip
        assert getattr(seeing, method)(path, {}, content_type="application/json").status_code == 403, path
    thread.refresh_from_db()
    assert (list(User.objects.order_by("pk").values()), thread.title) == before
    assert thread.deleted_at is None


def test_it_opens_no_socket_and_keeps_none(seeing, root):
    assert sockets.user_of(seeing.session.session_key) is None
    assert not sockets.login_is_valid(seeing.session.session_key, root.pk)
    seeing.post("/accounts/seeing/end/")
    assert sockets.user_of(seeing.session.session_key) == root


def test_the_sockets_that_root_had_open_are_told_to_close(root, alice):
    from accounts.signals import login_ended

    heard = []

    def listen(**told):
        heard.append((told["user_id"], told["session_key"]))

    login_ended.connect(listen)
    client = signed_in(root)
    begin(client, alice)
    assert heard == [(root.pk, client.session.session_key)]


def test_it_lasts_half_an_hour(seeing, alice, monkeypatch):
    later = timezone.now() + grants.LASTS - timedelta(seconds=5)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert is_seeing(seeing, alice)
    over = later + timedelta(seconds=6)
    monkeypatch.setattr(timezone, "now", lambda: over)
    assert not is_seeing(seeing, alice)
    assert AuditEvent.objects.get(verb=Verb.SEEING_ENDED).detail == "time"


def test_it_is_off_by_default_and_ends_when_it_is_switched_off(seeing, root, alice, settings):
    settings.ALLOW_IMPERSONATION = False
    assert not is_seeing(seeing, alice)
    assert sockets.user_of(seeing.session.session_key) == root
    other = signed_in(root)
    assert begin(other, alice).status_code == 403
    assert "see-as" not in other.get(f"/admin/accounts/user/{alice.pk}/change/").content.decode()


def test_the_button_is_on_alices_page_and_not_on_the_staffs(root, alice, clerk):
    client = signed_in(root)
    pages = [
        client.get(f"/admin/accounts/user/{user.pk}/change/").content.decode()
        for user in (alice, clerk, root)
    ]
    assert ["see-as/" in page for page in pages] == [True, False, False]


@pytest.mark.parametrize("changes", [
    {"password": "wrong"}, {"password": ""}, {"reason": ""}, {"reason": "   .   "}, {"reason": "x" * 301},
])  # fmt: skip
def test_without_a_reason_or_the_password_it_does_not_begin(root, alice, changes):
    client = signed_in(root)
    assert begin(client, alice, **changes).status_code == 200
    assert not is_seeing(client, alice)
    assert not AuditEvent.objects.filter(verb=Verb.SEEING_BEGAN).exists()


def test_the_password_cannot_be_guessed_there(root, alice):
    client = signed_in(root)
    for number in range(10):
        begin(client, alice, password=f"guess {number}")
    begin(client, alice)
    assert not is_seeing(client, alice)


def test_nobody_is_seen_as_staff_superuser_end_user_or_inactive(root, clerk, alice):
    other = User.objects.create_superuser("other", "o@example.com", PASSWORD)
    end_user = User.objects.create(username="end", end_user_of=alice, is_active=False)
    gone = User.objects.create_user("gone", is_active=False)
    client = signed_in(root)
    for user in (clerk, other, root, end_user, gone):
        assert begin(client, user).status_code == 403
    assert begin(client, User(pk=10**9)).status_code == 403
    assert client.post("/admin/accounts/user/rubbish/see-as/", {}).status_code == 403
    assert not AuditEvent.objects.filter(verb=Verb.SEEING_BEGAN).exists()


def test_who_becomes_staff_is_not_seen_any_more(seeing, alice):
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    assert not is_seeing(seeing, alice)


def test_who_is_no_superuser_any_more_sees_nothing_any_more(seeing, root, alice):
    User.objects.filter(pk=root.pk).update(is_superuser=False)
    assert not is_seeing(seeing, alice)


def test_staff_and_bob_cannot_begin(clerk, alice, bob):
    assert begin(signed_in(clerk), alice).status_code == 403
    assert begin(signed_in(bob), alice)["Location"].startswith("/admin/login/")
    assert not AuditEvent.objects.filter(verb=Verb.SEEING_BEGAN).exists()


def forged(client, *, by, subject, until=None):
    """As if somebody could write into a session."""
    session = client.session
    session["seeing_as"] = [by, subject, until or timezone.now().timestamp() + 600]
    session.save()
    return client


@pytest.mark.parametrize("who", ["bob", "clerk"])
def test_a_forged_session_shows_nothing(request, who, root, alice, thread):
    intruder = request.getfixturevalue(who)
    for by in (intruder.pk, root.pk):
        client = forged(signed_in(intruder), by=by, subject=alice.pk)
        assert client.get(f"/c/{thread.pk}/").status_code == 404
        assert not is_seeing(client, alice)


def test_a_grant_of_another_superusers_is_nobodys(root, alice, thread):
    other = User.objects.create_superuser("other", "o@example.com", PASSWORD)
    client = forged(signed_in(other), by=root.pk, subject=alice.pk)
    assert client.get(f"/c/{thread.pk}/").status_code == 404


@pytest.mark.parametrize("rubbish", ["x", 7, None, [], [1, 2], ["a", "b", "c"], {"by": 1}, [1, 2, None]])
def test_a_grant_that_is_rubbish_is_none(root, alice, rubbish):
    client = signed_in(root)
    session = client.session
    session["seeing_as"] = rubbish
    session.save()
    assert client.get("/").status_code == 200
    assert not is_seeing(client, alice)


def test_nothing_that_a_browser_sends_makes_a_grant(root, alice, bob, thread):
    for user in (root, bob):
        client = signed_in(user)
        client.cookies["seeing_as"] = f"{alice.pk}"
        answer = client.get(
            f"/c/{thread.pk}/?seeing_as={alice.pk}&user={alice.pk}", headers={"x-seeing-as": "alice"}
        )
        assert answer.status_code == 404


def test_an_end_without_a_beginning_does_nothing(bob):
    client = signed_in(bob)
    assert client.post("/accounts/seeing/end/")["Location"] == "/"
    assert client.get("/accounts/seeing/end/").status_code == 405
    assert not AuditEvent.objects.filter(verb=Verb.SEEING_ENDED).exists()


def test_bobs_conversation_is_not_reached_through_alice_and_not_in_her_log(seeing, alice, bob):
    bobs = rows.conversation(bob, title="mine")
    assert seeing.get(f"/c/{bobs.pk}/").status_code == 404
    assert not AuditEvent.objects.about(alice).filter(object_id=str(bobs.pk)).exists()


def test_what_cannot_be_written_down_is_not_shown(seeing, thread, monkeypatch):
    from django.db import DatabaseError

    def broken(*_args, **_kwargs):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(gate, "record", broken)
    seeing.raise_request_exception = False
    answer = seeing.get(f"/c/{thread.pk}/")
    assert answer.status_code == 500
    assert SECRET not in answer.content.decode()


def test_the_gate_stands_behind_the_sign_in():
    order = site.MIDDLEWARE
    assert order.index("accounts.seeing.gate.middleware") > order.index(
        "django.contrib.auth.middleware.AuthenticationMiddleware"
    )
