"""What Coze says only now and then: thoughts, suggestions, several answers, none, questions, clocks."""

import json
import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from cozechat.emulator.process import RunningEmulator

from .raw import Reply, Session, assertion, claims, count_to, exchange

BOT = "7480012345678904001"
QUESTION, REASONING = "7480012345678902003", "7480012345678902004"


def messages(reply: Reply) -> list[Any]:
    frames = [json.loads(data) for event, data in reply.frames if event == "conversation.message.completed"]
    return [(frame["type"], frame["content"]) for frame in frames if frame["type"] != "verbose"]


def test_a_reasoning_flow_thinks_aloud_answers_and_suggests(alice: Session) -> None:
    conversation = alice.conversation()
    reply = alice.chat("count to 3", conversation, workflow_id=REASONING)
    frames = [json.loads(data) for event, data in reply.frames if event == "conversation.message.delta"]
    thoughts = [frame for frame in frames if "reasoning_content" in frame]
    assert frames[: len(thoughts)] == thoughts
    assert {frame["content"] for frame in thoughts} == {""}
    assert reply.answer == "1 2 3"
    assert [kind for kind, _ in messages(reply)] == ["answer", "follow_up", "follow_up", "follow_up"]
    stored = alice.messages(conversation)["data"]
    assert stored[0]["reasoning_content"] == "".join(frame["reasoning_content"] for frame in thoughts)
    assert [row["type"] for row in stored] == ["answer", "question"]


def test_a_question_flow_asks_back_every_second_time(alice: Session) -> None:
    conversation = alice.conversation()
    asked = alice.chat("hello", conversation, workflow_id=QUESTION)
    assert r"\"msg_type\":\"interrupt\"" in asked.frames[3][1]
    assert "**tea**" in alice.chat("tea", conversation, workflow_id=QUESTION).answer
    again = alice.chat("hello", conversation, workflow_id=QUESTION)
    assert r"\"msg_type\":\"interrupt\"" in again.frames[3][1]


def test_a_question_can_show_as_requires_action_everywhere(start: Any) -> None:
    alice = Session(start(arguments=["--interrupt-form", "requires-action"]))
    reply = alice.chat("hello", alice.conversation(), workflow_id=QUESTION)
    assert reply.events[-2:] == ["conversation.chat.requires_action", "done"]


@pytest.mark.parametrize("workflow_id", ["7480012345678902005", "7480012345678902006"])
def test_a_plain_workflow_is_no_chatflow(alice: Session, workflow_id: str) -> None:
    assert alice.chat("hello", alice.conversation(), workflow_id=workflow_id).json["code"] == 4200


def test_an_answer_can_be_empty(alice: Session, arm: Any) -> None:
    arm("empty-answer")
    reply = count_to(alice)
    assert reply.deltas == []
    assert messages(reply) == [("answer", "")]
    assert reply.events[-2:] == ["conversation.chat.completed", "done"]


def test_several_answers_come_one_after_another(alice: Session, arm: Any) -> None:
    conversation = alice.conversation()
    arm("several-answers", count=3)
    reply = alice.chat("count to 2", conversation)
    kinds = [kind for kind, _ in messages(reply)]
    assert kinds == ["answer"] * 3
    assert reply.answer == "".join(content for _, content in messages(reply))
    stored = [row["content"] for row in alice.messages(conversation)["data"]][::-1]
    assert stored[1:] == [content for _, content in messages(reply)]


def test_thoughts_and_suggestions_can_be_forced(alice: Session, arm: Any) -> None:
    arm("reasoning")
    arm("follow-ups", count=2)
    reply = count_to(alice, 2)
    assert reply.body.count(b'"reasoning_content":"') > 3
    assert [kind for kind, _ in messages(reply)] == ["answer", "follow_up", "follow_up"]


def test_twenty_thousand_deltas_arrive_in_order(alice: Session, arm: Any) -> None:
    arm("many-deltas")
    reply = count_to(alice)
    assert reply.deltas == [f"{number} " for number in range(1, 20_001)]


def test_a_delta_can_be_no_text(alice: Session, arm: Any) -> None:
    arm("invalid-utf8", after=4)
    reply = count_to(alice)
    assert b'"content":"\xe6\x89 \xff\xc3("' in reply.body
    assert b"event: done" in reply.body


def test_a_heartbeat_can_follow_every_delta(alice: Session, arm: Any) -> None:
    arm("ping")
    reply = count_to(alice, 3)
    assert reply.events[2:8] == ["conversation.message.delta", "ping"] * 3
    assert reply.answer == "1 2 3"


