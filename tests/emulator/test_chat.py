"""A chatflow is asked: what is refused before the stream, and what a stream leaves behind."""

import time
from typing import Any

import pytest

from cozechat.emulator.process import RunningEmulator

from .raw import Session, wait_until

USER = {"role": "user", "content": "hello", "content_type": "text"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"workflow_id": None}, 4000),
        ({"workflow_id": 7480012345678902001}, 4000),
        ({"workflow_id": "7480012345678902009"}, 4200),
        ({"workflow_id": "7480012345678902002"}, 4200),
        ({"app_id": None}, 4000),
        ({"bot_id": "7480012345678904001"}, 4000),
        ({"app_id": "7480012345678903009"}, 4200),
        ({"app_id": None, "bot_id": "7480012345678904009"}, 4006),
        ({"additional_messages": []}, 4000),
        ({"additional_messages": None}, 4000),
        ({"additional_messages": [USER] * 51}, 4004),
        ({"additional_messages": [USER, {"role": "assistant", "content": "x"}]}, 4000),
        ({"additional_messages": [{**USER, "content_type": "object_string"}]}, 4000),
        ({"additional_messages": [{**USER, "content": None}]}, 4000),
        ({"additional_messages": [{**USER, "type": "answer"}]}, 4000),
        ({"additional_messages": "hello"}, 4000),
        ({"parameters": []}, 4000),
        ({"ext": {"user_id": 1}}, 4000),
        ({"conversation_id": 1}, 4000),
        ({"session_name": 1}, 4000),
    ],
)
def test_a_wrong_request_gets_json_instead_of_a_stream(
    alice: Session, changes: dict[str, Any], code: int
) -> None:
    conversation = alice.conversation()
    body = alice.chat_body("hello", conversation) | changes
    reply = alice.post("/v1/workflows/chat", {k: v for k, v in body.items() if v is not None})
    assert (reply.status, reply.json["code"]) == (200, code)
    assert reply.headers["content-type"].startswith("application/json")
    assert alice.messages(conversation)["data"] == []


def test_everything_an_sdk_sends_as_null_is_welcome(alice: Session) -> None:
    nulls = dict.fromkeys(
        ("id", "meta_data", "section_id", "bot_id", "chat_id", "created_at", "reasoning_content")
    )
    message = {**USER, "type": "question", **nulls}
    reply = alice.chat(
        "", alice.conversation(), additional_messages=[message], parameters={}, ext={"user_id": "1"}
    )
    assert reply.events[-1] == "done"


def test_question_and_answer_are_stored_under_the_ids_of_the_stream(alice: Session) -> None:
    conversation = alice.conversation()
    reply = alice.chat("count to 4", conversation)
    answer, question = alice.messages(conversation)["data"]
    chat = reply.data("conversation.chat.created")
    assert (question["type"], question["content"], question["chat_id"]) == (
        "question",
        "count to 4",
        chat["id"],
    )
    assert answer["id"] == reply.data("conversation.message.delta")["id"]
    assert (answer["role"], answer["content"], answer["chat_id"]) == ("assistant", "1 2 3 4", chat["id"])


def test_history_in_the_request_counts(alice: Session) -> None:
    history = [{"role": "user", "content": "我叫张三"}, {"role": "assistant", "content": "你好"}]
    question = {"role": "user", "content": "我叫什么名字?"}
    reply = alice.chat("", alice.conversation(), additional_messages=[*history, question])
    assert "张三" in reply.answer


def test_conversations_of_one_user_do_not_know_of_each_other(alice: Session) -> None:
    alice.chat("我叫张三", alice.conversation())
    assert "张三" not in alice.chat("我叫什么名字?", alice.conversation()).answer


def test_a_bot_without_a_conversation_gets_a_new_one_each_time(alice: Session, bob: Session) -> None:
    bot = {"app_id": None, "bot_id": alice.emulator.credentials.bot_id}
    made = [alice.chat("hello", **bot).data("conversation.chat.created")["conversation_id"] for _ in range(2)]
    assert made[0] != made[1]
    path = f"/v1/conversation/retrieve?conversation_id={made[0]}"
    assert (alice.get(path).json["code"], bob.get(path).json["code"]) == (0, 4002)


def test_an_app_without_a_conversation_has_a_default_one_for_each_user(alice: Session, bob: Session) -> None:
    used = [
        asker.chat("hello").data("conversation.chat.created")["conversation_id"]
        for asker in (alice, alice, bob)
    ]
    assert used[0] == used[1] != used[2]


