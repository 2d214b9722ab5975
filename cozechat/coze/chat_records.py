"""A bot's chats as records: what is asked, how far it has come, and what goes over the wire for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cozechat.coze import bodies
from cozechat.coze.errors import BadRequest, BadResponse, CozeError
from cozechat.coze.meanings import read_tool_calls
from cozechat.coze.parts import TEXT, Content, written
from cozechat.coze.run_records import run_failure
from cozechat.coze.statuses import Status, read_status
from cozechat.coze.tools import ToolCall, ToolOutput
from cozechat.coze.types import JsonObject, Message, Usage, as_int, as_object, as_text, as_texts


@dataclass(frozen=True, slots=True)
class BotChat:
    """One question to a bot, in words or in parts; `history` holds (role, content), oldest first.

    What is not saved (`auto_save_history` False) can only be streamed, and takes no tools' outputs.
    """

    bot_id: str
    question: Content
    conversation_id: str
    history: tuple[tuple[str, Content], ...] = ()
    auto_save_history: bool = True
    parameters: Mapping[str, Any] | None = None
    custom_variables: Mapping[str, str] | None = None
    meta_data: Mapping[str, str] | None = None
    bot_version: str | None = None


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat as Coze keeps it; `tool_calls` are what it waits for."""

    id: str
    conversation_id: str
    status: Status
    bot_id: str = ""
    section_id: str = ""
    created_at: int = 0
    completed_at: int | None = None
    failed_at: int | None = None
    usage: Usage = field(default_factory=Usage)
    error_code: str = ""
    error_message: str = ""
    required_action: JsonObject = field(default_factory=dict)
    tool_calls: tuple[ToolCall, ...] = ()
    meta_data: Mapping[str, str] = field(default_factory=dict)

    @property
    def error(self) -> CozeError | None:
        """Why it failed; asking for its messages would hide the reason."""
        if self.status is not Status.FAILED:
            return None
        return run_failure(self.error_code, message=self.error_message or "the chat failed without a reason")


def place(conversation_id: str, chat_id: str) -> dict[str, str]:
    """Where a chat is found."""
    if not conversation_id or not chat_id:
        raise BadRequest("a chat is named by its conversation and its id")
    return {"conversation_id": conversation_id, "chat_id": chat_id}


def bot_chat_query(chat: BotChat) -> dict[str, str]:
    """The query of `POST /v3/chat`: in the body the conversation is not seen, and a new one would begin."""
    if not chat.conversation_id:
        raise BadRequest("a chat needs the user's own conversation")
    return {"conversation_id": chat.conversation_id}


def bot_chat_payload(chat: BotChat, *, user_id: str, stream: bool) -> JsonObject:
    """The body of `POST /v3/chat`; what the bot remembers of its users it keeps by `user_id`."""
    if not stream and not chat.auto_save_history:
        raise BadRequest("a chat that is not streamed has to be saved")
    contents = [*chat.history, ("user", chat.question)]
    return bodies.present(
        bot_id=chat.bot_id,
        user_id=user_id,
        stream=stream,
        auto_save_history=chat.auto_save_history,
        additional_messages=[_entry(contents, at) for at in range(len(contents))],
        parameters=dict(chat.parameters) if chat.parameters else None,
        custom_variables=dict(chat.custom_variables) if chat.custom_variables else None,
        meta_data=dict(chat.meta_data) if chat.meta_data else None,
        bot_version=chat.bot_version,
    )


def _entry(contents: Sequence[tuple[str, Content]], at: int) -> JsonObject:
    role, content = contents[at]
    beside = [*contents[max(at - 1, 0) : at], *contents[at + 1 : at + 2]]
    words = any(other == "user" and _is_words(said) for other, said in beside)
    text, content_type = written(content, words_beside=words)
    return bodies.entry(role, text, content_type=content_type)


def _is_words(content: Content) -> bool:
    return written(content, words_beside=True)[1] == TEXT


def tool_outputs_payload(outputs: Sequence[ToolOutput], *, stream: bool) -> JsonObject:
    """The body of `POST /v3/chat/submit_tool_outputs`: every call of the chat is answered at once."""
    if not outputs:
        raise BadRequest("a chat that waits for tools needs their outputs")
    rows = [{"tool_call_id": output.call_id, "output": output.output} for output in outputs]
    return {"tool_outputs": rows, "stream": stream}


def read_chat(envelope: JsonObject, *, conversation_id: str) -> Chat:
    """The chat in an envelope; an error in it makes it a failed one, whatever else it says."""
    data = bodies.data_of(envelope)
    chat_id, error = as_text(data.get("id")), as_object(data.get("last_error"))
    if not chat_id:
        raise BadResponse("Coze's chat has no id")
    answered = as_text(data.get("conversation_id"))
    bodies.same_conversation(answered, asked=conversation_id)
    failed = bool(as_int(error.get("code")))
    required_action = as_object(data.get("required_action"))
    return Chat(
        id=chat_id,
        conversation_id=answered or conversation_id,
        status=Status.FAILED if failed else read_status(as_text(data.get("status"))),
        bot_id=as_text(data.get("bot_id")),
        section_id=as_text(data.get("section_id")),
        created_at=as_int(data.get("created_at")) or 0,
        completed_at=as_int(data.get("completed_at")),
        failed_at=as_int(data.get("failed_at")),
        usage=Usage.from_json(as_object(data.get("usage"))),
        error_code=as_text(error.get("code")) if failed else "",
        error_message=as_text(error.get("msg")),
        required_action=required_action,
        tool_calls=read_tool_calls(required_action),
        meta_data=as_texts(data.get("meta_data")),
    )


def read_messages(envelope: JsonObject, *, conversation_id: str) -> tuple[Message, ...]:
    """The messages of a chat: all that it said, not the question; a failed chat's list is left out."""
    messages = tuple(Message.from_json(item) for item in bodies.items_of(envelope.get("data")))
    for message in messages:
        bodies.same_conversation(message.conversation_id, asked=conversation_id)
    return messages
