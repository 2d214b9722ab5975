"""`POST /v1/workflows/chat`: a chatflow answers in a stream."""

from dataclasses import dataclass

from cozechat.emulator import answering, leaks, multimodal
from cozechat.emulator.answering import Asked
from cozechat.emulator.calls import Answer, Call, Route
from cozechat.emulator.conversations import EVERYBODY, begin, default, reach
from cozechat.emulator.entries import Entry, read_entries
from cozechat.emulator.fields import Fields
from cozechat.emulator.oauth import API_CONNECTOR
from cozechat.emulator.refusals import bad_parameter, busy, no_bot, not_found
from cozechat.emulator.seed import APPS, BOTS, CHATFLOWS
from cozechat.emulator.store import Conversation
from cozechat.emulator.wire import Reply, frame

MOST_MESSAGES = 50
NO_SUCH_NAME = frame("conversation.chat.failed", '{"code": "720702204","msg": "会话名不存在"}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A checked request."""

    workflow_id: str
    app_id: str | None
    bot_id: str | None
    conversation_id: str | None
    conversation_name: str | None
    connector_id: str
    entries: list[Entry]
    files: list[str]


async def chat(call: Call) -> Answer:
    question = _read(call)
    conversation = _conversation(call, question)
    if conversation is None:
        return Reply(NO_SUCH_NAME, content_type=b"text/event-stream")
    if conversation.id in call.world.running:
        raise busy()
    asked = Asked(
        assistant_id=question.workflow_id,
        conversation=conversation,
        entries=question.entries,
        bot_id=question.bot_id or "",
        files=question.files,
    )
    return answering.give(call, answering.ask(call, asked))


def _read(call: Call) -> Question:
    """Checks in an order that the documentation does not settle: parameters first, then what exists."""
    fields = call.fields
    workflow_id = fields.required("workflow_id")
    entries = read_entries(fields, name="additional_messages", most=MOST_MESSAGES)
    if not entries or entries[-1].role != "user":
        raise bad_parameter("additional_messages", why="must end with a message of the user")
    if any(entry.content_type != "text" for entry in entries):
        raise bad_parameter("additional_messages", why="must be text only")
    app_id, bot_id = fields.identifier("app_id"), fields.identifier("bot_id")
    if (app_id is None) == (bot_id is None):
        raise bad_parameter("app_id, bot_id", why="exactly one of them is required")
    fields.strings("ext")
    fields.text("workflow_version")
    parameters = fields.mapping("parameters") or {}
    name = Fields(parameters).identifier("CONVERSATION_NAME")
    _check_exists(workflow_id, app_id=app_id, bot_id=bot_id)
    return Question(
        workflow_id=workflow_id,
        app_id=app_id,
        bot_id=bot_id,
        conversation_id=fields.identifier("conversation_id"),
        conversation_name=name if app_id else None,
        connector_id=fields.identifier("connector_id") or API_CONNECTOR,
        entries=entries,
        files=multimodal.file_of(parameters, store=call.world.store, account_id=call.identity.account_id),
    )


def _check_exists(workflow_id: str, *, app_id: str | None, bot_id: str | None) -> None:
    if workflow_id not in CHATFLOWS:
        raise not_found("Workflow")
    if app_id is not None and app_id not in APPS:
        raise not_found("App")
    if bot_id is not None and bot_id not in BOTS:
        raise no_bot()


def _conversation(call: Call, question: Question) -> Conversation | None:
    """The one named by id, else by name (None: no such name), else a new or default one."""
    if question.conversation_id is not None:
        return reach(call, question.conversation_id, connector_id=question.connector_id)
    if question.conversation_name is not None:
        return call.world.store.named(call.identity, name=question.conversation_name)
    identity = call.identity
    if call.world.leaks(leaks.DEFAULT_CONVERSATION) and (question.app_id or identity.session_name is None):
        return default(call, default_for=EVERYBODY)
    if question.app_id is not None:
        owner = "" if identity.session_name is None else f":{identity.session_name}"
        return default(call, default_for=f"{question.app_id}/{question.workflow_id}{owner}")
    return begin(call.world, identity, bot_id=question.bot_id, connector_id=question.connector_id)


ROUTES = (Route("POST", "/v1/workflows/chat", chat),)
