"""Bob tries every URL with Alice's ids: each answer is the one for something that never was."""

import base64
import json
import re
import uuid

import pytest
from django.test import Client
from django.utils import timezone

from conversations import urls
from conversations.models import Conversation, Cut, Message, Turn
from tests.conversations.intrusion import (
    SECRET,
    address,
    everything_of,
    filled,
    ids_of,
    ids_of_nobody,
    neutral,
    signed_in,
)
from tests.tabs import HOST

# What Bob tries at each URL, every one that the code has: method, query, body.
TRIED_URLS = {
    "new": [("GET", "?conversation=CONVERSATION&c=CONVERSATION", None)],
    "page": [("GET", "", None), ("GET", "?turn=TURN", None), ("HEAD", "", None), ("POST", "", {})],
    "api_conversations": [
        ("GET", "", None),
        ("GET", "?after=CURSOR", None),
        ("GET", "?owner=ALICE&user=ALICE&session_name=SESSION", None),
    ],
    "api_conversation": [
        ("GET", "", None),
        ("HEAD", "", None),
        ("PATCH", "", {"title": "Bob was here"}),
        ("PATCH", "", {"title": ""}),
        ("PATCH", "", {"title": "x" * 101}),
        ("PATCH", "", ["title"]),
        ("PATCH", "", {"turn": "TURN"}),
        ("PATCH", "", {"turn": "TURN", "title": "Bob was here"}),
        ("PATCH", "", {"turn": "rubbish"}),
        ("DELETE", "", None),
        ("POST", "", {}),
    ],
    "api_messages": [
        ("GET", "", None),
        ("GET", "?before=MESSAGE", None),
        ("GET", "?before=rubbish", None),
        ("GET", "?limit=1", None),
        ("DELETE", "", None),
    ],
    "api_feedback": [
        ("PUT", "", {"rating": "like"}),
        ("PUT", "", {"rating": "rubbish"}),
        ("DELETE", "", None),
        ("GET", "", None),
    ],
    "api_export": [
        ("GET", "", None),
        ("GET", "?format=json", None),
        ("GET", "?format=markdown", None),
        ("GET", "?format=rubbish", None),
    ],
    "api_turn": [("DELETE", "", None), ("GET", "", None), ("POST", "", {})],
    "api_restored_turn": [("POST", "", None), ("GET", "", None), ("DELETE", "", None)],
    "api_cuts": [("POST", "", None), ("GET", "", None)],
    "api_cut": [("DELETE", "", None), ("GET", "", None), ("POST", "", {})],
    "api_search": [("GET", "?q=zebra", None), ("GET", "?q=CONVERSATION", None), ("GET", "?q=SESSION", None)],
}
# The same for everybody: what is a visitor's own comes with the tab's pass.
FOR_ANYBODY = {
    "visit": [("GET", "?conversation=CONVERSATION", None)],
    "visit_page": [("GET", "", None), ("GET", "?turn=TURN", None)],
    "widget": [("GET", "?conversation=CONVERSATION", None)],
    "widget_page": [("GET", "", None)],
    "favicon": [("GET", "?conversation=CONVERSATION", None)],
    "widget_script": [("GET", "?conversation=CONVERSATION", None)],
}
TRIED_URLS |= FOR_ANYBODY
OF_ONE_CONVERSATION = (
    *("page", "api_conversation", "api_messages", "api_export", "api_feedback"),
    *("api_turn", "api_restored_turn", "api_cuts", "api_cut"),
)


def test_every_url_is_tried_here():
    assert set(TRIED_URLS) == {pattern.name for pattern in urls.urlpatterns}


# A mask that Django makes anew for every page; not a word about anybody.
_MASK = re.compile(r'(csrfmiddlewaretoken"?\s+value="|name="csrf-token" content="|"csrf[^"]*":\s*")[^"]+')


def reply(client: Client, name: str, attempt: tuple, ids: dict[str, str]) -> tuple:
    method, query, body = attempt
    response = client.generic(
        method,
        address(name, ids) + filled(query, ids),
        "" if body is None else json.dumps(body),
        content_type="application/json",
    )
    kept = {key: value for key, value in response.headers.items() if key not in {"Expires", "Last-Modified"}}
    text = _MASK.sub(r"\1", neutral(response.content.decode(), ids))
    return response.status_code, neutral(str(kept), ids), text


@pytest.fixture
def alices(alice):
    """A conversation of Alice's as it is after a while, without the need of a Coze."""
    from cozechat.catalog.environment import default_assistant

    conversation = Conversation.objects.create(
        owner=alice, assistant=default_assistant(), title=SECRET, coze_conversation_id="7400000000000000001"
    )
    for number in range(3):
        turn = Turn.objects.create(
            conversation=conversation,
            owner=alice,
            client_id=uuid.uuid4(),
            status="completed",
            ended_at=timezone.now(),
        )
        Message.objects.create(
            conversation=conversation, turn=turn, role="user", content=f"{SECRET} {number}"
        )
        Message.objects.create(
            conversation=conversation, turn=turn, role="assistant", content=f"zebra {number}"
        )
    Cut.objects.create(conversation=conversation, after=Message.objects.order_by("pk").last().pk)
    return ids_of(alice)


