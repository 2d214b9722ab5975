"""`/v3/chat`, byte for byte and rule by rule."""

import json
import re
from typing import Any

import pytest

from .raw import Session, wait_until

BOT, TOOL_BOT = "7480012345678904001", "7480012345678904002"
USER = {"role": "user", "content": "count to 3", "content_type": "text"}


def ask(session: Session, text: str = "count to 3", *, conversation: str = "", **changes: Any) -> Any:
    body = {
        "bot_id": BOT,
        "user_id": "u",
        "stream": True,
        "additional_messages": [{**USER, "content": text}],
    } | changes
    return session.post(f"/v3/chat?conversation_id={conversation}", body)


def place(reply: Any) -> str:
    chat = reply.chat if hasattr(reply, "chat") else reply.json["data"]
    return f"conversation_id={chat['conversation_id']}&chat_id={chat['id']}"


def test_a_stream_has_no_space_after_its_colons_and_the_sampled_frames(alice: Session) -> None:
    conversation = alice.conversation()
    reply = ask(alice, conversation=conversation)
    chat = (
        rf'"id":"(?P<c>\d{{19}})","conversation_id":"{conversation}","bot_id":"{BOT}","created_at":\d{{10}},'
    )
    usage = r'"usage":\{"token_count":0,"output_count":0,"input_count":0\},'
    shape = (
        r"event:conversation\.chat\.created\n"
        rf'data:\{{{chat}"last_error":\{{"code":0,"msg":""\}},"status":"created",{usage}'
        rf'"section_id":"{conversation}","completed_at":\d{{10}}\}}\n\n'
        r"event:conversation\.chat\.in_progress\ndata:\{.+\}\n\n"
        r"event:conversation\.message\.delta\n"
        rf'data:\{{"id":"(?P<m>\d{{19}})","conversation_id":"{conversation}","bot_id":"{BOT}",'
        r'"role":"assistant","type":"answer","content":"1","content_type":"text",'
        rf'"chat_id":"(?P=c)","section_id":"{conversation}"\}}\n\n'
    )
    assert re.match(shape, reply.body.decode())
    assert reply.body.endswith(b'\n\nevent:done\ndata:"[DONE]"\n\n')
    completed = reply.body.decode().split("event:conversation.chat.completed\ndata:")[1].partition("\n")[0]
    assert json.loads(completed)["usage"]["output_count"] == 3


def test_a_conversation_id_in_the_body_is_not_seen(alice: Session) -> None:
    conversation = alice.conversation()
    reply = ask(alice, stream=False, conversation_id=conversation)
    assert reply.json["data"]["conversation_id"] != conversation


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_chat_is_retrieved_by_either_method_and_its_body_is_not_read(alice: Session, method: str) -> None:
    chat = ask(alice, stream=False)
    body = None if method == "GET" else "not an object"
    found = alice.call(method, f"/v3/chat/retrieve?{place(chat)}", body).json["data"]
    assert found["id"] == chat.json["data"]["id"]
    assert found["last_error"] == {"code": 0, "msg": ""}
    assert found["meta_data"] == {}


def test_messages_come_only_when_the_chat_has_ended(alice: Session) -> None:
    chat = ask(alice, "slowly count to 30", stream=False)
    path = f"/v3/chat/message/list?{place(chat)}"
    assert alice.get(path).json["data"] == []
    wait_until(lambda: alice.get(path).json["data"])
    answer, verbose = alice.get(path).json["data"]
    assert (answer["type"], verbose["type"]) == ("answer", "verbose")
    assert answer["content"].endswith(" 30")


def test_a_conversations_list_shows_questions_and_answers_alone(alice: Session) -> None:
    conversation = alice.conversation()
    ask(alice, conversation=conversation)
    rows = alice.messages(conversation)["data"]
    assert [row["type"] for row in rows] == ["answer", "question"]


def test_with_an_answer_go_the_messages_around_it(alice: Session) -> None:
    conversation = alice.conversation()
    chat = ask(alice, conversation=conversation, stream=False)
    wait_until(lambda: len(alice.messages(conversation)["data"]) == 2)
    answer = alice.messages(conversation)["data"][0]["id"]
    path = f"/v1/conversation/message/delete?conversation_id={conversation}&message_id={answer}"
    assert alice.post(path).json["data"]["id"] == answer
    assert alice.get(f"/v3/chat/message/list?{place(chat)}").json["data"] == []
    assert len(alice.messages(conversation)["data"]) == 1


