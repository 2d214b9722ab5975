"""Chats with bots (`/v3/chat`): what goes over the wire, and what comes of everything that Coze answers."""

import json
from dataclasses import replace
from typing import Any

import pytest

from cozechat.coze import errors
from cozechat.coze.chat_records import BotChat, Chat
from cozechat.coze.client import CozeClient
from cozechat.coze.meanings import AnswersFinished, FollowUp, ToolAnswered, ToolCalled, Verbose
from cozechat.coze.parts import AudioPart, FilePart, ImagePart, TextPart
from cozechat.coze.refusals import AlreadyEnded
from cozechat.coze.statuses import Status
from cozechat.coze.tools import ToolCall, ToolOutput
from cozechat.coze.types import (
    ActionRequired,
    AudioDelta,
    ChatCompleted,
    MessageCompleted,
    MessageDelta,
    StreamDone,
    Usage,
)
from tests.coze.asking import PATIENT, ask, hear, names, refusal, unsent
from tests.coze.wire import ALICE, CozeStub, Script, envelope, event, response, run, until_close

CONVERSATION, CHAT_ID, BOT_ID = "7390331532575195148", "7390342853760696354", "7374724495711502387"
ASKED = BotChat(bot_id=BOT_ID, question="How are you?", conversation_id=CONVERSATION)
IN_PROGRESS = {
    "id": CHAT_ID,
    "conversation_id": CONVERSATION,
    "bot_id": BOT_ID,
    "created_at": 1720698284,
    "last_error": {"code": 0, "msg": ""},
    "status": "in_progress",
}
COMPLETED = {
    **IN_PROGRESS,
    "status": "completed",
    "completed_at": "1720698290",
    "usage": {"token_count": 30, "output_count": "10", "input_count": 20},
    "meta_data": {"k": "v"},
}
WANTED = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"杭州"}'}}
ACTION = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [WANTED]}}
WAITING = {**IN_PROGRESS, "status": "requires_action", "required_action": ACTION}


def frame(name: str, data: Any) -> bytes:
    """A frame of `/v3/chat`: no space after the colons."""
    return event(name, data).replace(b"event: ", b"event:").replace(b"data: ", b"data:")


def said(kind: str, content: str, *, number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": f"73904{number}",
        "conversation_id": CONVERSATION,
        "bot_id": BOT_ID,
        "chat_id": CHAT_ID,
        "role": "assistant",
        "type": kind,
        "content": content,
        "content_type": "text",
        **more,
    }


def note(msg_type: str, data: str) -> str:
    return json.dumps({"msg_type": msg_type, "data": data, "from_module": None, "from_unit": None})


FINISHED = note("generate_answer_finish", '{"finish_reason":0,"FinData":""}')
DELTA, MESSAGE = "conversation.message.delta", "conversation.message.completed"
START = (
    # Even these two carry `completed_at` here.
    frame("conversation.chat.created", {**IN_PROGRESS, "status": "created", "completed_at": 1720698285}),
    frame("conversation.chat.in_progress", {**IN_PROGRESS, "completed_at": 1720698285}),
)
END = (frame("conversation.chat.completed", COMPLETED), frame("done", '"[DONE]"'))


def streamed(*frames: bytes, chat: BotChat = ASKED) -> tuple[list[Any], errors.CozeError | None, Any]:
    return hear(lambda client: client.chats.stream(ALICE, chat), until_close(*frames))


def test_a_question_goes_into_the_body_and_its_conversation_into_the_query():
    chat = replace(
        ASKED,
        history=(("user", "hi"), ("assistant", "hello")),
        custom_variables={"city": "杭州"},
        meta_data={"k": "v"},
        parameters={"x": 1},
        bot_version="3",
    )
    found, request = ask(lambda client: client.chats.create(ALICE, chat), envelope(IN_PROGRESS))
    assert found == Chat(CHAT_ID, CONVERSATION, Status.IN_PROGRESS, bot_id=BOT_ID, created_at=1720698284)
    assert (request.method, request.target) == ("POST", f"/v3/chat?conversation_id={CONVERSATION}")
    assert request.headers["authorization"] == "Bearer czs_alice"
    texts = [
        ("user", "question", "hi"),
        ("assistant", "answer", "hello"),
        ("user", "question", "How are you?"),
    ]
    assert request.json == {
        "bot_id": BOT_ID,
        "user_id": "u_alice",
        "session_name": "u_alice",
        "stream": False,
        "auto_save_history": True,
        "additional_messages": [
            {"role": role, "type": kind, "content": text, "content_type": "text"}
            for role, kind, text in texts
        ],
        "parameters": {"x": 1},
        "custom_variables": {"city": "杭州"},
        "meta_data": {"k": "v"},
        "bot_version": "3",
    }


