"""The records that cross the border between Coze and us, and the lenient readers of its JSON.

Ids are strings, times are epoch seconds. Coze writes numbers now as numbers, now as strings, and leaves keys
out; the readers here forgive that. They raise nothing but `ValueError`: what it means, the caller knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cozechat.coze.strict_json import parse_json
from cozechat.coze.tools import ToolCall

JsonObject = dict[str, Any]


def parse_object(text: str) -> JsonObject:
    """The JSON object in `text`; `ValueError` for anything else."""
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def mend_surrogates(text: str) -> str:
    """`text` with surrogate pairs joined and orphans replaced by U+FFFD: only then it can be encoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def mend_texts(value: Any) -> Any:
    """JSON with every text in it mended: half an emoji is JSON, but nothing that could be stored or sent.

    Raises RecursionError for what is nested too deep.
    """
    if isinstance(value, str):
        return mend_surrogates(value)
    if isinstance(value, list):
        return [mend_texts(item) for item in value]
    if isinstance(value, dict):
        return {mend_surrogates(key): mend_texts(item) for key, item in value.items()}
    return value


def as_text(value: object) -> str:
    """A string field: a number counts as its digits, anything else as empty."""
    if isinstance(value, str):
        return mend_surrogates(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return ""


def as_int(value: object) -> int | None:
    """A whole number, given as a number or as a string of digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, (int, str)):
        try:
            return int(value)
        except ValueError:
            return None
    return None


def as_object(value: object) -> JsonObject:
    """An object field; anything else counts as an empty one."""
    return value if isinstance(value, dict) else {}


def as_texts(value: object) -> dict[str, str]:
    """A map of texts."""
    return {as_text(key): as_text(item) for key, item in as_object(value).items()}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a call is made as: the token and the `session_name` that it was issued for."""

    token: str = field(repr=False)
    session_name: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What one chat cost in tokens, as Coze counted it: the sums need not add up."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0

    @classmethod
    def from_json(cls, data: JsonObject) -> "Usage":
        """From `{"input_count", "output_count", "token_count"}`; below zero counts as zero."""
        keys = ("input_count", "output_count", "token_count")
        return cls(*(max(as_int(data.get(key)) or 0, 0) for key in keys))


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as Coze keeps it."""

    id: str
    name: str = ""
    created_at: int = 0
    updated_at: int = 0
    last_section_id: str = ""
    meta_data: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: JsonObject) -> "Conversation":
        """From the `Conversation` object of the API."""
        return cls(
            id=as_text(data.get("id")),
            name=as_text(data.get("name")),
            created_at=as_int(data.get("created_at")) or 0,
            updated_at=as_int(data.get("updated_at")) or 0,
            last_section_id=as_text(data.get("last_section_id")),
            meta_data=as_texts(data.get("meta_data")),
        )


@dataclass(frozen=True, slots=True)
class Message:
    """One message as Coze keeps it; `type` tells an answer from what surrounds it."""

    id: str
    conversation_id: str
    chat_id: str
    section_id: str
    role: str
    type: str
    content: str
    content_type: str
    reasoning_content: str
    created_at: int
    meta_data: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: JsonObject) -> "Message":
        """From the `Message` object of the API, in a list or in a stream."""
        return cls(
            id=as_text(data.get("id")),
            conversation_id=as_text(data.get("conversation_id")),
            chat_id=as_text(data.get("chat_id")),
            section_id=as_text(data.get("section_id")),
            role=as_text(data.get("role")),
            type=as_text(data.get("type")),
            content=as_text(data.get("content")),
            content_type=as_text(data.get("content_type")),
            reasoning_content=as_text(data.get("reasoning_content")),
            created_at=as_int(data.get("created_at")) or 0,
            meta_data=as_texts(data.get("meta_data")),
        )


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """One page of a listing of conversations."""

    items: tuple[Conversation, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class MessagePage:
    """One page of messages; `last_id` is the next page's `after_id`, `first_id` is for `before_id`."""

    items: tuple[Message, ...]
    first_id: str
    last_id: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class WorkflowChat:
    """One question to a workflow of an app or a bot; `history` holds (role, content), oldest first."""

    workflow_id: str
    question: str
    conversation_id: str
    app_id: str | None = None
    bot_id: str | None = None
    history: tuple[tuple[str, str], ...] = ()
    parameters: Mapping[str, Any] | None = None
    ext: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ChatCreated:
    """Coze has accepted the question."""

    chat_id: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class ChatInProgress:
    """Coze is working on the answer."""

    chat_id: str


@dataclass(frozen=True, slots=True)
class MessageDelta:
    """A piece of an answer, a piece of the thinking before it, or both."""

    message_id: str
    content: str
    reasoning_content: str


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """A piece of a spoken answer."""

    message_id: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MessageCompleted:
    """A whole message: an answer, a follow-up question, a tool's output, …"""

    message: Message


@dataclass(frozen=True, slots=True)
class ActionRequired:
    """The chat waits for the user (`question`) or for tools (`tool_calls`, with all that Coze says of them)."""

    chat_id: str
    question: str
    required_action: JsonObject
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatCompleted:
    """The answer is complete."""

    chat_id: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class StreamDone:
    """Nothing more will come."""

    debug_url: str


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """An event that this client does not know; to be counted, not to be feared."""

    name: str


ChatEvent = (
    ChatCreated
    | ChatInProgress
    | MessageDelta
    | AudioDelta
    | MessageCompleted
    | ActionRequired
    | ChatCompleted
    | StreamDone
    | UnknownEvent
)