def test_what_is_not_to_be_saved_is_answered_and_forgotten(alice: Session) -> None:
    conversation = alice.conversation()
    tools = [{"role": "assistant", "type": "function_call", "content": "{}"}]
    tools += [{"role": "user", "type": "tool_output", "content": "42"}]
    unsaved = {"auto_save_history": False, "additional_messages": [*tools, USER]}
    reply = ask(alice, conversation=conversation, **unsaved)
    assert b"1 2 3" in reply.body
    assert alice.messages(conversation)["data"] == []
    assert ask(alice, **{**unsaved, "auto_save_history": True}).json["code"] == 4000


def test_the_last_stored_question_may_be_the_one_to_answer(alice: Session) -> None:
    conversation = alice.conversation(messages=[{**USER, "content": "count to 4"}])
    reply = ask(alice, conversation=conversation, additional_messages=[])
    assert b'"1 2 3 4"' in reply.body
    assert ask(alice, conversation=conversation, additional_messages=[]).json["code"] == 4000


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"bot_id": None}, 4000),
        ({"user_id": None}, 4000),
        ({"user_id": 1}, 4000),
        ({"stream": "yes"}, 4000),
        ({"auto_save_history": "yes"}, 4000),
        ({"custom_variables": {"a": 1}}, 4000),
        ({"shortcut_command": "x"}, 4000),
        ({"enable_card": 1}, 4000),
        ({"additional_messages": [{**USER, "content": "{", "content_type": "object_string"}]}, 4000),
        ({"additional_messages": [{**USER, "content": "[1]", "content_type": "object_string"}]}, 4000),
        ({"additional_messages": [{**USER, "type": "function_call"}]}, 4000),
    ],
)
def test_a_wrong_request_starts_nothing(alice: Session, changes: dict[str, Any], code: int) -> None:
    conversation = alice.conversation()
    assert ask(alice, conversation=conversation, **changes).json["code"] == code
    assert alice.messages(conversation)["data"] == []


def test_a_picture_of_somebody_elses_account_is_refused(alice: Session) -> None:
    parts = [{"type": "text", "text": "x"}, {"type": "image", "file_id": "7000000000000000001"}]
    message = {**USER, "content": json.dumps(parts), "content_type": "object_string"}
    assert ask(alice, additional_messages=[message]).json["code"] == 4000
    parts[1] = {"type": "image", "file_url": "https://example.invalid/cat.png"}
    message["content"] = json.dumps(parts)
    assert b"[image]" in ask(alice, additional_messages=[message]).body


@pytest.mark.parametrize("outputs", [None, [], [{"tool_call_id": "1", "output": "x"}], [{"output": "x"}]])
def test_outputs_must_answer_the_calls(alice: Session, outputs: Any) -> None:
    asked = ask(alice, "espresso?", bot_id=TOOL_BOT, stream=False)
    path = place(asked)
    wait_until(lambda: alice.get(f"/v3/chat/retrieve?{path}").json["data"]["status"] == "requires_action")
    chat = alice.get(f"/v3/chat/retrieve?{path}").json["data"]
    assert chat["required_action"]["type"] == "submit_tool_outputs"
    submit = f"/v3/chat/submit_tool_outputs?{path}"
    assert alice.post(submit, {"tool_outputs": outputs}).json["code"] == 4000
    (call,) = chat["required_action"]["submit_tool_outputs"]["tool_calls"]
    output = {"tool_call_id": call["id"], "output": "fine grind"}
    reply = alice.post(submit, {"tool_outputs": [output], "stream": True})
    assert reply.body.startswith(b"event:conversation.chat.created\n")
    assert b"fine grind" in reply.body


def test_a_canceled_stream_runs_on_and_stores_nothing(start: Any) -> None:
    alice = Session(start(pace=100))
    conversation = alice.conversation()
    with alice.open_chat("count to 60", conversation) as connection:
        received = b""
        while not (found := re.search(rb'"id":"(\d+)","conversation_id"', received)):
            received += connection.recv(65536)
        body = {"conversation_id": conversation, "chat_id": found[1].decode()}
        assert alice.post("/v3/chat/cancel", body).json["data"]["status"] == "canceled"
        assert alice.chat("count to 2", conversation).answer == "1 2"
        while chunk := connection.recv(65536):
            received += chunk
    assert b"event: done" in received
    assert b"conversation.chat.completed" not in received
    contents = [row["content"] for row in alice.messages(conversation)["data"]]
    assert contents == ["1 2", "count to 2", "count to 60"]