def test_a_chat_without_a_conversation_is_not_asked_for_coze_would_begin_a_new_one():
    nowhere = replace(ASKED, conversation_id="")
    assert isinstance(unsent(lambda client: client.chats.create(ALICE, nowhere)), errors.BadRequest)
    assert isinstance(
        unsent(lambda client: client.chats.stream(ALICE, nowhere).__aenter__()), errors.BadRequest
    )


def test_what_is_not_saved_can_only_be_streamed():
    unsaved = replace(ASKED, auto_save_history=False)
    assert isinstance(unsent(lambda client: client.chats.create(ALICE, unsaved)), errors.BadRequest)
    _, error, request = streamed(*START, *END, chat=unsaved)
    assert error is None
    assert (request.json["auto_save_history"], request.json["stream"]) == (False, True)


def test_what_must_not_happen_twice_has_a_connection_of_its_own():
    """A kept connection may just be closing, and then nobody knows whether Coze has seen the question."""

    async def scene(client: CozeClient, coze: CozeStub) -> list[int]:
        seen = []
        for act in (client.chats.create(ALICE, ASKED), client.chats.create(ALICE, ASKED)):
            await act
            seen.append(coze.connections)
        for _ in range(2):
            await client.chats.retrieve(ALICE, CONVERSATION, CHAT_ID)
            seen.append(coze.connections)
        return seen

    assert run(scene, envelope(IN_PROGRESS), limits=PATIENT) == [1, 2, 3, 3]


def test_a_chat_that_begins_elsewhere_than_asked_is_reported():
    answer = envelope({**IN_PROGRESS, "conversation_id": "7390331532575195999"})
    for act in (
        lambda client: client.chats.create(ALICE, ASKED),
        lambda client: client.chats.retrieve(ALICE, CONVERSATION, CHAT_ID),
        lambda client: client.chats.cancel(ALICE, CONVERSATION, CHAT_ID),
    ):
        assert type(refusal(act, answer)) is errors.WrongConversation


def test_a_bots_stream_has_no_spaces_and_ends_with_a_word():
    events, error, request = streamed(
        *START,
        frame(MESSAGE, said("knowledge", "{}", number=2)),
        frame(MESSAGE, said("function_call", '{"name":"weather","arguments":{"city":"x"}}', number=3)),
        frame(MESSAGE, said("tool_response", "21 °C", number=4)),
        frame(DELTA, said("answer", "", reasoning_content="hm")),
        frame(DELTA, said("answer", "It is ")),
        frame(DELTA, said("answer", "21 °C.")),
        frame(MESSAGE, said("answer", "It is 21 °C.", reasoning_content="hm")),
        frame(MESSAGE, said("verbose", FINISHED, number=5)),
        frame(MESSAGE, said("follow_up", "And tomorrow?", number=6)),
        *END,
    )
    assert error is None
    assert names(events) == [
        "ChatCreated",
        "ChatInProgress",
        "MessageCompleted",
        "ToolCalled",
        "ToolAnswered",
        "MessageDelta",
        "MessageDelta",
        "MessageDelta",
        "MessageCompleted",
        "AnswersFinished",
        "FollowUp",
        "ChatCompleted",
        "StreamDone",
    ]
    kinds = {type(item): item for item in events}
    assert kinds[ToolCalled].call == ToolCall("", "weather", '{"city":"x"}')
    assert kinds[ToolAnswered].message.content == "21 °C"
    assert kinds[AnswersFinished].reason == 0
    assert kinds[FollowUp].message.content == "And tomorrow?"
    assert kinds[ChatCompleted] == ChatCompleted(CHAT_ID, Usage(20, 10, 30))
    assert kinds[StreamDone] == StreamDone("")
    assert events[5] == MessageDelta("739041", "", "hm")
    assert request.json["stream"] is True
    assert request.target == f"/v3/chat?conversation_id={CONVERSATION}"