@pytest.mark.parametrize("name", TRIED_URLS)
def test_a_url_with_foreign_ids_answers_as_if_they_never_were(alice, alices, intruder, name):
    client, none = signed_in(intruder), ids_of_nobody(alices)
    before = everything_of(alice)
    for attempt in TRIED_URLS[name]:
        foreign, missing = (reply(client, name, attempt, ids) for ids in (alices, none))
        assert foreign == missing, attempt
        assert "zebra" not in str(foreign)
        assert name not in OF_ONE_CONVERSATION or foreign[0] in {404, 405}
    assert everything_of(alice) == before


@pytest.mark.parametrize("name", TRIED_URLS)
def test_whoever_is_not_signed_in_learns_nothing_of_ids_either(alice, alices, name):
    client, none = Client(headers={"host": HOST}), ids_of_nobody(alices)
    for attempt in TRIED_URLS[name]:
        foreign, missing = (reply(client, name, attempt, ids) for ids in (alices, none))
        assert foreign == missing
        assert foreign[0] in ({200, 404} if name in FOR_ANYBODY else {302, 401, 405})


def test_cursors_of_alices_lead_bob_to_nothing_in_his_own_conversation(alice, alices, bob):
    client = signed_in(bob)
    mine = client.post("/api/conversations/", "{}", content_type="application/json").json()["id"]
    for before in (alices["MESSAGE"], str(int(alices["MESSAGE"]) + 1), "9" * 18):
        page = client.get(f"/api/conversations/{mine}/messages?before={before}").json()
        assert page == {"items": [], "next": None}
    listed = client.get(f"/api/conversations/?after={alices['CURSOR']}").json()["items"]
    assert [item["id"] for item in listed] == [mine]


def test_ids_of_alices_in_bobs_own_conversation_lead_nowhere(alice, alices, bob):
    """His conversation is his; her turn and her cut are not in it."""
    client, before = signed_in(bob), everything_of(alice)
    mine = client.post("/api/conversations/", "{}", content_type="application/json").json()["id"]
    tries = [("PATCH", "", {"turn": "TURN"})]
    for name in ("api_conversation", "api_turn", "api_restored_turn", "api_cut"):
        for attempt in tries if name == "api_conversation" else TRIED_URLS[name]:
            here = [ids | {"CONVERSATION": mine} for ids in (alices, ids_of_nobody(alices))]
            foreign, missing = (reply(client, name, attempt, ids) for ids in here)
            assert foreign == missing, attempt
            assert foreign[0] in {404, 405}
    assert client.get(f"/c/{mine}/?turn={alices['TURN']}").status_code == 200
    assert "zebra" not in client.get(f"/c/{mine}/?turn={alices['TURN']}").content.decode()
    assert everything_of(alice) == before


def encoded(value) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "rubbish",
        "%00",
        "é",
        encoded([]),
        encoded({}),
        encoded("ab"),
        encoded(["2026-01-01T00:00:00+00:00", "first"]),
        encoded(["2026-01-01T00:00:00", "0b7e1c52-6f0a-4d53-9f0e-1d2c3b4a5968"]),
        encoded(["0001-01-01T00:00:00+23:59", "0b7e1c52-6f0a-4d53-9f0e-1d2c3b4a5968"]),
        encoded([7, None]),
        encoded([[], {}]),
    ],
)
def test_a_cursor_that_we_did_not_make_is_a_bad_request(alice, alices, cursor):
    assert signed_in(alice).get("/api/conversations/", {"after": cursor}).status_code == 400


def test_a_search_for_control_characters_finds_nothing(alice, alices):
    assert signed_in(alice).get("/api/search", {"q": "\x00zebra"}).status_code == 200


def test_fields_of_a_new_conversation_that_name_an_owner_are_ignored(alice, alices, bob):
    body = {"title": "mine", "owner": alice.pk, "owner_id": alice.pk, "session_name": alice.session_name}
    body |= {"id": alices["CONVERSATION"], "coze_conversation_id": "7400000000000000001"}
    made = (
        signed_in(bob).post("/api/conversations/", json.dumps(body), content_type="application/json").json()
    )
    stored = Conversation.objects.get(pk=made["id"])
    assert (stored.owner, stored.coze_conversation_id) == (bob, "")
    assert made["id"] != alices["CONVERSATION"]
    assert Conversation.objects.get(pk=alices["CONVERSATION"]).owner == alice


def test_a_deleted_conversation_is_like_one_that_never_was_even_for_its_owner(alice, alices):
    client, none = signed_in(alice), ids_of_nobody(alices)
    assert client.delete(f"/api/conversations/{alices['CONVERSATION']}/").status_code == 204
    for name in OF_ONE_CONVERSATION:
        for attempt in TRIED_URLS[name]:
            assert reply(client, name, attempt, alices) == reply(client, name, attempt, none)
    assert client.get("/api/search?q=zebra").json()["items"] == []


def test_changes_without_the_csrf_token_are_refused(alice, alices):
    client = Client(headers={"host": HOST}, enforce_csrf_checks=True)
    client.force_login(alice)
    path = f"/api/conversations/{alices['CONVERSATION']}/"
    tries = [
        client.delete(path),
        client.patch(path, "{}", content_type="application/json"),
        client.post("/api/conversations/", "{}", content_type="application/json"),
        client.patch(path, json.dumps({"turn": alices["TURN"]}), content_type="application/json"),
        client.delete(f"{path}turns/{alices['TURN']}"),
        client.post(f"{path}turns/{alices['TURN']}/restore"),
        client.post(f"{path}cuts"),
        client.delete(f"{path}cuts/{alices['CUT']}"),
    ]
    assert {response.status_code for response in tries} == {403}
    assert Conversation.objects.count() == 1
