"""Staff see what came and what became of it, and can have it handled once more."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.models import User
from cozechat.webhooks import comparing
from cozechat.webhooks.handling import handle
from cozechat.webhooks.models import CozeCharge, Event, UsageComparison
from tests.webhooks.telling import message_event, usage_event
from tests.webhooks.test_comparing import record
from tests.webhooks.test_handling import claim, store
from tests.webhooks.test_messages import COZE_ID, make_thread

ADMIN = "/admin/webhooks"


@pytest.fixture
def events(alice: Any) -> None:
    make_thread(alice)
    store(message_event(COZE_ID, "words-of-alice", id="e-handled"))
    store({"id": "e-ignored", "type": "stock.low"})
    for event in claim():
        handle(event, now=timezone.now())
    store({"id": "e-waiting", "type": "stock.low"})
    record(coze_chat_id="c-1")
    comparing.take(usage_event("c-1", charge="b-1", tokens=(10, 21)), now=timezone.now())


@pytest.fixture
def root(events: None) -> Client:
    return logged_in(User.objects.create_superuser("root", "root@example.com", "secret-words"))


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def clerk(*names: str) -> Client:
    user = User.objects.create_user("clerk", "clerk@example.com", "secret-words", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return logged_in(user)


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("page", ["event", "usagecomparison"])
def test_every_list_and_every_row_can_be_looked_at(page: str, language: str, root: Client) -> None:
    headers = {"accept-language": language}
    listed = text_of(root.get(f"{ADMIN}/{page}/", headers=headers))
    found = re.findall(rf'href="({ADMIN}/{page}/\d+/change/)', listed)
    assert found
    for row in found:
        text_of(root.get(row, headers=headers))


def test_a_difference_is_seen(root: Client) -> None:
    listed = text_of(root.get(f"{ADMIN}/usagecomparison/?verdict=differs"))
    assert "c-1" in listed
    assert "c-1" not in text_of(root.get(f"{ADMIN}/usagecomparison/?verdict=agrees"))
    row = text_of(root.get(f"{ADMIN}/usagecomparison/{UsageComparison.objects.get().pk}/change/"))
    assert "b-1" in row


def test_what_was_said_is_for_whoever_may_read_messages(events: None) -> None:
    event = Event.objects.get(event_id="e-handled")
    client = clerk("view_event")
    assert "words-of-alice" not in text_of(client.get(f"{ADMIN}/event/"))
    assert "words-of-alice" not in text_of(client.get(f"{ADMIN}/event/{event.pk}/change/"))
    client = logged_in(User.objects.get(username="clerk"))
    User.objects.get(username="clerk").user_permissions.add(Permission.objects.get(codename="view_message"))
    assert "words-of-alice" in text_of(client.get(f"{ADMIN}/event/{event.pk}/change/"))


def replay(client: Client, *ids: str) -> Any:
    chosen = [event.pk for event in Event.objects.filter(event_id__in=ids)]
    return client.post(f"{ADMIN}/event/", {"action": "replay", "_selected_action": chosen}, follow=True)


def test_chosen_events_are_handled_once_more(root: Client) -> None:
    said = text_of(replay(root, "e-handled", "e-ignored", "e-waiting"))
    assert "2 events will be handled once more." in said
    assert set(Event.objects.values_list("state", "attempts", "reason")) == {("waiting", 0, "")}


@pytest.mark.parametrize("rights", [("view_event",), ("view_event", "view_message")], ids=str)
def test_whoever_may_only_look_replays_nothing(rights: tuple[str, ...], events: None) -> None:
    replay(clerk(*rights), "e-handled")
    assert Event.objects.get(event_id="e-handled").state == "handled"


def test_who_is_no_staff_sees_nothing(events: None, bob: User) -> None:
    client = logged_in(bob)
    for page in ("event", "usagecomparison"):
        assert client.get(f"{ADMIN}/{page}/").status_code == 302
    assert replay(client, "e-handled").redirect_chain
    assert Event.objects.get(event_id="e-handled").state == "handled"


def test_nothing_is_changed_by_hand(root: Client) -> None:
    before = [list(model.objects.values()) for model in (Event, UsageComparison, CozeCharge)]
    for page, model in (("event", Event), ("usagecomparison", UsageComparison)):
        row = model.objects.order_by("pk")[0].pk  # type: ignore[attr-defined]
        assert root.get(f"{ADMIN}/{page}/add/").status_code == 403
        root.post(f"{ADMIN}/{page}/{row}/change/", {"state": "handled", "verdict": "agrees"})
        root.post(f"{ADMIN}/{page}/{row}/delete/", {"post": "yes"})
    assert [list(model.objects.values()) for model in (Event, UsageComparison, CozeCharge)] == before
