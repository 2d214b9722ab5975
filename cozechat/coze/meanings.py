"""What whole messages and required actions of a chat mean: JSON within JSON, read with leniency and without I/O."""

import json
from dataclasses import dataclass

from cozechat.coze.errors import BadResponse
from cozechat.coze.tools import ToolCall
from cozechat.coze.types import (
    JsonObject,
    Message,
    MessageCompleted,
    as_int,
    as_object,
    as_text,
    mend_surrogates,
    parse_object,
)

# `finish_reason` of the answers when the flow stops to ask its user.
ASKED_BACK = 1


@dataclass(frozen=True, slots=True)
class FollowUp(MessageCompleted):
    """A question that the user might ask next: the content of its message."""


@dataclass(frozen=True, slots=True)
class ToolCalled(MessageCompleted):
    """The bot uses a tool."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class ToolAnswered(MessageCompleted):
    """A tool has answered: the content of its message."""


@dataclass(frozen=True, slots=True)
class Verbose(MessageCompleted):
    """A note of Coze's on the course of the chat, never part of an answer."""

    msg_type: str
    data: str

    @property
    def asks_back(self) -> bool:
        """Whether the flow waits for its user."""
        return self.msg_type == "interrupt"


@dataclass(frozen=True, slots=True)
class AnswersFinished(Verbose):
    """No further answer comes in this chat."""

    reason: int

    @property
    def asks_back(self) -> bool:
        """Whether the flow stopped to wait for its user."""
        return self.reason == ASKED_BACK


def meaning(message: Message) -> MessageCompleted:
    """A whole message as what it is: an answer or what else a chat consists of."""
    match message.type:
        case "follow_up":
            return FollowUp(message)
        case "function_call":
            return ToolCalled(message, _used_tool(message.content))
        case "tool_output" | "tool_response":
            return ToolAnswered(message)
        case "verbose":
            return _verbose(message)
    return MessageCompleted(message)


def _verbose(message: Message) -> MessageCompleted:
    """A note that is no JSON says nothing, so it harms nothing."""
    try:
        note = parse_object(message.content)
    except ValueError:
        return Verbose(message, "", message.content)
    msg_type, data = as_text(note.get("msg_type")), json_text(note.get("data"))
    if msg_type != "generate_answer_finish":
        return Verbose(message, msg_type, data)
    return AnswersFinished(message, msg_type, data, _finish_reason(data))


def _finish_reason(data: str) -> int:
    try:
        return as_int(parse_object(data).get("finish_reason")) or 0
    except ValueError:
        return 0


def json_text(value: object) -> str:
    """A field that is JSON text, or was left unwrapped."""
    if value is None or isinstance(value, str):
        return mend_surrogates(value or "")
    return json.dumps(value, separators=(",", ":"))


def _used_tool(content: str) -> ToolCall:
    try:
        used = parse_object(content)
    except ValueError:
        return ToolCall("", "", content)
    return ToolCall("", as_text(used.get("name")), json_text(used.get("arguments")))


def read_tool_calls(required_action: JsonObject) -> tuple[ToolCall, ...]:
    """The calls in `{"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": […]}}`."""
    asked = as_object(required_action.get("submit_tool_outputs")).get("tool_calls")
    if asked is None:
        return ()
    if not isinstance(asked, list):
        raise BadResponse("the tool calls of a chat are no list")
    return tuple(_tool_call(as_object(row)) for row in asked)


def _tool_call(row: JsonObject) -> ToolCall:
    call_id, function = as_text(row.get("id")), as_object(row.get("function"))
    if not call_id:
        raise BadResponse("a tool call has no id, so nobody could answer it")
    name, arguments = as_text(function.get("name")), json_text(function.get("arguments"))
    return ToolCall(call_id, name, arguments, as_text(row.get("type")) or "function")