def test_sound_may_come_after_the_end_and_is_bytes():
    sound = frame("conversation.audio.delta", said("answer", "aGk=", content_type="audio"))
    events, error, _ = streamed(*START, sound, END[0], sound, END[1])
    assert error is None
    assert [item for item in events if isinstance(item, AudioDelta)] == [AudioDelta("739041", b"hi")] * 2


def test_sound_that_is_no_base64_is_a_bad_response():
    sound = frame("conversation.audio.delta", said("answer", "a*Gk=", content_type="audio"))
    _, error, _ = streamed(*START, sound, *END)
    assert type(error) is errors.BadResponse


def test_a_note_of_coze_is_never_an_answer():
    events, _, _ = streamed(
        *START,
        frame(MESSAGE, said("verbose", note("knowledge_recall", '{"chunks":[]}'))),
        frame(MESSAGE, said("verbose", "no JSON")),
        *END,
    )
    notes = [(item.msg_type, item.data) for item in events if isinstance(item, Verbose)]
    assert notes == [("knowledge_recall", '{"chunks":[]}'), ("", "no JSON")]


def test_a_chat_that_wants_tools_names_its_calls():
    events, error, _ = streamed(
        *START, frame("conversation.chat.requires_action", WAITING), frame("done", '"[DONE]"')
    )
    assert error is None
    calls = (ToolCall("call_1", "weather", '{"city":"杭州"}'),)
    assert events[2] == ActionRequired(CHAT_ID, "", ACTION, calls)


def test_a_question_node_asks_through_a_call_too():
    asked = {**WANTED, "type": "reply_message", "function": {"name": "q", "arguments": {"question": "tea?"}}}
    action = {"submit_tool_outputs": {"tool_calls": [asked]}}
    events, _, _ = streamed(
        *START, frame("conversation.chat.requires_action", {**WAITING, "required_action": action})
    )
    assert events[2].tool_calls == (ToolCall("call_1", "q", '{"question":"tea?"}', "reply_message"),)


@pytest.mark.parametrize("calls", [{"a": 1}, "x", [{"type": "function"}], ["x"], [{"id": None}]])
def test_a_call_that_nobody_could_answer_is_a_bad_response(calls: Any):
    waiting = {**WAITING, "required_action": {"submit_tool_outputs": {"tool_calls": calls}}}
    _, error, _ = streamed(*START, frame("conversation.chat.requires_action", waiting))
    assert type(error) is errors.BadResponse
    retrieved = refusal(lambda client: client.chats.retrieve(ALICE, CONVERSATION, CHAT_ID), envelope(waiting))
    assert type(retrieved) is errors.BadResponse


def test_a_refusal_comes_as_json_in_place_of_the_stream():
    opened = lambda client: client.chats.stream(ALICE, ASKED)  # noqa: E731
    for code, kind in (
        (4015, errors.NotPublished),
        (4016, errors.ConversationBusy),
        ("4006", errors.NotFound),
        (4002, errors.ConversationNotFound),
        (4028, errors.QuotaExceeded),
    ):
        _, error, _ = hear(opened, envelope(code=code, msg="no"))
        assert type(error) is kind


def test_a_chat_is_looked_up_by_get():
    found, request = ask(
        lambda client: client.chats.retrieve(ALICE, CONVERSATION, CHAT_ID), envelope(COMPLETED)
    )
    assert (request.method, request.body) == ("GET", b"")
    assert request.target == f"/v3/chat/retrieve?conversation_id={CONVERSATION}&chat_id={CHAT_ID}"
    assert (found.status, found.usage, found.completed_at) == (
        Status.COMPLETED,
        Usage(20, 10, 30),
        1720698290,
    )
    assert (found.error, found.meta_data) == (None, {"k": "v"})


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("created", Status.CREATED),
        ("completed", Status.COMPLETED),
        ("Failed", Status.FAILED),
        ("canceled", Status.CANCELED),
        ("cancelled", Status.CANCELED),
        ("required_action", Status.REQUIRES_ACTION),
    ],
)
def test_a_state_is_understood_in_every_spelling(word: str, status: Status):
    answer = envelope({**IN_PROGRESS, "status": word})
    found, _ = ask(lambda client: client.chats.retrieve(ALICE, CONVERSATION, CHAT_ID), answer)
    assert found.status is status


