"""Conversations belong to the session that made them, and Bob tries all the same."""

from typing import Any

import pytest

from cozechat.emulator.process import RunningEmulator

from .raw import Session


def test_a_new_conversation_has_every_field(alice: Session) -> None:
    made = alice.post("/v1/conversation/create", {"name": "旅行", "meta_data": {"k": "v"}}).json["data"]
    assert list(made) == [
        "id",
        "name",
        "meta_data",
        "created_at",
        "updated_at",
        "creator_id",
        "connector_id",
        "last_section_id",
    ]
    assert made["name"] == "旅行"
    assert made["meta_data"] == {"k": "v"}
    assert len(made["id"]) == 19
    assert made["connector_id"] == "1024"
    assert alice.get(f"/v1/conversation/retrieve?conversation_id={made['id']}").json["data"] == made


def test_a_conversation_needs_no_body_at_all(alice: Session) -> None:
    made = alice.call("POST", "/v1/conversation/create").json
    assert made["code"] == 0
    assert made["data"]["meta_data"] == {}


def test_messages_may_come_with_a_new_conversation_and_name_it(alice: Session) -> None:
    messages = [{"role": "user", "content": "我叫张三"}, {"role": "assistant", "content": "好的"}]
    made = alice.post("/v1/conversation/create", {"messages": messages}).json["data"]
    assert made["name"] == "我叫张三"
    listed = alice.messages(made["id"], order="asc")["data"]
    assert [row["type"] for row in listed] == ["question", "answer"]
    assert "张三" in alice.chat("我叫什么名字?", made["id"]).answer


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "x" * 101}, 4000),
        ({"name": 5}, 4000),
        ({"meta_data": {"k" * 65: "v"}}, 4003),
        ({"meta_data": {"k": "v" * 513}}, 4003),
        ({"meta_data": {str(n): "v" for n in range(17)}}, 4003),
        ({"meta_data": {"k": 1}}, 4000),
        ({"meta_data": []}, 4000),
        ({"messages": [{"role": "user", "content": "x"}] * 17}, 4004),
        ({"messages": [{"role": "system", "content": "x"}]}, 4000),
        ({"messages": [{"role": "user"}]}, 4000),
        ({"messages": "hello"}, 4000),
        ({"messages": [{"role": "user", "content": "x", "type": "verbose"}]}, 4000),
        ({"connector_id": "7"}, 4000),
        ({"bot_id": "7"}, 4006),
    ],
)
def test_limits_and_types_are_checked(alice: Session, body: dict[str, Any], code: int) -> None:
    assert alice.post("/v1/conversation/create", body).json["code"] == code


def test_a_list_shows_own_conversations_with_the_bot_page_by_page(alice: Session, bob: Session) -> None:
    bot = alice.emulator.credentials.bot_id
    made = [alice.conversation(bot_id=bot) for _ in range(3)]
    alice.conversation()
    bob.conversation(bot_id=bot)
    first = alice.get(f"/v1/conversations?bot_id={bot}&page_num=1&page_size=2").json["data"]
    second = alice.get(f"/v1/conversations?bot_id={bot}&page_num=2&page_size=2").json["data"]
    assert [first["has_more"], second["has_more"]] == [True, False]
    assert [row["id"] for row in first["conversations"] + second["conversations"]] == made[::-1]
    ascending = alice.get(f"/v1/conversations?bot_id={bot}&sort_order=ASC").json["data"]["conversations"]
    assert [row["id"] for row in ascending] == made


@pytest.mark.parametrize(
    "query", ["", "bot_id=", "bot_id=1&page_size=51", "bot_id=1&page_num=0", "bot_id=1&sort_order=x"]
)
def test_a_list_with_wrong_parameters_is_4000(alice: Session, query: str) -> None:
    assert alice.get(f"/v1/conversations?{query}").json["code"] == 4000


def test_renaming_changes_the_name(alice: Session) -> None:
    conversation = alice.conversation(name="old")
    assert (
        alice.call("PUT", f"/v1/conversations/{conversation}", {"name": "new"}).json["data"]["name"] == "new"
    )
    found = alice.get(f"/v1/conversation/retrieve?conversation_id={conversation}").json["data"]
    assert found["name"] == "new"


def test_a_deleted_conversation_is_gone_with_its_messages(alice: Session) -> None:
    conversation = alice.conversation()
    alice.chat("hello", conversation)
    deleted = alice.call("DELETE", f"/v1/conversations/{conversation}").json
    assert deleted["code"] == 0
    assert "data" not in deleted
    assert alice.get(f"/v1/conversation/retrieve?conversation_id={conversation}").json["code"] == 4002
    assert alice.messages(conversation)["code"] == 4002


def test_clearing_cuts_the_context_and_keeps_the_messages(alice: Session) -> None:
    conversation = alice.conversation()
    alice.chat("我叫张三", conversation)
    cleared = alice.post(f"/v1/conversations/{conversation}/clear").json["data"]
    found = alice.get(f"/v1/conversation/retrieve?conversation_id={conversation}").json["data"]
    assert cleared == {"id": found["last_section_id"], "conversation_id": conversation}
    assert cleared["id"] != conversation
    assert "张三" not in alice.chat("我叫什么名字?", conversation).answer
    assert len(alice.messages(conversation)["data"]) == 4