def test_the_last_frame_can_be_missing(alice: Session, arm: Any) -> None:
    arm("no-done")
    assert count_to(alice).events[-1] == "conversation.chat.completed"


def test_an_error_event_can_be_empty(alice: Session, arm: Any) -> None:
    arm("error-event", code=0)
    assert count_to(alice).frames[-1] == ("error", "{}")


@pytest.mark.parametrize("name", ["truncate", "half-frame", "stall"])
@pytest.mark.parametrize("finish", [0, 1])
def test_a_run_dies_with_its_stream_or_ends_behind_it(
    alice: Session, arm: Any, name: str, finish: int
) -> None:
    conversation = alice.conversation()
    arm(name, after=2, finish=finish, **({"seconds": 0.1} if name == "stall" else {}))
    reply = alice.chat("count to 5", conversation)
    chat = re.search(rb'"id":"(\d+)"', reply.body)
    assert chat
    query = f"conversation_id={conversation}&chat_id={chat[1].decode()}"
    deadline = time.monotonic() + 5
    while (found := alice.get(f"/v3/chat/retrieve?{query}").json["data"])["status"] == "in_progress":
        assert time.monotonic() < deadline
    assert found["status"] == ("completed" if finish else "failed")
    assert len(alice.messages(conversation)["data"]) == 1 + finish


@pytest.mark.parametrize(
    ("retry_after", "shape"),
    [("seconds", r"2\.5"), ("date", r"\w{3}, .+ GMT"), ("huge", "9{20}"), ("absent", "None")],
)
def test_retry_after_comes_in_every_form(alice: Session, arm: Any, retry_after: str, shape: str) -> None:
    arm("rate-limited", seconds=2.5, retry_after=retry_after, code=4013)
    reply = alice.get("/v1/users/me")
    assert (reply.status, reply.json["code"]) == (429, 4013)
    header = reply.headers.get("retry-after")
    assert re.fullmatch(shape, str(header))
    if retry_after == "date":
        assert 0 <= parsedate_to_datetime(str(header)).timestamp() - time.time() <= 4


@pytest.mark.parametrize("code", [4013, 4016, 4020, 4028, 4100, 4200, 700012006])
def test_any_code_can_stand_in_for_a_stream_and_only_for_that(alice: Session, arm: Any, code: int) -> None:
    arm("json-error", code=code)
    conversation = alice.conversation()
    query = f"conversation_id={conversation}"
    assert alice.get(f"/v3/chat/retrieve?{query}&chat_id=1").json["code"] == 4001
    bot = {"bot_id": BOT, "user_id": "u", "stream": True, "additional_messages": [{"role": "user"}]}
    assert alice.post(f"/v3/chat?{query}", bot).json["code"] == code


def test_a_bots_stream_is_struck_like_a_chatflows(alice: Session, arm: Any) -> None:
    message = {"role": "user", "content": "count to 9", "content_type": "text"}
    bot = {"bot_id": BOT, "user_id": "u", "stream": True, "additional_messages": [message]}
    arm("truncate", after=4)
    reply = alice.post("/v3/chat", bot)
    assert reply.body.count(b"event:conversation.message.delta\n") == 4
    assert b"done" not in reply.body
    arm("chat-failed-bare")
    assert b'\nevent:conversation.chat.failed\ndata:{"code": "720702204"' in alice.post("/v3/chat", bot).body


@pytest.mark.parametrize("seconds", [7200, -7200])
def test_a_clock_that_is_wrong_refuses_good_assertions(
    emulator: RunningEmulator, alice: Session, arm: Any, seconds: int
) -> None:
    arm("clock-skew", seconds=seconds)
    signed = [assertion(emulator.credentials, claims(emulator, session_name=alice.name)) for _ in range(2)]
    first, second = (exchange(emulator, token) for token in signed)
    assert first.json["error_code"] == "invalid_client"
    assert ("expired" if seconds > 0 else "before issued") in first.json["error_message"]
    assert second.status == 200


def test_a_little_skew_moves_the_expiry(emulator: RunningEmulator, alice: Session, arm: Any) -> None:
    arm("clock-skew", seconds=300)
    signed = assertion(emulator.credentials, claims(emulator, session_name=alice.name))
    assert 1190 <= exchange(emulator, signed).json["expires_in"] - time.time() <= 1201
