"""Pins, the archive, folders, what is unread, and deletions with a way back: each for its owner alone."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation, Folder, Message, Turn
from conversations.turns import discarding, mirroring, queueing
from cozechat.audit.models import AuditEvent
from tests.conversations import rows

MISSING = "00000000-0000-4000-8000-000000000000"


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


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def post(user: User, path: str, **body):
    return client_of(user).post(
        f"/api/{path}", json.dumps(body, default=str), content_type="application/json"
    )


def listed(user: User, **query) -> list[str]:
    return [item["title"] for item in client_of(user).get("/api/conversations/", query).json()["items"]]


def arranged(user: User, *threads: Conversation, **wish) -> list[str]:
    answer = post(user, "arrange", ids=[thread.pk for thread in threads], **wish)
    assert answer.status_code == 200, answer.content
    return answer.json()["ids"]


def days_ago(owner: User, *days: int) -> list[Conversation]:
    now = timezone.now()
    return [rows.conversation(owner, title=f"{day}", asked_at=now - timedelta(days=day)) for day in days]


def test_what_is_pinned_stands_first_and_then_the_last_question_decides(alice):
    one, two, three = days_ago(alice, 1, 2, 3)
    assert listed(alice) == ["1", "2", "3"]
    assert arranged(alice, three, pinned=True) == [str(three.pk)]
    assert listed(alice) == ["3", "1", "2"]
    assert arranged(alice, two, one, pinned=True) == sorted([str(one.pk), str(two.pk)])
    arranged(alice, three, pinned=False)
    assert listed(alice) == ["1", "2", "3"]


def test_an_answer_that_ends_does_not_lift_its_conversation(alice):
    old, _new = days_ago(alice, 2, 1)
    Conversation.objects.filter(pk=old.pk).update(active_at=timezone.now())
    assert listed(alice) == ["1", "2"]


def test_the_archive_and_folders_are_places_of_their_own(alice):
    one, two, three = days_ago(alice, 1, 2, 3)
    folder = Folder.objects.create(owner=alice, name="Coffee")
    arranged(alice, one, archived=True)
    arranged(alice, two, folder=folder.pk)
    assert listed(alice) == ["3"]
    assert listed(alice, view="archive") == ["1"]
    assert listed(alice, folder=folder.pk) == ["2"]
    arranged(alice, one, archived=False)
    arranged(alice, two, folder=None)
    assert listed(alice) == ["1", "2", "3"]
    assert three.pk


def test_what_is_archived_is_not_pinned_and_what_is_pinned_is_not_archived(alice):
    (one,) = days_ago(alice, 1)
    arranged(alice, one, pinned=True)
    arranged(alice, one, archived=True)
    one.refresh_from_db()
    assert (one.is_pinned, one.is_archived) == (False, True)
    arranged(alice, one, pinned=True)
    one.refresh_from_db()
    assert (one.is_pinned, one.is_archived) == (True, False)


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_pages_over_pinned_and_others_have_neither_gaps_nor_repeats(limit, alice):
    moments = [datetime(2026, 1, 1, second=number % 5, tzinfo=UTC) for number in range(40)]
    assistant = rows.assistant()
    Conversation.objects.bulk_create(
        Conversation(
            owner=alice, assistant=assistant, asked_at=at, is_pinned=number % 4 == 0, title=str(number)
        )
        for number, at in enumerate(moments)
    )
    client, found, cursor = client_of(alice), [], ""
    while cursor is not None:
        page = client.get("/api/conversations/", {"limit": limit, "after": cursor}).json()
        found += page["items"]
        cursor = page["next"]
    assert len({item["id"] for item in found}) == len(found) == 40
    keys = [(item["pinned"], item["asked_at"]) for item in found]
    assert keys == sorted(keys, reverse=True)


@pytest.mark.parametrize("path", ["arrange", "discard", "restore"])
@pytest.mark.parametrize(
    "body",
    [{}, {"ids": []}, {"ids": None}, {"ids": "x"}, {"ids": ["x"]}, {"ids": [1]}, {"ids": [None]}, {"ids": {}},
     {"ids": [MISSING] * 201}, {"ids": [[MISSING]]}],
)  # fmt: skip
def test_rubbish_names_no_conversations(path, body, alice):
    assert post(alice, path, **({"pinned": True} | body)).status_code == 400


@pytest.mark.parametrize(
    "wish",
    [{}, {"pinned": "yes"}, {"pinned": None}, {"archived": 1}, {"unread": []}, {"folder": "x"}, {"folder": 5},
     {"folder": []},     {"owner": 5}, {"deleted": True}],
)  # fmt: skip
def test_rubbish_changes_nothing(wish, alice):
    (one,) = days_ago(alice, 1)
    assert post(alice, "arrange", ids=[one.pk], **wish).status_code == 400


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("path", ["arrange", "discard", "restore", "folders/"])
def test_a_body_that_is_no_object_is_400(path, raw, alice):
    answer = client_of(alice).post(f"/api/{path}", raw, content_type="application/json")
    assert answer.status_code == 400


def test_bob_arranges_discards_and_restores_nothing_of_alices(alice, bob):
    (one,) = days_ago(alice, 1)
    folder = Folder.objects.create(owner=alice, name="hers")
    for path, wish in (("arrange", {"pinned": True}), ("discard", {}), ("restore", {})):
        theirs, nobodys = (post(bob, path, ids=[pk], **wish) for pk in (one.pk, MISSING))
        assert (
            (theirs.status_code, theirs.json()) == (nobodys.status_code, nobodys.json()) == (200, {"ids": []})
        )
    discarding.discard(alice, ids=[one.pk])
    assert post(bob, "restore", ids=[one.pk]).json() == {"ids": []}
    assert post(alice, "restore", ids=[one.pk]).json() == {"ids": [str(one.pk)]}
    (his,) = days_ago(bob, 1)
    assert post(bob, "arrange", ids=[his.pk], folder=folder.pk).status_code == 404
    assert post(bob, "arrange", ids=[his.pk], folder=MISSING).status_code == 404
    for method in ("patch", "delete"):
        for pk in (folder.pk, MISSING):
            answer = getattr(client_of(bob), method)(
                f"/api/folders/{pk}/", '{"name": "his"}', content_type="application/json"
            )
            assert answer.status_code == 404
    assert client_of(bob).get("/api/folders/").json()["items"] == []
    assert listed(bob, folder=folder.pk) == []
    one.refresh_from_db()
    folder.refresh_from_db()
    assert (one.is_pinned, one.deleted_at, folder.name) == (False, None, "hers")


def test_whoever_is_not_signed_in_gets_401(db):
    for path in ("arrange", "discard", "restore", "folders/"):
        assert Client().post(f"/api/{path}", b"{}", content_type="application/json").status_code == 401


def test_folders_are_made_renamed_and_deleted_and_what_was_in_them_stays(alice):
    client = client_of(alice)
    made = post(alice, "folders/", name="  Tea \n 茶\x07 ")
    assert (made.status_code, made.json()["name"]) == (201, "Tea 茶")
    assert post(alice, "folders/", name="Tea 茶").status_code == 409
    assert post(alice, "folders/", name="  ").status_code == 400
    assert post(alice, "folders/", name=["x"]).status_code == 400
    assert post(alice, "folders/", name="x" * 61).status_code == 400
    path = f"/api/folders/{made.json()['id']}/"
    renamed = client.patch(path, '{"name": "Coffee"}', content_type="application/json")
    assert renamed.json()["name"] == "Coffee"
    (one,) = days_ago(alice, 1)
    arranged(alice, one, folder=made.json()["id"])
    assert listed(alice) == []
    assert client.delete(path).status_code == 204
    assert listed(alice) == ["1"]
    assert client.delete(path).status_code == 404


def test_there_is_room_for_a_hundred_folders(alice):
    Folder.objects.bulk_create(Folder(owner=alice, name=str(number)) for number in range(100))
    assert post(alice, "folders/", name="one more").status_code == 409


def test_what_is_discarded_is_gone_at_once_and_comes_back_whole(alice):
    (one,) = days_ago(alice, 1)
    rows.turn(one, "question", "answer")
    assert post(alice, "discard", ids=[one.pk]).json() == {"ids": [str(one.pk)]}
    client = client_of(alice)
    assert client.get(f"/api/conversations/{one.pk}/").status_code == 404
    assert client.get(f"/c/{one.pk}/").status_code == 404
    assert client.get("/api/search", {"q": "question"}).json()["items"] == []
    assert listed(alice) == []
    assert post(alice, "discard", ids=[one.pk]).json() == {"ids": []}
    assert post(alice, "restore", ids=[one.pk]).json() == {"ids": [str(one.pk)]}
    assert [item["content"] for item in client.get(f"/api/conversations/{one.pk}/messages").json()["items"]] == [
        "question", "answer",
    ]  # fmt: skip
    assert not AuditEvent.objects.filter(verb="deleted").exists()


def test_what_nobody_takes_back_is_really_deleted_and_only_then_at_coze(alice):
    thread = rows.conversation(alice, title="secret", coze_conversation_id="77")
    rows.turn(thread, "question", "answer")
    discarding.discard(alice, ids=[thread.pk])
    assert discarding.erase_due() == 0
    assert mirroring._differing() == []
    Conversation.objects.update(erase_at=timezone.now())
    assert post(alice, "restore", ids=[thread.pk]).json() == {"ids": []}
    assert discarding.erase_due() == 1
    assert (Turn.objects.count(), Message.objects.count()) == (0, 0)
    thread.refresh_from_db()
    assert thread.title == ""
    assert thread.deleted_at is not None
    assert [row.pk for row in mirroring._differing()] == [thread.pk]
    assert AuditEvent.objects.filter(verb="deleted", object_id=str(thread.pk)).count() == 1
    assert discarding.erase_due() == 0


def test_nothing_that_waits_begins_in_a_discarded_conversation(alice):
    (one,) = days_ago(alice, 1)
    rows.turn(one, "waiting", "", status="queued")
    discarding.discard(alice, ids=[one.pk])
    assert queueing.begin_next(one.pk) is None
    assert queueing.idle() == []
    discarding.restore(alice, ids=[one.pk])
    assert queueing.idle() == [(one.pk, alice.pk)]


@pytest.mark.parametrize("query", ["?view=rubbish", "?folder=rubbish", "?folder=%00"])
def test_a_place_that_is_none_is_refused(query, alice):
    client = client_of(alice)
    assert client.get(f"/api/conversations/{query}").status_code == 400
    assert client.get(f"/{query}").status_code == 404


def test_list_archive_and_folders_are_read_without_javascript(alice):
    one, two, three = days_ago(alice, 0, 3, 60)
    folder = Folder.objects.create(owner=alice, name="Coffee <b>")
    arranged(alice, one, folder=folder.pk)
    arranged(alice, two, archived=True)
    client = client_of(alice)
    page = client.get("/").content.decode()
    assert f"/c/{three.pk}/" in page and f"/c/{one.pk}/" not in page
    assert "Coffee &lt;b&gt;" in page and f"?folder={folder.pk}" in page and "?view=archive" in page
    assert f"/c/{one.pk}/?folder={folder.pk}" in client.get(f"/?folder={folder.pk}").content.decode()
    assert f"/c/{two.pk}/?view=archive" in client.get("/?view=archive").content.decode()
    assert uuid.UUID(MISSING)
