"""Where in the tree of a conversation a question goes: at the end of the shown line, or into a branch of its own."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from conversations.frames import Refused, TurnStart
from conversations.models import Branch, Conversation, Line, Message, Path, Turn


@dataclass(frozen=True, slots=True)
class Place:
    """What a new turn gets from the tree. `replaced`: the turn beside which a branch was made for it."""

    branch: Branch | None = None
    parent_id: uuid.UUID | None = None
    replaced: Turn | None = None
    repeats: bool = False
    continues: bool = False


def place(conversation: Conversation, frame: TurnStart) -> Place:
    """The place of a question in a conversation whose row is locked. Raises Refused (not_found)."""
    if frame.replaces is not None:
        turn = _turn(conversation, frame.replaces, frame=frame)
        return _beside(turn, repeats=frame.regenerates is not None)
    last = _last_on(conversation.shown_path(), conversation=conversation)
    if frame.continues is not None and (last is None or last != frame.continues):
        raise _no_turn(frame)
    return Place(branch=conversation.branch, parent_id=last, continues=frame.continues is not None)


def _last_on(path: Path, *, conversation: Conversation) -> uuid.UUID | None:
    rows = Message.objects.filter(
        conversation=conversation, turn__isnull=False, turn__withdrawn=False, turn__deleted_at=None
    )
    newest = rows.newest_on(path, limit=1)
    return newest[0].turn_id if newest else None


def _turn(conversation: Conversation, turn_id: uuid.UUID, *, frame: TurnStart) -> Turn:
    """A turn of this conversation that has ended and is part of it."""
    turn = (
        Turn.objects.kept()
        .exclude(status__in=Turn.OPEN)
        .filter(conversation=conversation, owner_id=conversation.owner_id, pk=turn_id)
        .select_related("branch", "answers")
        .first()
    )
    if turn is None:
        raise _no_turn(frame)
    return turn


def _no_turn(frame: TurnStart) -> Refused:
    return Refused("not_found", _("This turn does not exist."), client_id=str(frame.client_id))


def _beside(turn: Turn, *, repeats: bool) -> Place:
    """A branch that leaves before a turn's question; the turn and what follows it stay where they are."""
    question = Message.objects.get(turn=turn, role=Message.Role.USER)
    line, before = _leaving(turn.branch, question=question)
    branch = Branch.objects.create(conversation_id=turn.conversation_id, parent_id=line, before=before)
    return Place(branch, turn.parent_id, replaced=turn, repeats=repeats)


def _leaving(branch: Branch | None, *, question: Message) -> tuple[Line, int]:
    """Which line to leave, and where: a branch of which nothing would be left is passed over."""
    before = question.pk
    while branch is not None and not branch.messages.filter(pk__lt=before).exists():
        before = branch.before
        branch = branch.parent
    return (None if branch is None else branch.pk), before


def show(conversation: Conversation, branch: Branch | None, *, now: datetime) -> None:
    """From now on this line is shown and asked in; the conversation's row is not saved yet."""
    conversation.branch = branch
    conversation.revision += 1
    if branch is None:
        conversation.main_shown_at = now
    else:
        branch.shown_at = now
        branch.save(update_fields=["shown_at"])
