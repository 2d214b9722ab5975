"""What goes into a request and what comes out of an envelope, without I/O."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cozechat.coze.calls import Reply
from cozechat.coze.codes import error_for
from cozechat.coze.errors import BadRequest, BadResponse, CozeError, WrongConversation
from cozechat.coze.types import (
    Conversation,
    ConversationPage,
    JsonObject,
    Message,
    MessagePage,
    WorkflowChat,
    as_object,
    as_text,
    parse_object,
)

MESSAGE_TYPES = {"user": "question", "assistant": "answer"}


def with_session_name(payload: Mapping[str, Any], *, session_name: str) -> JsonObject:
    """`payload` with the user's `session_name` at its top level: the only place where a payload gets it."""
    if not session_name:
        raise BadRequest("a call without a session_name would not be isolated")
    return {**payload, "session_name": session_name}


def encode(payload: Mapping[str, Any]) -> bytes:
    """JSON as bytes; half a surrogate pair, which no encoding knows, becomes a question mark."""
    try:
        text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequest(f"the payload is not JSON: {type(error).__name__}") from None
    return text.encode(errors="replace")


def segment(value: str) -> str:
    """`value` as one segment of a path: it can name nothing but itself."""
    if value in ("", ".", ".."):
        raise BadRequest("an id is empty or no id")
    return quote(value, safe="")


def present(**values: Any) -> JsonObject:
    """The values that are there."""
    return {name: value for name, value in values.items() if value is not None}


def chat_payload(chat: WorkflowChat) -> JsonObject:
    """The body of `POST /v1/workflows/chat`.

    The conversation is compulsory: left out, Coze falls back to the flow's default one, which users share.
    Empty parameters are left out: an empty string fails validation where the flow wants a URL.
    """
    if (chat.app_id is None) == (chat.bot_id is None):
        raise BadRequest("a workflow chat needs exactly one of app_id and bot_id")
    if not chat.conversation_id:
        raise BadRequest("a workflow chat needs the user's own conversation")
    messages = [entry(role, content) for role, content in (*chat.history, ("user", chat.question))]
    given = without_empty(chat.parameters or {})
    return present(
        workflow_id=chat.workflow_id,
        app_id=chat.app_id,
        bot_id=chat.bot_id,
        conversation_id=chat.conversation_id,
        additional_messages=messages,
        parameters=given,
        ext=dict(chat.ext) if chat.ext else None,
    )


def without_empty(parameters: Mapping[str, Any]) -> JsonObject:
    """The parameters that say something: an empty one fails validation, for example where a URL is wanted."""
    return {name: value for name, value in parameters.items() if value not in (None, "", [], {}, ())}


def entry(role: str, content: str, *, content_type: str = "text") -> JsonObject:
    """A message as Coze takes it: people ask, assistants answer."""
    if role not in MESSAGE_TYPES:
        raise BadRequest(f"a message of role {role!r} cannot be sent")
    return {"role": role, "type": MESSAGE_TYPES[role], "content": content, "content_type": content_type}


def same_conversation(answered: str, *, asked: str) -> None:
    """Raises when Coze names another conversation than the one that was asked."""
    if answered not in ("", asked):
        raise WrongConversation("Coze answered in another conversation than the one that was asked")


def read_envelope(reply: Reply, *, missing_code: int | None = None) -> JsonObject:
    """The envelope of a success; raises for everything else, which with Coze mostly comes as HTTP 200.

    A few endpoints leave `code` out of a success; their callers say so with a `missing_code` of 0.
    """
    try:
        envelope = parse_object(reply.text)
    except ValueError:
        raise _unreadable(reply) from None
    code = envelope.get("code", missing_code)
    if reply.status < 300 and code in (0, "0") and code is not False:
        return envelope
    if reply.status < 400 and not isinstance(code, (int, str)):
        raise BadResponse("Coze's answer has no code", log_id=_log_id(reply, envelope))
    raise error_for(
        as_text(envelope.get("msg")),
        code=code if isinstance(code, (int, str)) else None,
        status=reply.status,
        log_id=_log_id(reply, envelope),
        retry_after=reply.retry_after,
        debug_url=as_text(envelope.get("debug_url")),
    )


def _log_id(reply: Reply, envelope: JsonObject) -> str:
    return reply.log_id or as_text(as_object(envelope.get("detail")).get("logid"))


def _unreadable(reply: Reply) -> CozeError:
    if reply.status < 400:
        return BadResponse(f"Coze answered HTTP {reply.status} with no JSON", log_id=reply.log_id)
    return error_for("", status=reply.status, log_id=reply.log_id, retry_after=reply.retry_after)


def data_of(envelope: JsonObject) -> JsonObject:
    """The object under `data`, compulsory."""
    data = envelope.get("data")
    if not isinstance(data, dict):
        raise BadResponse("Coze's answer has no data")
    return data


def items_of(value: object) -> list[JsonObject]:
    """The objects of a list; Coze leaves an empty list out."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BadResponse("Coze's answer has no list of objects where one belongs")
    return value


def read_conversation(envelope: JsonObject) -> Conversation:
    """The conversation in an envelope."""
    conversation = Conversation.from_json(data_of(envelope))
    if not conversation.id:
        raise BadResponse("Coze's conversation has no id")
    return conversation


def read_conversation_page(envelope: JsonObject) -> ConversationPage:
    """One page of a listing of conversations."""
    data = data_of(envelope)
    items = tuple(Conversation.from_json(item) for item in items_of(data.get("conversations")))
    return ConversationPage(items=items, has_more=data.get("has_more") is True)


def read_section_id(envelope: JsonObject) -> str:
    """The id of the section that a cleared conversation goes on in."""
    return as_text(data_of(envelope).get("id"))


def read_message(envelope: JsonObject, *, conversation_id: str, key: str = "data") -> Message:
    """One message of a conversation, under `data` or, where it was changed, under `message`."""
    message = Message.from_json(as_object(envelope.get(key)))
    if not message.id:
        raise BadResponse("Coze's message has no id")
    same_conversation(message.conversation_id, asked=conversation_id)
    return message


def read_message_page(envelope: JsonObject) -> MessagePage:
    """One page of messages; its fields stand beside `data`, not in it."""
    return MessagePage(
        items=tuple(Message.from_json(item) for item in items_of(envelope.get("data"))),
        first_id=as_text(envelope.get("first_id")),
        last_id=as_text(envelope.get("last_id")),
        has_more=envelope.get("has_more") is True,
    )
