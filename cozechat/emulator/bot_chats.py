"""`/v3/chat`: a bot is asked, watched or polled, stopped, and given what its tools found."""

from cozechat.emulator import answering, leaks, multimodal
from cozechat.emulator import chat as chats
from cozechat.emulator.answering import Asked
from cozechat.emulator.calls import Answer, Call, Route
from cozechat.emulator.chat import Chat
from cozechat.emulator.conversations import EVERYBODY, begin, default, reach
from cozechat.emulator.entries import TOOL_TYPES, Entry, read_entries
from cozechat.emulator.fields import Fields
from cozechat.emulator.messages import shown
from cozechat.emulator.refusals import Refusal, bad_parameter, busy, no_bot, no_chat
from cozechat.emulator.seed import BOTS, UNPUBLISHED_BOT_ID
from cozechat.emulator.store import Conversation
from cozechat.emulator.wire import Reply, envelope

MOST_MESSAGES = 100
CANCELABLE = ("created", "in_progress")
ANSWERED = ("completed", "requires_action")


async def create(call: Call) -> Answer:
    """Streams, or answers at once and is polled."""
    fields = call.fields
    streams = fields.flag("stream", default=False)
    run = answering.ask(call, _read(call, fields))
    if streams:
        return answering.give(call, run)
    answering.start(call, run)
    return _shown(call, run.chat)


def _read(call: Call, fields: Fields) -> Asked:
    bot_id = _bot(fields)
    fields.required("user_id")
    saves_history = fields.flag("auto_save_history", default=True)
    if not saves_history and not fields.flag("stream", default=False):
        raise Refusal(4007, "auto_save_history must be true when stream is false")
    meta_data = _check_options(fields)
    entries = _entries(call, fields, saves_history=saves_history)
    conversation = _conversation(call, bot_id=bot_id)
    if conversation.id in call.world.running:
        raise busy()
    if not entries and not _question_waits(call, conversation):
        raise bad_parameter("additional_messages", why="must end with a message of the user")
    return Asked(
        assistant_id=bot_id,
        conversation=conversation,
        entries=entries,
        bot_id=bot_id,
        space="",
        saves_history=saves_history,
        meta_data=meta_data,
        files=multimodal.seen(entries, store=call.world.store),
    )


def _bot(fields: Fields) -> str:
    bot_id = fields.required("bot_id")
    if bot_id == UNPUBLISHED_BOT_ID:
        raise Refusal(4015, "The bot has not been published to the channel of this token: Agent As API.")
    if bot_id not in BOTS:
        raise no_bot()
    return bot_id


def _check_options(fields: Fields) -> dict[str, str]:
    """What changes nothing here is still checked for its type."""
    fields.strings("custom_variables")
    fields.mapping("extra_params")
    fields.mapping("parameters")
    fields.mapping("shortcut_command")
    fields.flag("enable_card", default=False)
    fields.text("publish_status")
    fields.text("bot_version")
    return fields.meta_data() or {}


def _entries(call: Call, fields: Fields, *, saves_history: bool) -> list[Entry]:
    types = {} if saves_history else TOOL_TYPES
    entries = read_entries(fields, name="additional_messages", most=MOST_MESSAGES, types=types)
    multimodal.check(entries, store=call.world.store, account_id=call.identity.account_id)
    if saves_history and entries and entries[-1].role != "user":
        raise bad_parameter("additional_messages", why="must end with a message of the user")
    return entries


def _conversation(call: Call, *, bot_id: str) -> Conversation:
    """Named in the query alone: an id in the body is not seen, and a new conversation begins."""
    conversation_id = call.query.identifier("conversation_id")
    if conversation_id is not None:
        return reach(call, conversation_id)
    if call.world.leaks(leaks.DEFAULT_CONVERSATION) and call.identity.session_name is None:
        return default(call, default_for=EVERYBODY)
    return begin(call.world, call.identity, bot_id=bot_id)


def _question_waits(call: Call, conversation: Conversation) -> bool:
    thread = call.world.store.thread(conversation)
    return bool(thread) and thread[-1].role == "user"


def _reach(call: Call, fields: Fields) -> tuple[Conversation, Chat]:
    """The caller's chat; a foreign conversation answers like a missing one, and so does a chat."""
    conversation = reach(call, fields.required("conversation_id"))
    chat = _current(call, conversation, chat_id=fields.required("chat_id"))
    if chat is None or chat.conversation_id != conversation.id:
        raise no_chat()
    return conversation, chat


def _current(call: Call, conversation: Conversation, *, chat_id: str) -> Chat | None:
    run = call.world.running.get(conversation.id)
    if run is not None and run.chat.id == chat_id:
        return run.chat
    return chats.load(call.world.store.documents, chat_id)


def _shown(call: Call, chat: Chat) -> Reply:
    return envelope(call.log_id, data=chat.as_json() | {"meta_data": chat.meta_data})


async def retrieve(call: Call) -> Reply:
    """By GET as documented and by POST as SDKs do it; the body is not looked at."""
    return _shown(call, _reach(call, call.query)[1])


async def list_messages(call: Call) -> Reply:
    """What a chat has brought forth once it has ended; a failed one has nothing."""
    conversation, chat = _reach(call, call.query)
    rows = call.world.store.said_in_chat(conversation.id, chat_id=chat.id)
    said = rows if chat.status in ANSWERED else []
    return envelope(call.log_id, data=[shown(row) for row in said if row.type != "question"])


async def cancel(call: Call) -> Reply:
    conversation, chat = _reach(call, call.fields)
    run = call.world.running.get(conversation.id)
    if run is None or run.chat is not chat or chat.status not in CANCELABLE:
        raise Refusal(4104, f"The chat cannot be canceled: its status is {chat.status}.")
    run.cancel()
    return _shown(call, chat)


async def submit_tool_outputs(call: Call) -> Answer:
    fields = call.fields
    streams = fields.flag("stream", default=False)
    outputs = {row.required("tool_call_id"): row.text("output") for row in fields.rows("tool_outputs") or []}
    conversation, chat = _reach(call, call.query)
    if not chat.saves_history:
        raise Refusal(5000, "the chat was not saved: auto_save_history was false")
    if chat.status != "requires_action":
        raise bad_parameter("chat_id", why=f"is a chat that waits for nothing: it is {chat.status}")
    if conversation.id in call.world.running:
        raise busy()
    found = [outputs.get(wanted.id) for wanted in chat.waits_for]
    given = [output for output in found if output is not None]
    if len(given) < len(found) or len(outputs) != len(found):
        raise bad_parameter("tool_outputs", why="must answer every tool call of the chat, and no other")
    run = answering.go_on(call, chat=chat, conversation=conversation, outputs=given)
    if streams:
        return answering.give(call, run)
    answering.start(call, run)
    return _shown(call, run.chat)


ROUTES = (
    Route("POST", "/v3/chat", create),
    Route("GET", "/v3/chat/retrieve", retrieve),
    Route("POST", "/v3/chat/retrieve", retrieve),
    Route("GET", "/v3/chat/message/list", list_messages),
    Route("POST", "/v3/chat/cancel", cancel),
    Route("POST", "/v3/chat/submit_tool_outputs", submit_tool_outputs),
)