@pytest.mark.parametrize("data", [{**IN_PROGRESS, "status": "dreaming"}, {"status": "created"}, None, []])
def test_a_chat_that_makes_no_sense_is_a_bad_response(data: Any):
    error = refusal(lambda client: client.chats.retrieve(ALICE, CONVERSATION, CHAT_ID), envelope(data))
    assert type(error) is errors.BadResponse


@pytest.mark.parametrize("status", ["failed", "in_progress", "completed"])
def test_an_error_within_a_success_makes_a_failed_chat(status: str):
    wrong = {"code": "4028", "msg": "Your free quota has been used up."}
    answer = envelope({**IN_PROGRESS, "status": status, "last_error": wrong})
    found, _ = ask(lambda client: client.chats.retrieve(ALICE, CONVERSATION, CHAT_ID), answer)
    assert found.status is Status.FAILED
    assert type(found.error) is errors.QuotaExceeded
    assert found.error.message == "Your free quota has been used up."


def test_a_failed_chat_without_a_reason_still_failed():
    answer = envelope({**IN_PROGRESS, "status": "failed", "last_error": None})
    found, _ = ask(lambda client: client.chats.retrieve(ALICE, CONVERSATION, CHAT_ID), answer)
    assert type(found.error) is errors.UpstreamFailed


def test_what_a_chat_said_is_listed():
    rows = [said("answer", "fine"), said("verbose", FINISHED, number=2)]
    found, request = ask(
        lambda client: client.chats.list_messages(ALICE, CONVERSATION, CHAT_ID), envelope(rows)
    )
    assert [(item.type, item.content) for item in found] == [("answer", "fine"), ("verbose", FINISHED)]
    assert request.target == f"/v3/chat/message/list?conversation_id={CONVERSATION}&chat_id={CHAT_ID}"


def test_a_failed_chats_messages_may_be_left_out():
    answer = response(b'{"code":0,"msg":"","detail":{}}')
    found, _ = ask(lambda client: client.chats.list_messages(ALICE, CONVERSATION, CHAT_ID), answer)
    assert found == ()


def test_messages_of_another_conversation_are_never_handed_out():
    rows = [said("answer", "Bob's secret", conversation_id="7390331532575195999")]
    error = refusal(lambda client: client.chats.list_messages(ALICE, CONVERSATION, CHAT_ID), envelope(rows))
    assert type(error) is errors.WrongConversation


@pytest.mark.parametrize(
    "answer",
    [
        envelope({**IN_PROGRESS, "status": "canceled"}),
        # As the documentation's sample has it: no code, and one that is null within.
        response(
            json.dumps(
                {"data": {**IN_PROGRESS, "status": "canceled", "last_error": {"code": None, "msg": ""}}}
            ).encode()
        ),
    ],
)
def test_a_chat_is_canceled_with_or_without_a_code(answer: Script):
    found, request = ask(lambda client: client.chats.cancel(ALICE, CONVERSATION, CHAT_ID), answer)
    assert found.status is Status.CANCELED
    assert (request.method, request.target) == ("POST", "/v3/chat/cancel")
    assert request.json == {
        "conversation_id": CONVERSATION,
        "chat_id": CHAT_ID,
        "session_name": "u_alice",
    }


def test_a_missing_code_is_a_success_nowhere_else():
    answer = response(json.dumps({"data": IN_PROGRESS}).encode())
    error = refusal(lambda client: client.chats.retrieve(ALICE, CONVERSATION, CHAT_ID), answer)
    assert type(error) is errors.BadResponse


def test_what_has_ended_cannot_be_canceled():
    error = refusal(
        lambda client: client.chats.cancel(ALICE, CONVERSATION, CHAT_ID), envelope(code=4104, msg="no")
    )
    assert (type(error), error.code) == (AlreadyEnded, 4104)


def test_an_incomplete_place_is_never_asked_for():
    for conversation_id, chat_id in (("", CHAT_ID), (CONVERSATION, "")):
        error = unsent(
            lambda client, one=conversation_id, other=chat_id: client.chats.retrieve(ALICE, one, other)
        )
        assert isinstance(error, errors.BadRequest)


