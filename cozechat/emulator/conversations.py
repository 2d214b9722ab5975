"""Conversations: create, list, retrieve, rename, delete, clear."""

from typing import Any

from cozechat.emulator import leaks
from cozechat.emulator.calls import Call, Route
from cozechat.emulator.entries import Entry, read_entries
from cozechat.emulator.fields import Fields
from cozechat.emulator.oauth import API_CONNECTOR
from cozechat.emulator.refusals import Refusal, no_bot, no_conversation
from cozechat.emulator.seed import BOTS
from cozechat.emulator.store import Conversation, Identity, Message
from cozechat.emulator.wire import Reply, envelope
from cozechat.emulator.world import World

NAME_LIMIT, PAGE_LIMIT, CREATE_LIMIT = 100, 50, 16
CONNECTORS = ("1024", "999")
EVERYBODY = "everybody"
"""Marks the one conversation that a leaky flow falls back on."""


def shown(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "name": conversation.name,
        "meta_data": conversation.meta_data,
        "created_at": conversation.created_at,
        "updated_at": conversation.updated_at,
        "creator_id": conversation.account_id,
        "connector_id": conversation.connector_id,
        "last_section_id": conversation.section_id,
    }


def reach(call: Call, conversation_id: str, *, connector_id: str | None = None) -> Conversation:
    """The caller's conversation; one that is missing and one of somebody else get the same answer."""
    conversation = call.world.store.conversation(conversation_id)
    if conversation is None or not _may(call, conversation, connector_id=connector_id):
        raise no_conversation(call.world.options.conversation_error)
    return conversation


def sees_all(call: Call) -> bool:
    """Whether sessions do not divide the account for this caller."""
    sessionless = call.identity.session_name is None and call.world.options.sessionless_sees == "all"
    return sessionless or call.world.leaks(leaks.OWNERSHIP)


def _may(call: Call, conversation: Conversation, *, connector_id: str | None) -> bool:
    if conversation.account_id != call.identity.account_id:
        return False
    if sees_all(call):
        return True
    if conversation.default_for == EVERYBODY and call.world.leaks(leaks.DEFAULT_CONVERSATION):
        return True
    same_channel = connector_id in (None, conversation.connector_id)
    return same_channel and conversation.session_name == call.identity.session_name


def begin(
    world: World,
    identity: Identity,
    *,
    name: str = "",
    bot_id: str | None = None,
    connector_id: str = API_CONNECTOR,
    meta_data: dict[str, str] | None = None,
    default_for: str | None = None,
) -> Conversation:
    """A new conversation of `identity`; its first section carries its own id."""
    now, fresh = world.now(), world.ids.next()
    conversation = Conversation(
        id=fresh,
        account_id=identity.account_id,
        connector_id=connector_id,
        session_name=identity.session_name,
        bot_id=bot_id,
        name=name,
        meta_data=meta_data or {},
        created_at=now,
        updated_at=now,
        section_id=fresh,
        default_for=default_for,
    )
    world.store.add_conversation(conversation)
    return conversation


def default(call: Call, *, default_for: str) -> Conversation:
    """The conversation that a flow falls back on, made at its first use."""
    found = call.world.store.default_conversation(call.identity.account_id, default_for=default_for)
    return found or begin(call.world, call.identity, name="Default", default_for=default_for)


def enter(
    world: World, conversation: Conversation, entry: Entry, *, chat_id: str = "", bot_id: str | None = None
) -> Message:
    """Writes one message that a caller brought into a conversation."""
    now = world.now()
    message = Message(
        id=world.ids.next(),
        conversation_id=conversation.id,
        section_id=conversation.section_id,
        chat_id=chat_id,
        bot_id=bot_id or conversation.bot_id or "",
        role=entry.role,
        type=entry.type,
        content=entry.content,
        content_type=entry.content_type,
        meta_data=entry.meta_data,
        created_at=now,
        updated_at=now,
    )
    world.store.add_message(message)
    return message


async def create(call: Call) -> Reply:
    fields = call.fields
    name = fields.text("name", limit=NAME_LIMIT) or ""
    meta_data = fields.meta_data()
    connector_id = fields.choice("connector_id", among=CONNECTORS, default=API_CONNECTOR)
    bot_id = _known_bot(fields)
    entries = read_entries(fields, name="messages", most=CREATE_LIMIT)
    conversation = begin(
        call.world,
        call.identity,
        name=name or (entries[0].content[:NAME_LIMIT] if entries else ""),
        bot_id=bot_id,
        connector_id=connector_id,
        meta_data=meta_data,
    )
    for entry in entries:
        enter(call.world, conversation, entry)
    return envelope(call.log_id, data=shown(conversation))


def _known_bot(fields: Fields) -> str | None:
    bot_id = fields.identifier("bot_id")
    if bot_id is not None and bot_id not in BOTS:
        raise no_bot()
    return bot_id


async def list_own(call: Call) -> Reply:
    """Only conversations that were created with the bot, by the same identity."""
    query = call.query
    bot_id = query.required("bot_id")
    number = query.number("page_num", low=1, high=10**9, default=1)
    size = query.number("page_size", low=1, high=PAGE_LIMIT, default=PAGE_LIMIT)
    newest_first = query.choice("sort_order", among=("ASC", "DESC"), default="DESC") == "DESC"
    connector_id = query.identifier("connector_id") or API_CONNECTOR
    asker = Identity(call.identity.account_id, connector_id, call.identity.session_name)
    rows = call.world.store.owned(asker, bot_id=bot_id, any_owner=sees_all(call))
    if newest_first:
        rows.reverse()
    page = rows[(number - 1) * size : number * size]
    has_more = len(rows) > number * size
    return envelope(call.log_id, data={"has_more": has_more, "conversations": [shown(row) for row in page]})


async def retrieve(call: Call) -> Reply:
    return envelope(call.log_id, data=shown(reach(call, call.query.required("conversation_id"))))


async def rename(call: Call) -> Reply:
    fields = call.fields
    conversation = reach(call, call.place["conversation_id"])
    conversation.name = fields.text("name", limit=NAME_LIMIT) or ""
    conversation.updated_at = call.world.now()
    call.world.store.change_conversation(conversation)
    return envelope(call.log_id, data=shown(conversation))


async def delete(call: Call) -> Reply:
    conversation = reach(call, call.place["conversation_id"])
    call.world.store.delete_conversation(conversation.id)
    return envelope(call.log_id)


async def clear(call: Call) -> Reply:
    """Begins a new section: the context is cut, the messages stay."""
    conversation = reach(call, call.place["conversation_id"])
    conversation.section_id = call.world.ids.next()
    conversation.updated_at = call.world.now()
    call.world.store.change_conversation(conversation)
    data = {"id": conversation.section_id, "conversation_id": conversation.id}
    return envelope(call.log_id, data=data)


async def create_by_plural(call: Call) -> Reply:
    if not call.world.options.plural_create:
        raise Refusal(4000, "method POST is not allowed here", status=405)
    return await create(call)


ROUTES = (
    Route("POST", "/v1/conversation/create", create),
    Route("GET", "/v1/conversation/retrieve", retrieve),
    Route("GET", "/v1/conversations", list_own),
    Route("POST", "/v1/conversations", create_by_plural),
    Route("PUT", "/v1/conversations/{conversation_id}", rename),
    Route("DELETE", "/v1/conversations/{conversation_id}", delete),
    Route("POST", "/v1/conversations/{conversation_id}/clear", clear),
)
