"""Messages of a conversation: create, list, retrieve, modify, delete, feedback."""

from typing import Any

from cozechat.emulator.calls import Call, Route
from cozechat.emulator.conversations import enter, reach
from cozechat.emulator.entries import CONTENT_TYPES, read_entry
from cozechat.emulator.fields import Fields
from cozechat.emulator.refusals import bad_parameter, no_message
from cozechat.emulator.store import Conversation, Message, Page
from cozechat.emulator.wire import Reply, envelope

PAGE_LIMIT = 50
ID_LENGTH = 19
REASONS, REASON_LENGTH, COMMENT_LENGTH = 10, 30, 250


def shown(message: Message) -> dict[str, Any]:
    reasoning = {"reasoning_content": message.reasoning_content} if message.reasoning_content else {}
    return {
        "id": message.id,
        "conversation_id": message.conversation_id,
        "bot_id": message.bot_id,
        "chat_id": message.chat_id,
        "section_id": message.section_id,
        "role": message.role,
        "type": message.type,
        "content": message.content,
        "content_type": message.content_type,
        "meta_data": message.meta_data,
        "created_at": message.created_at,
        "updated_at": message.updated_at,
        **reasoning,
    }


def _conversation(call: Call) -> Conversation:
    return reach(call, call.query.required("conversation_id"))


def _message(call: Call) -> Message:
    message_id = call.place.get("message_id") or call.query.required("message_id")
    conversation_id = call.place.get("conversation_id") or call.query.required("conversation_id")
    conversation = reach(call, conversation_id)
    message = call.world.store.message(conversation.id, message_id=message_id)
    if message is None:
        raise no_message()
    return message


async def create(call: Call) -> Reply:
    entry = read_entry(call.fields)
    return envelope(call.log_id, data=shown(enter(call.world, _conversation(call), entry)))


async def list_page(call: Call) -> Reply:
    """Its fields stand beside `data`; `after_id` means further on in the requested order."""
    fields = call.fields
    page = Page(
        ascending=fields.choice("order", among=("asc", "desc"), default="desc") == "asc",
        limit=fields.number("limit", low=1, high=PAGE_LIMIT, default=PAGE_LIMIT),
        before=_cursor(fields, "before_id"),
        after=_cursor(fields, "after_id"),
        chat_id=fields.identifier("chat_id"),
    )
    rows, has_more = call.world.store.messages(_conversation(call).id, page=page)
    beside = {
        "first_id": rows[0].id if rows else "",
        "last_id": rows[-1].id if rows else "",
        "has_more": has_more,
    }
    return envelope(call.log_id, data=[shown(row) for row in rows], beside=beside)


def _cursor(fields: Fields, name: str) -> str | None:
    cursor = fields.identifier(name)
    if cursor in (None, "0"):
        return None
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= ID_LENGTH):
        raise bad_parameter(name)
    return cursor.zfill(ID_LENGTH)


async def retrieve(call: Call) -> Reply:
    return envelope(call.log_id, data=shown(_message(call)))


async def modify(call: Call) -> Reply:
    """The changed message stands under `message`, not under `data`."""
    fields = call.fields
    message = _message(call)
    content, content_type, meta_data = fields.text("content"), fields.text("content_type"), fields.meta_data()
    if content is not None:
        message.content = content
    if content_type is not None:
        message.content_type = fields.choice("content_type", among=CONTENT_TYPES, default="text")
    if meta_data is not None:
        message.meta_data = meta_data
    message.updated_at = call.world.now()
    call.world.store.change_message(message)
    return envelope(call.log_id, beside={"message": shown(message)})


async def delete(call: Call) -> Reply:
    message = _message(call)
    call.world.store.delete_message(message.id)
    return envelope(call.log_id, data=shown(message))


async def set_feedback(call: Call) -> Reply:
    """Checked, and kept in the ledger alone: no endpoint gives feedback back."""
    fields = call.fields
    fields.required("feedback_type")
    said = {
        "feedback_type": fields.choice("feedback_type", among=("like", "unlike"), default="like"),
        "reason_types": list(fields.short_texts("reason_types", most=REASONS, limit=REASON_LENGTH)),
        "comment": fields.text("comment", limit=COMMENT_LENGTH),
        "session_name": call.identity.session_name,
    }
    call.world.ledger.feedback[_message(call).id] = said
    return envelope(call.log_id)


async def unset_feedback(call: Call) -> Reply:
    call.world.ledger.feedback.pop(_message(call).id, None)
    return envelope(call.log_id)


FEEDBACK = "/v1/conversations/{conversation_id}/messages/{message_id}/feedback"
ROUTES = (
    Route("POST", "/v1/conversation/message/create", create),
    Route("POST", "/v1/conversation/message/list", list_page),
    Route("GET", "/v1/conversation/message/retrieve", retrieve),
    Route("POST", "/v1/conversation/message/modify", modify),
    Route("POST", "/v1/conversation/message/delete", delete),
    Route("POST", FEEDBACK, set_feedback),
    Route("DELETE", FEEDBACK, unset_feedback),
)
