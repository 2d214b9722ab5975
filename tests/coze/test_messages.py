"""Single messages and what their readers think of them."""

import json
from typing import Any

import pytest

from cozechat.coze import errors
from cozechat.coze.messages import Feedback
from cozechat.coze.parts import ImagePart, TextPart
from tests.coze.asking import ask, refusal, unsent
from tests.coze.wire import ALICE, envelope

WIRE = {
    "id": "7390342853760696355",
    "conversation_id": "7",
    "bot_id": "1",
    "chat_id": "",
    "section_id": "7",
    "role": "user",
    "type": "question",
    "content": "hi",
    "content_type": "text",
    "meta_data": {"k": "v", "n": 1},
    "created_at": "1735115982",
    "updated_at": 1735115983,
}


def test_a_message_is_added_to_a_conversation():
    found, request = ask(
        lambda client: client.messages.create(ALICE, "7", content="hi", meta_data={"k": "v"}), envelope(WIRE)
    )
    assert (found.id, found.content, found.created_at) == ("7390342853760696355", "hi", 1735115982)
    assert found.meta_data == {"k": "v", "n": "1"}
    assert (request.method, request.target) == ("POST", "/v1/conversation/message/create?conversation_id=7")
    assert request.json == {
        "role": "user",
        "type": "question",
        "content": "hi",
        "content_type": "text",
        "meta_data": {"k": "v"},
        "session_name": "u_alice",
    }


def test_an_answer_can_be_added_and_a_question_have_parts():
    _, request = ask(
        lambda client: client.messages.create(ALICE, "7", content="yes", role="assistant"), envelope(WIRE)
    )
    assert (request.json["role"], request.json["type"]) == ("assistant", "answer")
    parts = [TextPart("look"), ImagePart(file_id="73")]
    _, request = ask(lambda client: client.messages.create(ALICE, "7", content=parts), envelope(WIRE))
    assert request.json["content_type"] == "object_string"
    assert json.loads(request.json["content"])[1] == {"type": "image", "file_id": "73"}
    system = unsent(lambda client: client.messages.create(ALICE, "7", content="x", role="system"))
    assert isinstance(system, errors.BadRequest)


def test_a_message_is_retrieved_by_its_conversation_and_id():
    found, request = ask(lambda client: client.messages.retrieve(ALICE, "7", "8&x"), envelope(WIRE))
    assert found.content == "hi"
    assert (request.method, request.body) == ("GET", b"")
    assert request.target == "/v1/conversation/message/retrieve?conversation_id=7&message_id=8%26x"


def test_a_changed_message_stands_under_its_own_name():
    found, request = ask(
        lambda client: client.messages.update(ALICE, "7", "8", content="new"), envelope(message=WIRE)
    )
    assert found.content == "hi"
    assert request.target == "/v1/conversation/message/modify?conversation_id=7&message_id=8"
    assert request.json == {"content": "new", "content_type": "text", "session_name": "u_alice"}
    _, request = ask(
        lambda client: client.messages.update(ALICE, "7", "8", meta_data={}), envelope(message=WIRE)
    )
    assert request.json == {"meta_data": {}, "session_name": "u_alice"}


def test_a_deleted_message_comes_back_once_more():
    found, request = ask(lambda client: client.messages.delete(ALICE, "7", "8"), envelope(WIRE))
    assert found.id == "7390342853760696355"
    assert (request.method, request.target) == (
        "POST",
        "/v1/conversation/message/delete?conversation_id=7&message_id=8",
    )


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (envelope(code=4005, msg="no"), errors.NotFound),
        (envelope(code=4002, msg="no"), errors.ConversationNotFound),
        (envelope(code=4003, msg="too much"), errors.BadRequest),
        (envelope(), errors.BadResponse),
        (envelope(message=WIRE), errors.BadResponse),
        (envelope({**WIRE, "conversation_id": "9"}), errors.WrongConversation),
    ],
)
def test_what_is_no_message_of_this_conversation_is_an_error(answer: Any, kind: type):
    assert type(refusal(lambda client: client.messages.retrieve(ALICE, "7", "8"), answer)) is kind


def test_an_update_that_is_answered_like_the_others_is_a_bad_response():
    error = refusal(lambda client: client.messages.update(ALICE, "7", "8", content="x"), envelope(WIRE))
    assert type(error) is errors.BadResponse


def test_feedback_is_set_with_its_reasons_and_taken_back():
    found, request = ask(
        lambda client: client.messages.set_feedback(
            ALICE, "7", "8/9", feedback=Feedback.UNLIKE, reasons=["wrong"], comment="no"
        ),
        envelope(),
    )
    assert found is None
    assert (request.method, request.target) == ("POST", "/v1/conversations/7/messages/8%2F9/feedback")
    assert request.json == {
        "feedback_type": "unlike",
        "reason_types": ["wrong"],
        "comment": "no",
        "session_name": "u_alice",
    }
    _, request = ask(
        lambda client: client.messages.set_feedback(ALICE, "7", "8", feedback=Feedback.LIKE), envelope()
    )
    assert request.json == {"feedback_type": "like", "session_name": "u_alice"}
    found, request = ask(lambda client: client.messages.remove_feedback(ALICE, "7", "8"), envelope())
    assert (found, request.method, request.body) == (None, "DELETE", b"")