def test_a_conversation_can_be_named_and_an_unknown_name_fails_as_sampled(alice: Session) -> None:
    conversation = alice.conversation(name="旅行")
    found = alice.chat("hello", parameters={"CONVERSATION_NAME": "旅行"})
    assert found.data("conversation.chat.created")["conversation_id"] == conversation
    missing = alice.chat("hello", parameters={"CONVERSATION_NAME": "没有"})
    assert missing.body.decode() == (
        'event: conversation.chat.failed\ndata: {"code": "720702204","msg": "会话名不存在"}\n\n'
    )


def test_one_chat_at_a_time_runs_in_a_conversation(alice: Session) -> None:
    conversation = alice.conversation()
    with alice.open_chat("count to 1000", conversation) as first:
        assert first.recv(10)
        assert alice.chat("hello", conversation).json["code"] == 4016
        assert alice.chat("hello", alice.conversation()).status == 200


def test_whoever_has_read_completed_may_speak_at_once(alice: Session) -> None:
    conversation = alice.conversation()
    for number in range(20):
        assert alice.chat(f"count to {number + 1}", conversation).events[-1] == "done"


def test_a_run_finishes_behind_a_reader_who_leaves(emulator: RunningEmulator, alice: Session) -> None:
    conversation = alice.conversation()
    abandoned = emulator.ledger()["abandoned"]
    with alice.open_chat("count to 300", conversation) as first:
        assert first.recv(10)
    wait_until(lambda: emulator.ledger()["abandoned"] > abandoned)
    wait_until(lambda: len(alice.messages(conversation)["data"]) == 2)
    assert alice.messages(conversation)["data"][0]["content"].endswith(" 300")


def test_a_run_stops_with_its_reader_if_so_chosen(start: Any) -> None:
    emulator = start(arguments=["--on-disconnect", "stop"])
    alice = Session(emulator)
    conversation = alice.conversation()
    with alice.open_chat("count to 300 slowly", conversation) as first:
        assert first.recv(10)
    wait_until(lambda: emulator.ledger()["running"] == 0)
    assert len(alice.messages(conversation)["data"]) == 1
    assert alice.chat("count to 3", conversation).answer == "1 2 3"


def test_a_reader_who_does_not_read_does_not_hold_the_run_up(alice: Session) -> None:
    conversation = alice.conversation()
    with alice.open_chat("count to 1500", conversation):
        wait_until(lambda: len(alice.messages(conversation)["data"]) == 2)


def test_pace_and_slowly_set_the_speed(start: Any) -> None:
    alice = Session(start(pace=100))
    conversation = alice.conversation()
    began = time.monotonic()
    alice.chat("count to 30", conversation)
    usual = time.monotonic() - began
    alice.chat("count to 6 slowly", conversation)
    slow = time.monotonic() - began - usual
    assert usual >= 0.3
    assert slow / 6 > 2 * usual / 30


def test_the_flow_asks_back_in_the_documented_form_and_goes_on_with_the_answer(alice: Session) -> None:
    conversation = alice.conversation()
    reply = alice.chat("ask me a question", conversation)
    assert reply.events == [
        "conversation.chat.created",
        "conversation.chat.in_progress",
        *["conversation.message.completed"] * 3,
        "done",
    ]
    assert r"\"msg_type\":\"interrupt\",\"data\":\"\"" in reply.frames[3][1]
    assert r"\\\"finish_reason\\\":1" in reply.frames[4][1]
    assert "**tea**" in alice.chat("tea", conversation).answer


def test_a_foreign_session_name_in_the_body_is_counted_and_ignored(
    emulator: RunningEmulator, alice: Session
) -> None:
    conversation = alice.conversation()
    reply = alice.chat("hello", conversation, session_name="somebody else")
    assert reply.events[-1] == "done"
    mismatch = {"path": "/v1/workflows/chat", "token": alice.name, "body": "somebody else"}
    assert mismatch in emulator.ledger()["session_name_mismatches"]


def test_a_foreign_session_name_in_the_body_can_be_refused(start: Any) -> None:
    alice = Session(start(arguments=["--body-session-name", "refuse"]))
    conversation = alice.conversation(session_name=alice.name)
    assert alice.chat("hello", conversation, session_name="somebody else").json["code"] == 4000
    assert alice.chat("hello", conversation, session_name=alice.name).events[-1] == "done"
    assert alice.chat("hello", conversation).events[-1] == "done"


def test_the_ledger_counts_chats_by_conversation_and_session(
    emulator: RunningEmulator, alice: Session
) -> None:
    conversation = alice.conversation()
    for _ in range(2):
        alice.chat("hello", conversation)
    ledger = emulator.ledger()
    assert alice.name is not None
    assert (ledger["chats"][conversation], ledger["chats_per_session"][alice.name]) == (2, 2)
