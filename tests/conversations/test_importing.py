"""A conversation that was saved as JSON is taken in again: the same but for its ids, and nothing but what may be."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation, Message, Step, Turn
from tests.conversations import rows


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


def saved(user: User, thread) -> dict:
    pk = getattr(thread, "pk", thread)
    return client_of(user).get(f"/api/conversations/{pk}/export?format=json").json()


def bring_in(user: User, data, *, path: str = "/api/import"):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return client_of(user).post(path, {"file": SimpleUploadedFile("x.json", raw)})


def without_ids(data: dict) -> dict:
    data["conversation"].pop("id")
    for message in data["messages"]:
        message.pop("id")
        message["turn"] = message["turn"] is not None
        for step in message.get("steps", ()):
            step.pop("id")
    return data


@pytest.fixture
def thread(alice) -> Conversation:
    made = rows.conversation(
        alice,
        title="Tea & 茶",
        is_pinned=True,
        coze_conversation_id="77",
        asked_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    done = rows.turn(made, "What is 茶?", "**Leaves**", input_tokens=3, output_tokens=4, total_tokens=7)
    Step.objects.create(turn=done, tool="look_up", title="Look up", status="completed", payload="{}", outcome="x",
                        started_at=timezone.now(), seconds=0.5)  # fmt: skip
    failed = rows.turn(
        made, "form", "", parent=done, status="failed", parameters={"n": 5}, error_code="timeout", log_id="L1"
    )
    rows.turn(made, "stopped", "half", parent=failed, status="canceled")
    Message.objects.create(conversation=made, role="assistant", content="by itself", coze_message_id="m1")
    Message.objects.update(created_at=timezone.now() - timedelta(days=3))
    return made


def test_what_was_saved_and_taken_in_is_saved_the_same_again(alice, thread):
    before = saved(alice, thread)
    answer = bring_in(alice, before)
    assert answer.status_code == 201, answer.content
    made = answer.json()["id"]
    assert made != str(thread.pk)
    after, before = without_ids(saved(alice, made)), without_ids(before)
    assert after["conversation"] == before["conversation"]
    for one, other in zip(after["messages"], before["messages"], strict=True):
        assert one == other


def test_what_is_taken_in_is_ones_own_new_at_coze_and_none_of_the_sites_figures(alice, bob, thread):
    made = Conversation.objects.get(pk=bring_in(bob, saved(alice, thread)).json()["id"])
    assert (made.owner_id, made.coze_conversation_id) == (bob.pk, "")
    assert set(Turn.objects.filter(conversation=made).values_list("owner_id", "summed")) == {(bob.pk, True)}
    assert not Turn.objects.filter(
        pk__in=[m["turn"] for m in saved(alice, thread)["messages"] if m["turn"]], owner=bob
    )
    assert client_of(alice).get(f"/api/conversations/{made.pk}/").status_code == 404
    assert client_of(bob).get("/api/search", {"q": "茶"}).json()["items"][0]["id"] == str(made.pk)


def test_the_id_of_a_run_is_never_taken_from_a_file(alice, thread):
    data = saved(alice, thread)
    data["messages"][1] |= {"run": {"execute_id": "999", "look_up": True}, "execute_id": "999"}
    made = bring_in(alice, data).json()["id"]
    assert not Turn.objects.filter(conversation=made).exclude(execute_id="").exists()


def test_what_was_on_its_way_has_stopped_in_the_file(alice, thread):
    rows.turn(thread, "now", "half an ans", status="in_progress")
    made = bring_in(alice, saved(alice, thread)).json()["id"]
    assert Turn.objects.filter(conversation=made).order_by("pk").filter(status="interrupted").count() == 1


def change(data: dict, path: str, value) -> dict:
    *steps, last = path.split(".")
    target = data
    for step in steps:
        target = target[int(step)] if step.isdigit() else target[step]
    if value is ...:
        del target[int(last) if last.isdigit() else last]
    else:
        target[int(last) if last.isdigit() else last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("version", 2, "not_ours"),
        ("version", ..., "not_ours"),
        ("messages", {}, "not_ours"),
        ("messages", [{}] * 5001, "too_many"),
        ("conversation", None, "not_ours"),
        ("conversation", [], "not_ours"),
        ("conversation.title", 5, "not_ours"),
        ("conversation.title", "x" * 101, "not_ours"),
        ("conversation.created_at", "yesterday", "not_ours"),
        ("conversation.created_at", "2026-01-01", "not_ours"),
        ("conversation.assistant", "x", "not_ours"),
        ("messages.0", 5, "bad_message"),
        ("messages.0.role", "system", "bad_message"),
        ("messages.0.content", None, "bad_message"),
        ("messages.0.status", "happy", "bad_message"),
        ("messages.0.turn", 5, "bad_message"),
        ("messages.2.turn", "same", "bad_message"),
        ("messages.1.usage", [], "bad_message"),
        ("messages.1.usage", {"total_tokens": "many"}, "bad_message"),
        ("messages.1.steps", [5], "bad_message"),
        ("messages.2.parameters", [5], "bad_message"),
        ("messages.2.parameters", {"x": "\u0000"}, "bad_message"),
        ("messages.2.parameters", {"x": "y" * 20_000}, "bad_message"),
        ("messages.1.error", 5, "bad_message"),
        ("messages.1.seconds", float("nan"), "bad_message"),
        ("messages.1.reasoning", {"content": "hm", "seconds": float("nan")}, "bad_message"),
        ("messages.1.created_at", "0001-01-01T00:00:00+14:00", "bad_message"),
        ("conversation.created_at", "0001-01-01T00:00:00+14:00", "not_ours"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name_and_leaves_nothing(path, value, code, alice, thread):
    data = saved(alice, thread)
    if value == "same":
        value = data["messages"][0]["turn"]
    answer = bring_in(alice, change(data, path, value))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert Conversation.objects.count() == 1


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"5", b"\xff\xfe", b"[" * 200_000, b'{"version": 1}', b"\x00"]
)
def test_rubbish_is_refused(raw, alice):
    assert bring_in(alice, raw).status_code == 400
    assert client_of(alice).post("/api/import").status_code == 400
    assert Conversation.objects.count() == 0


def test_a_time_that_has_not_come_is_now(alice, thread):
    data = change(saved(alice, thread), "conversation.asked_at", "9999-12-31T23:59:59+00:00")
    made = Conversation.objects.get(pk=bring_in(alice, data).json()["id"])
    assert made.asked_at <= timezone.now()


def test_people_bring_one_in_on_a_page(alice, thread):
    client = client_of(alice)
    assert "multipart/form-data" in client.get("/import/").content.decode()
    refused = bring_in(alice, b"{", path="/import/")
    assert refused.status_code == 400
    assert "not JSON" in refused.content.decode()
    answer = bring_in(alice, saved(alice, thread), path="/import/")
    assert answer.status_code == 302
    assert "What is 茶?" in client.get(answer["Location"]).content.decode()


def test_whoever_is_not_signed_in_brings_in_nothing(db):
    assert Client().post("/api/import").status_code == 401
    assert Client().post("/import/").status_code == 302
