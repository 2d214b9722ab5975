"""Messages of a conversation: paging in both orders, changing, deleting."""

from typing import Any

import pytest

from .raw import Session


@pytest.fixture
def thread(alice: Session) -> tuple[str, list[str]]:
    """A conversation of five messages, with their ids from first to last."""
    conversation = alice.conversation()
    path = f"/v1/conversation/message/create?conversation_id={conversation}"
    made = [alice.post(path, {"role": "user", "content": str(n), "content_type": "text"}) for n in range(5)]
    return conversation, [reply.json["data"]["id"] for reply in made]


def ids(page: Any) -> list[str]:
    return [row["id"] for row in page["data"]]


def test_a_message_has_every_field_and_strings_for_ids(alice: Session, thread: tuple[str, list[str]]) -> None:
    conversation, (first, *_) = thread
    path = f"/v1/conversation/message/retrieve?conversation_id={conversation}&message_id={first}"
    message = alice.get(path).json["data"]
    assert message | {"created_at": 0, "updated_at": 0} == {
        "id": first,
        "conversation_id": conversation,
        "bot_id": "",
        "chat_id": "",
        "section_id": conversation,
        "role": "user",
        "type": "question",
        "content": "0",
        "content_type": "text",
        "meta_data": {},
        "created_at": 0,
        "updated_at": 0,
    }


def test_the_newest_come_first_unless_asked_otherwise(alice: Session, thread: tuple[str, list[str]]) -> None:
    conversation, made = thread
    assert ids(alice.messages(conversation)) == made[::-1]
    assert ids(alice.messages(conversation, order="asc")) == made


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_after_id_leads_on_through_all_pages_in_either_order(
    alice: Session, thread: tuple[str, list[str]], order: str
) -> None:
    conversation, made = thread
    seen: list[str] = []
    page = alice.messages(conversation, order=order, limit=2)
    while True:
        seen += ids(page)
        assert (page["first_id"], page["last_id"]) == (ids(page)[0], ids(page)[-1])
        if not page["has_more"]:
            break
        page = alice.messages(conversation, order=order, limit=2, after_id=page["last_id"])
    assert seen == (made if order == "asc" else made[::-1])


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_before_id_leads_back(alice: Session, thread: tuple[str, list[str]], order: str) -> None:
    conversation, made = thread
    rows = made if order == "asc" else made[::-1]
    page = alice.messages(conversation, order=order, limit=2, before_id=rows[3])
    assert ids(page) == rows[1:3]
    assert page["has_more"] is True
    rest = alice.messages(conversation, order=order, limit=2, before_id=page["first_id"])
    assert ids(rest) == rows[:1]
    assert rest["has_more"] is False


def test_an_empty_page_has_a_list_and_empty_ids(alice: Session) -> None:
    page = alice.messages(alice.conversation(), before_id="0", after_id=None, chat_id="")
    assert (page["data"], page["first_id"], page["last_id"], page["has_more"]) == ([], "", "", False)


def test_a_list_can_be_narrowed_to_one_chat(alice: Session) -> None:
    conversation = alice.conversation()
    first = alice.chat("count to 2", conversation).data("conversation.chat.created")["id"]
    alice.chat("count to 3", conversation)
    rows = alice.messages(conversation, chat_id=first, order="asc")["data"]
    assert [(row["type"], row["content"]) for row in rows] == [("question", "count to 2"), ("answer", "1 2")]


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 0},
        {"limit": 51},
        {"limit": "x"},
        {"limit": True},
        {"order": "up"},
        {"before_id": "x"},
        {"after_id": 5},
        [],
    ],
)
def test_a_list_with_wrong_parameters_is_4000(alice: Session, body: Any) -> None:
    path = f"/v1/conversation/message/list?conversation_id={alice.conversation()}"
    assert alice.post(path, body).json["code"] == 4000


def test_a_modified_message_stands_under_its_own_key(alice: Session, thread: tuple[str, list[str]]) -> None:
    conversation, (first, *_) = thread
    path = f"/v1/conversation/message/modify?conversation_id={conversation}&message_id={first}"
    reply = alice.post(path, {"content": "changed", "content_type": None, "meta_data": {"a": "b"}}).json
    assert "data" not in reply
    assert (reply["message"]["content"], reply["message"]["meta_data"]) == ("changed", {"a": "b"})
    assert alice.messages(conversation, order="asc")["data"][0]["content"] == "changed"


def test_a_deleted_message_is_returned_and_gone(alice: Session, thread: tuple[str, list[str]]) -> None:
    conversation, (first, *rest) = thread
    path = f"/v1/conversation/message/delete?conversation_id={conversation}&message_id={first}"
    assert alice.post(path).json["data"]["id"] == first
    assert ids(alice.messages(conversation, order="asc")) == rest
    assert alice.post(path).json["code"] == 4005


def test_a_message_is_not_found_through_another_own_conversation(
    alice: Session, thread: tuple[str, list[str]]
) -> None:
    _, (first, *_) = thread
    other = alice.conversation()
    path = f"/v1/conversation/message/retrieve?conversation_id={other}&message_id={first}"
    assert alice.get(path).json["code"] == 4005


def test_feedback_is_checked(alice: Session, thread: tuple[str, list[str]]) -> None:
    conversation, (first, *_) = thread
    path = f"/v1/conversations/{conversation}/messages/{first}/feedback"
    good = {"feedback_type": "unlike", "reason_types": ["too short"], "comment": "hm"}
    assert alice.post(path, good).json["code"] == 0
    assert alice.call("DELETE", path).json["code"] == 0
    for bad in (
        {},
        {"feedback_type": "love"},
        good | {"reason_types": ["x"] * 11},
        good | {"comment": "x" * 251},
    ):
        assert alice.post(path, bad).json["code"] == 4000
