"""`conversation.message`: a message finds its conversation, and through it its owner."""

from dataclasses import dataclass
from typing import Any

from conversations import turns
from conversations.models import Conversation, Message
from conversations.text import clean
from conversations.turns import Utterance
from cozechat.catalog.models import CozeApp
from cozechat.webhooks.facts import BadFact, identifier

KIND = "conversation.message"
# What people are shown; the rest (function calls, follow-up questions …) is the bot talking to itself.
_SHOWN = ("", "answer", "question")
# Characters; drawing so many takes about a second.
_LONGEST = 100_000


class Unwanted(Exception):
    """Nothing is to be done about this event; the message says why."""


@dataclass(frozen=True, slots=True)
class Told:
    """A message that was read and drawn, and the Coze app whose conversation it belongs to."""

    utterance: Utterance
    app: CozeApp


def read(data: dict[str, Any], *, event_id: str) -> Told:
    """What the event says. Drawing a long answer takes its time, so no transaction is open. Raises BadFact, Unwanted."""
    return Told(_read(data, _message_in(data), event_id=event_id), _app(data))


def take(told: Told) -> tuple[Conversation, str]:
    """Store the message; returns its conversation, and a remark where nothing was stored.

    Raises Unwanted, turns.TurnStillRuns.
    """
    try:
        receipt = turns.receive(told.utterance, app=told.app)
    except turns.NoConversation:
        raise Unwanted("No conversation here has this id.") from None
    except turns.SeveralConversations:
        raise Unwanted("Several conversations here have this id, so it is nobody's.") from None
    remark = "" if receipt.message else "A turn has brought this message already."
    return receipt.conversation, remark


def _message_in(data: dict[str, Any]) -> dict[str, Any]:
    """The message, in a field of its own or as the event itself."""
    said = data.get("message", data)
    if not isinstance(said, dict):
        raise BadFact("message")
    return said


def _read(data: dict[str, Any], said: dict[str, Any], *, event_id: str) -> Utterance:
    if said.get("type", "") not in _SHOWN or said.get("content_type", "text") != "text":
        raise Unwanted("This kind of message is not shown.")
    both = {**said, **data}
    content = said.get("content")
    if not isinstance(content, str) or len(content) > _LONGEST:
        raise BadFact("content")
    if not clean(content).strip():
        raise Unwanted("There is nothing in this message.")
    message_id = identifier(said, "id", required=False) if said is not data else ""
    return Utterance(
        conversation_id=identifier(both, "conversation_id"),
        message_id=message_id or identifier(both, "message_id", required=False) or f"event:{event_id}",
        chat_id=identifier(both, "chat_id", required=False),
        role=_role(said),
        content=content,
    )


def _role(said: dict[str, Any]) -> Message.Role:
    role = said.get("role", Message.Role.ASSISTANT)
    if role not in Message.Role.values:
        raise BadFact("role")
    return Message.Role(role)


def _app(data: dict[str, Any]) -> CozeApp:
    """The Coze app that is named, else the environment's: two apps may give the same ids."""
    name = identifier(data, "app", limit=100, required=False)
    wanted = {"name": name} if name else {"source": CozeApp.Source.ENVIRONMENT}
    found = CozeApp.objects.filter(**wanted).first()
    if found is None:
        raise Unwanted("There is no such Coze app here.")
    return found