def test_tools_outputs_are_submitted_for_later_or_as_a_stream():
    outputs = [ToolOutput("call_1", '{"t":21}')]
    place = f"/v3/chat/submit_tool_outputs?conversation_id={CONVERSATION}&chat_id={CHAT_ID}"
    given = {"tool_outputs": [{"tool_call_id": "call_1", "output": '{"t":21}'}], "session_name": "u_alice"}
    found, request = ask(
        lambda client: client.chats.submit_tool_outputs(ALICE, CONVERSATION, CHAT_ID, outputs=outputs),
        envelope(IN_PROGRESS),
    )
    assert found.status is Status.IN_PROGRESS
    assert (request.target, request.json) == (place, {**given, "stream": False})
    events, error, request = hear(
        lambda client: client.chats.stream_tool_outputs(ALICE, CONVERSATION, CHAT_ID, outputs=outputs),
        until_close(*START, frame(DELTA, said("answer", "21")), *END),
    )
    assert error is None
    assert events[2] == MessageDelta("739041", "21", "")
    assert (request.target, request.json) == (place, {**given, "stream": True})


def test_no_outputs_at_all_are_not_sent():
    error = unsent(lambda client: client.chats.submit_tool_outputs(ALICE, CONVERSATION, CHAT_ID, outputs=[]))
    assert isinstance(error, errors.BadRequest)


def contents(question: Any, *, history: Any = ()) -> list[tuple[str, Any]]:
    """Content types and contents of the messages that a chat sends."""
    chat = replace(ASKED, question=question, history=history)
    _, request = ask(lambda client: client.chats.create(ALICE, chat), envelope(IN_PROGRESS))
    rows = request.json["additional_messages"]
    return [(row["content_type"], row["content"]) for row in rows]


def test_words_with_files_travel_as_a_list_in_a_string():
    parts = [TextPart("看"), ImagePart(file_id="73"), FilePart(file_url="https://x/a.pdf"), AudioPart("74")]
    ((kind, content),) = contents(parts)
    assert kind == "object_string"
    assert json.loads(content) == [
        {"type": "text", "text": "看"},
        {"type": "image", "file_id": "73"},
        {"type": "file", "file_url": "https://x/a.pdf"},
        {"type": "audio", "file_id": "74"},
    ]


def test_words_alone_are_plain_even_as_a_part():
    assert contents([TextPart("hi")]) == [("text", "hi")]


def test_files_alone_need_words_of_the_user_beside_them():
    picture = [ImagePart(file_id="73")]
    sent = contents(picture, history=(("user", "look"),))
    assert [kind for kind, _ in sent] == ["text", "object_string"]
    sent = contents("what is it?", history=(("user", picture),))
    assert [kind for kind, _ in sent] == ["object_string", "text"]
    for history in ((), (("assistant", "look"),), (("user", picture),), (("user", "a"), ("assistant", "b"))):
        chat = replace(ASKED, question=picture, history=history)
        error = unsent(lambda client, chat=chat: client.chats.create(ALICE, chat))
        assert isinstance(error, errors.BadRequest)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [TextPart("a"), TextPart("b"), ImagePart(file_id="73")],
        [TextPart("a"), ImagePart()],
        [TextPart("a"), ImagePart(file_id="73", file_url="https://x/")],
    ],
)
def test_parts_that_coze_would_refuse_are_not_sent(parts: Any):
    chat = replace(ASKED, question=parts)
    assert isinstance(unsent(lambda client: client.chats.create(ALICE, chat)), errors.BadRequest)


def test_several_answers_of_a_bot_are_whole_messages_of_their_own():
    events, _, _ = streamed(
        *START,
        frame(DELTA, said("answer", "a", number=1)),
        frame(MESSAGE, said("answer", "a", number=1)),
        frame(DELTA, said("answer", "b", number=2)),
        frame(MESSAGE, said("answer", "b", number=2)),
        *END,
    )
    answers = [item.message for item in events if type(item) is MessageCompleted]
    assert [(message.id, message.content) for message in answers] == [("739041", "a"), ("739042", "b")]


def test_unknown_events_are_counted():
    async def heard(client: Any) -> Any:
        async with client.chats.stream(ALICE, ASKED) as stream:
            async for _ in stream:
                pass
            return stream.unknown

    many = b"".join(frame(f"sparkle.{number}", {}) for number in range(200))
    counted, _ = ask(heard, until_close(*START, frame("PING", {}), frame("PING", {}), many, *END))
    assert counted["PING"] == 2
    assert len(counted) == 50