def test_chats_and_their_ends_survive_a_restart(tmp_path: Any) -> None:
    from cozechat.emulator import process

    with process.start(tmp_path, pace=5) as first:
        alice = Session(first)
        conversation = alice.conversation()
        done = ask(alice, conversation=conversation, stream=False)
        wait_until(lambda: len(alice.messages(conversation)["data"]) == 2)
        running = ask(alice, "count to 100", conversation=conversation, stream=False)
    with process.start(tmp_path) as second:
        again = Session(second, name=alice.name)
        assert again.get(f"/v3/chat/retrieve?{place(done)}").json["data"]["status"] == "completed"
        lost = again.get(f"/v3/chat/retrieve?{place(running)}").json["data"]
        assert (lost["status"], lost["last_error"]["code"]) == ("failed", 5000)
        assert b"1 2 3" in ask(again, conversation=conversation).body


def test_a_chatflows_chat_can_be_looked_up_as_well(alice: Session) -> None:
    conversation = alice.conversation()
    reply = alice.chat("count to 2", conversation)
    chat = reply.data("conversation.chat.created")["id"]
    query = f"conversation_id={conversation}&chat_id={chat}"
    assert alice.get(f"/v3/chat/retrieve?{query}").json["data"]["status"] == "completed"
    assert alice.get(f"/v3/chat/message/list?{query}").json["data"][0]["content"] == "1 2"


def test_outputs_for_a_chat_that_was_not_saved_are_5000(alice: Session) -> None:
    conversation = alice.conversation()
    reply = ask(alice, "espresso?", conversation=conversation, bot_id=TOOL_BOT, auto_save_history=False)
    data = reply.body.decode().split("event:conversation.chat.requires_action\ndata:")[1].partition("\n")[0]
    chat = json.loads(data)
    (call,) = chat["required_action"]["submit_tool_outputs"]["tool_calls"]
    submit = f"/v3/chat/submit_tool_outputs?conversation_id={conversation}&chat_id={chat['id']}"
    output = {"tool_call_id": call["id"], "output": "x"}
    assert alice.post(submit, {"tool_outputs": [output]}).json["code"] == 5000


def test_outputs_nobody_asked_for_are_4000(alice: Session) -> None:
    done = ask(alice, stream=False)
    wait_until(lambda: alice.get(f"/v3/chat/retrieve?{place(done)}").json["data"]["status"] == "completed")
    assert (
        alice.post(f"/v3/chat/submit_tool_outputs?{place(done)}", {"tool_outputs": []}).json["code"] == 4000
    )
    asked = ask(alice, "espresso?", bot_id=TOOL_BOT, stream=False)
    path = place(asked)
    wait_until(lambda: alice.get(f"/v3/chat/retrieve?{path}").json["data"]["status"] == "requires_action")
    waiting = alice.get(f"/v3/chat/retrieve?{path}").json["data"]["required_action"]
    (call,) = waiting["submit_tool_outputs"]["tool_calls"]
    outputs = [{"tool_call_id": each, "output": "x"} for each in (call["id"], "1")]
    assert alice.post(f"/v3/chat/submit_tool_outputs?{path}", {"tool_outputs": outputs}).json["code"] == 4000


def test_while_a_chat_goes_on_after_its_tools_it_shows_no_messages(start: Any) -> None:
    alice = Session(start(pace=5))
    asked = ask(alice, "espresso?", bot_id=TOOL_BOT, stream=False)
    path = place(asked)
    listed = f"/v3/chat/message/list?{path}"
    wait_until(lambda: alice.get(listed).json["data"])
    chat = alice.get(f"/v3/chat/retrieve?{path}").json["data"]
    (call,) = chat["required_action"]["submit_tool_outputs"]["tool_calls"]
    output = {"tool_call_id": call["id"], "output": "x"}
    resumed = alice.post(f"/v3/chat/submit_tool_outputs?{path}", {"tool_outputs": [output]}).json["data"]
    assert (resumed["status"], "required_action" in resumed) == ("in_progress", False)
    assert alice.get(listed).json["data"] == []