ATTEMPTS = {
    "retrieve": ("GET", "/v1/conversation/retrieve?conversation_id={c}", None),
    "rename": ("PUT", "/v1/conversations/{c}", {"name": "mine now"}),
    "delete": ("DELETE", "/v1/conversations/{c}", None),
    "clear": ("POST", "/v1/conversations/{c}/clear", None),
    "list messages": ("POST", "/v1/conversation/message/list?conversation_id={c}", {}),
    "add a message": (
        "POST",
        "/v1/conversation/message/create?conversation_id={c}",
        {"role": "user", "content": "x"},
    ),
    "read a message": ("GET", "/v1/conversation/message/retrieve?conversation_id={c}&message_id={m}", None),
    "change a message": (
        "POST",
        "/v1/conversation/message/modify?conversation_id={c}&message_id={m}",
        {"content": "x"},
    ),
    "delete a message": ("POST", "/v1/conversation/message/delete?conversation_id={c}&message_id={m}", None),
    "like a message": ("POST", "/v1/conversations/{c}/messages/{m}/feedback", {"feedback_type": "like"}),
    "unlike a message": ("DELETE", "/v1/conversations/{c}/messages/{m}/feedback", None),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_bob_is_told_that_alices_conversation_does_not_exist(
    alice: Session, bob: Session, attempt: str
) -> None:
    conversation = alice.conversation(name="diary")
    alice.chat("我叫张三", conversation)
    message = alice.messages(conversation)["data"][0]["id"]
    before = alice.messages(conversation)["data"]
    method, path, body = ATTEMPTS[attempt]
    foreign = bob.call(method, path.format(c=conversation, m=message), body)
    missing = bob.call(method, path.format(c="7000000000000000001", m=message), body)
    assert foreign.json["code"] == missing.json["code"] == 4002
    assert foreign.json["msg"] == missing.json["msg"]
    assert "data" not in foreign.json
    assert (foreign.status, missing.status) == (200, 200)
    assert alice.messages(conversation)["data"] == before
    kept = alice.get(f"/v1/conversation/retrieve?conversation_id={conversation}").json["data"]
    assert (kept["name"], kept["last_section_id"]) == ("diary", conversation)


def test_bob_cannot_chat_in_alices_conversation(alice: Session, bob: Session) -> None:
    conversation = alice.conversation()
    reply = bob.chat("我是李四", conversation)
    assert reply.json["code"] == 4002
    assert reply.headers["content-type"].startswith("application/json")
    assert alice.messages(conversation)["data"] == []


def test_a_token_without_a_session_sees_no_sessions_conversations(
    emulator: RunningEmulator, alice: Session
) -> None:
    nobody = Session(emulator, name=None)
    conversation = alice.conversation(bot_id=emulator.credentials.bot_id)
    assert nobody.get(f"/v1/conversation/retrieve?conversation_id={conversation}").json["code"] == 4002
    listed = nobody.get(f"/v1/conversations?bot_id={emulator.credentials.bot_id}").json["data"][
        "conversations"
    ]
    assert conversation not in [row["id"] for row in listed]


def test_two_tokens_without_a_session_are_the_same_user(emulator: RunningEmulator) -> None:
    conversation = Session(emulator, name=None).conversation()
    other = Session(emulator, name=None)
    assert other.get(f"/v1/conversation/retrieve?conversation_id={conversation}").json["code"] == 0


@pytest.mark.parametrize("code", [4200, 4101])
def test_the_code_for_foreign_and_missing_can_be_chosen(start: Any, code: int) -> None:
    emulator = start(arguments=["--conversation-error", str(code)])
    conversation = Session(emulator).conversation()
    bob = Session(emulator)
    assert bob.get(f"/v1/conversation/retrieve?conversation_id={conversation}").json["code"] == code
    assert bob.chat("hello", "7000000000000000001").json["code"] == code


def test_creating_by_the_plural_path_is_not_allowed_unless_switched_on(start: Any, alice: Session) -> None:
    reply = alice.post("/v1/conversations", {})
    assert (reply.status, reply.json["code"]) == (405, 4000)
    emulator = start(arguments=["--plural-create"])
    assert Session(emulator).post("/v1/conversations", {}).json["data"]["id"]


def test_a_token_without_a_session_can_be_made_to_see_all(start: Any, alice: Session) -> None:
    def codes(emulator: Any) -> list[int]:
        own, nobody = Session(emulator), Session(emulator, name=None)
        conversation = own.conversation(bot_id=emulator.credentials.bot_id)
        path = f"/v1/conversation/retrieve?conversation_id={conversation}"
        return [session.get(path).json["code"] for session in (own, nobody, Session(emulator))]

    assert codes(alice.emulator) == [0, 4002, 4002]
    assert codes(start(arguments=["--sessionless-sees", "all"])) == [0, 0, 4002]
