"""Conversations in the admin: looked at by those who may, changed by nobody, gone with their owner."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from conversations.models import Conversation, Message, Turn
from tests.conversations import rows

SECRET = "what Alice said in confidence"
MODELS = ("conversation", "turn")


@pytest.fixture(autouse=True)
def no_coze(settings, tmp_path):
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.COZE_EMULATOR_DIR = tmp_path


@pytest.fixture
def thread(db) -> Conversation:
    thread = rows.conversation(User.objects.create_user("alice"), title="Tea")
    rows.turn(thread, SECRET, f"{SECRET}, answered", parameters={"note": SECRET})
    return thread


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root(db) -> Client:
    return signed_in(User.objects.create_superuser("root"))


def staff(*codenames: str) -> Client:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return signed_in(user)


def row_pages(thread: Conversation) -> dict[str, str]:
    ids = {"conversation": thread.pk, "turn": thread.turns.get().pk}
    return {model: f"/admin/conversations/{model}/{pk}" for model, pk in ids.items()}


def test_the_lists_and_rows_are_shown_to_the_superuser(root, thread):
    listed = root.get("/admin/conversations/conversation/").content.decode()
    assert str(thread.pk) in listed
    assert "Tea" not in listed
    assert root.get("/admin/conversations/turn/").status_code == 200
    assert root.get("/admin/conversations/conversation/?q=alice").status_code == 200
    pages = row_pages(thread)
    assert SECRET in root.get(f"{pages['conversation']}/change/").content.decode()
    assert SECRET not in root.get(f"{pages['turn']}/change/").content.decode()


def test_what_waits_or_was_withdrawn_is_nothing_that_was_said(root, thread):
    rows.turn(thread, "still waiting", "", status="queued")
    rows.turn(thread, "", "", status="canceled", withdrawn=True)
    page = root.get(f"/admin/conversations/conversation/{thread.pk}/change/").content.decode()
    assert "still waiting" not in page
    assert page.count('class="field-role"') == 2
    (listed,) = root.get("/admin/conversations/conversation/").context["cl"].result_list
    assert listed.turn_count == 2


def test_staff_without_the_right_to_messages_sees_none(thread):
    clerk = staff("view_conversation", "view_turn")
    for path in ("/admin/conversations/conversation/", "/admin/conversations/turn/"):
        assert SECRET not in clerk.get(path).content.decode()
    for page in row_pages(thread).values():
        answer = clerk.get(f"{page}/change/")
        assert answer.status_code == 200
        assert SECRET not in answer.content.decode()
        history = clerk.get(f"{page}/history/")
        assert SECRET not in history.content.decode()


def test_staff_without_any_right_sees_no_conversation(thread):
    clerk = staff()
    for model, page in row_pages(thread).items():
        assert clerk.get(f"/admin/conversations/{model}/").status_code == 403
        assert clerk.get(f"{page}/change/").status_code == 403


def test_nothing_is_added_changed_or_deleted_by_hand(root, thread):
    for model, page in row_pages(thread).items():
        assert root.get(f"/admin/conversations/{model}/add/").status_code == 403
        assert root.post(f"/admin/conversations/{model}/add/", {}).status_code == 403
        assert root.post(f"{page}/change/", {"title": "x"}).status_code == 403
        assert root.get(f"{page}/delete/").status_code == 403
        assert root.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
        chosen = {"action": "delete_selected", "_selected_action": [page.rsplit("/", 1)[1]], "post": "yes"}
        root.post(f"/admin/conversations/{model}/", chosen)
    thread.refresh_from_db()
    assert thread.title == "Tea"
    assert Turn.objects.count() == 1


def delete_alice(client: Client, thread: Conversation):
    path = f"/admin/accounts/user/{thread.owner_id}/delete/"
    return client.get(path), client.post(path, {"post": "yes"})


def test_an_account_is_deleted_with_its_conversations(root, thread):
    asked, done = delete_alice(root, thread)
    assert "would require deleting" not in asked.content.decode()
    assert "permission" not in asked.content.decode()
    assert done.status_code == 302
    assert not User.objects.filter(username="alice").exists()
    assert Conversation.objects.count() == Turn.objects.count() == Message.objects.count() == 0


def test_several_accounts_are_deleted_with_their_conversations(root, thread):
    chosen = {"action": "delete_selected", "_selected_action": [str(thread.owner_id)], "post": "yes"}
    root.post("/admin/accounts/user/", chosen)
    assert not User.objects.filter(username="alice").exists()
    assert Conversation.objects.count() == 0


def test_what_alice_said_is_not_listed_to_whoever_deletes_her(root, thread):
    asked, _done = delete_alice(root, thread)
    assert SECRET not in asked.content.decode()


def test_staff_who_may_delete_users_but_no_conversations_cannot_delete_hers(thread):
    _asked, done = delete_alice(staff("view_user", "change_user", "delete_user"), thread)
    assert done.status_code == 403
    assert Conversation.objects.count() == 1


def test_the_isolation_check_wants_exactly_two_users(root, thread):
    chosen = {"action": "check_isolation", "_selected_action": [str(thread.owner_id)]}
    answer = root.post("/admin/accounts/user/", chosen, follow=True)
    assert "Choose exactly two users." in answer.content.decode()
