"""A message that Coze, or an automation beside it, tells us of: into its conversation once, and to its owner's tabs."""

from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from conversations import rendering
from conversations.models import Branch, Conversation, Message
from conversations.text import clean
from conversations.turns.engine import Engine, from_thread
from conversations.turns.processes.hints import Arrived
from cozechat.catalog.models import CozeApp

# A message that names no chat and says what a turn of these last minutes says is taken for that turn's.
_SAME_WORDS = timedelta(minutes=10)


class NoConversation(Exception):
    """No conversation here is this one at Coze."""


class SeveralConversations(Exception):
    """More than one conversation here claims to be this one at Coze, so nobody gets the message."""


class TurnStillRuns(Exception):
    """A turn runs that the message may belong to: only its end tells."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said in which of Coze's conversations; `chat_id` is empty where no chat is known."""

    conversation_id: str
    message_id: str
    chat_id: str
    role: Message.Role
    content: str
    # What the page shows of an answer; drawn before any transaction.
    html: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        is_answer = self.role == Message.Role.ASSISTANT
        object.__setattr__(self, "html", rendering.render(clean(self.content)) if is_answer else "")


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where the message stands; `message` None: a turn of ours has brought it already."""

    conversation: Conversation
    message: Message | None


def receive(utterance: Utterance, *, app: CozeApp) -> Receipt:
    """Store a message once, in the one conversation that is this one at Coze, and tell its owner's tabs.

    Whose it is follows from the conversation alone. Raises NoConversation, SeveralConversations, TurnStillRuns.
    """
    with transaction.atomic():
        conversation, branch = _line(utterance.conversation_id, app=app)
        message = conversation.messages.filter(coze_message_id=utterance.message_id).first()
        if message is None:
            if _is_of_a_turn(utterance, conversation):
                return Receipt(conversation, None)
            message = _store(utterance, conversation, branch=branch)
            _tell(conversation, message)
    return Receipt(conversation, message)


def _line(coze_id: str, *, app: CozeApp) -> tuple[Conversation, Branch | None]:
    """The conversation, locked, and which of its lines has this conversation at Coze."""
    if not coze_id:
        raise NoConversation
    here = Conversation.objects.filter(assistant__app=app, deleted_at=None)
    branches = list(Branch.objects.filter(conversation__in=here, coze_conversation_id=coze_id)[:2])
    rows = here.filter(
        Q(coze_conversation_id=coze_id) | Q(pk__in=[each.conversation_id for each in branches])
    )
    found = list(rows.select_for_update(of=("self",))[:2])
    if not found:
        raise NoConversation
    if len(found) > 1 or len(branches) > 1:
        raise SeveralConversations
    return found[0], branches[0] if branches else None


def _is_of_a_turn(utterance: Utterance, conversation: Conversation) -> bool:
    turns = conversation.turns
    if utterance.chat_id and turns.filter(coze_chat_id=utterance.chat_id).exists():
        return True
    unknown = turns.running().filter(coze_chat_id="") if utterance.chat_id else turns.running()
    if unknown.exists():
        raise TurnStillRuns
    return not utterance.chat_id and _was_just_said(utterance, conversation)


def _was_just_said(utterance: Utterance, conversation: Conversation) -> bool:
    since = timezone.now() - _SAME_WORDS
    of_turns = conversation.messages.filter(turn__created_at__gte=since).worth_showing()
    return of_turns.filter(role=utterance.role, content=clean(utterance.content)).exists()


def _store(utterance: Utterance, conversation: Conversation, *, branch: Branch | None) -> Message:
    content = clean(utterance.content)
    is_answer = utterance.role == Message.Role.ASSISTANT
    message = Message.objects.create(
        conversation=conversation,
        branch=branch,
        coze_message_id=utterance.message_id,
        role=utterance.role,
        content=content,
        html=utterance.html,
        html_version=rendering.version() if is_answer else 0,
    )
    Conversation.objects.filter(pk=conversation.pk).update(active_at=timezone.now(), is_unread=True)
    return message


def _tell(conversation: Conversation, message: Message) -> None:
    arrived = Arrived(conversation.owner_id, conversation=conversation.pk, message=message.pk)

    def tell(engine: Engine) -> None:
        engine.news.message_arrived(arrived)

    transaction.on_commit(lambda: from_thread(tell, hint=arrived))
