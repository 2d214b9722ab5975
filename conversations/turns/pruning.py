"""A turn is taken out of its conversation: hidden at once, put back for a moment if it was a mistake, then erased.

Coze could delete single messages, but names those of a chat only, not what a new conversation was told; so what
knew of the turn there is given up as a whole. The row stays without texts: its `client_id` starts nothing again.
"""

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts.models import User
from conversations.models import Branch, Conversation, Feedback, Message, Step, Turn
from conversations.turns import choosing, locking
from conversations.turns.forgetting import forget

# The page offers to undo for 5 s; a slow line may take its time.
UNDO_FOR = timedelta(seconds=10)
_BATCH = 50


def delete_turn(user: User, *, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> bool:
    """Hide a turn; what came after it follows what was before it. False: no such turn of this user's.

    Raises locking.Busy where an answer runs or waits.
    """
    with transaction.atomic():
        found = _locked(user, conversation_id=conversation_id, turn_id=turn_id)
        if found is None or found[1].deleted_at:
            return False
        conversation, turn = found
        turn.children.update(parent=turn.parent_id)
        turn.deleted_at = timezone.now()
        turn.save(update_fields=["deleted_at"])
        choosing.leave_dead_end(conversation, turn)
        _changed(conversation)
    return True


def restore_turn(user: User, *, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> bool:
    """Put a turn back that was deleted a moment ago. False: it is not there any more, or never was this user's."""
    with transaction.atomic():
        found = _locked(user, conversation_id=conversation_id, turn_id=turn_id)
        if found is None or found[1].deleted_at is None:
            return False
        conversation, turn = found
        turn.deleted_at = None
        turn.save(update_fields=["deleted_at"])
        turn.children.set(_followers(turn))
        choosing.show_turn(conversation, turn)
        _changed(conversation)
    return True


def _locked(
    user: User, *, conversation_id: uuid.UUID, turn_id: uuid.UUID
) -> tuple[Conversation, Turn] | None:
    conversation = locking.idle(user, conversation_id=conversation_id)
    if conversation is None:
        return None
    asked = Message.objects.filter(turn=OuterRef("pk"), role=Message.Role.USER).exclude(content="")
    # What is erased cannot be put back, and is not there to be deleted.
    turn = conversation.turns.filter(Exists(asked), pk=turn_id, withdrawn=False).first()
    return None if turn is None else (conversation, turn)


def _followers(turn: Turn) -> list[Turn]:
    """Of the turns that follow what is before it, those whose paths lead through it."""
    question = Message.objects.get(turn=turn, role=Message.Role.USER)
    lines = Branch.objects.lines_of(turn.conversation_id)
    through = lines.holding(turn.branch_id, message_id=question.pk)
    beside = Turn.objects.filter(conversation=turn.conversation_id, parent=turn.parent_id).exclude(pk=turn.pk)
    later = beside.filter(messages__role=Message.Role.USER, messages__pk__gt=question.pk)
    return [each for each in later if each.branch_id in through]


def _changed(conversation: Conversation) -> None:
    conversation.revision += 1
    conversation.save(update_fields=["branch", "main_shown_at", "revision"])


def settle(conversation: Conversation, *, until: datetime | None = None) -> None:
    """Erase what was deleted (before `until`) in a conversation whose row is locked."""
    deleted = Turn.objects.filter(conversation=conversation, deleted_at__isnull=False)
    if until is not None:
        deleted = deleted.filter(deleted_at__lt=until)
    questions = Message.objects.filter(turn__in=deleted, role=Message.Role.USER).exclude(content="")
    for question in questions:
        lines = Branch.objects.lines_of(conversation.pk)
        forget(conversation, lines.holding(question.branch_id, message_id=question.pk))
        if question.turn_id:
            _erase(question.turn_id)


def _erase(turn_id: uuid.UUID) -> None:
    Message.objects.filter(turn_id=turn_id).update(
        content="", html="", breaks=[], reasoning="", is_indexed=False
    )
    for rows in (Step.objects, Feedback.objects):
        rows.filter(turn_id=turn_id).delete()
    Turn.objects.filter(pk=turn_id).update(
        parameters={}, interrupt={}, interrupt_state=Turn.Interrupt.NONE, suggestions=[]
    )


def settle_due() -> None:
    """Erase what nobody can put back any more, wherever it is."""
    until = timezone.now() - UNDO_FOR
    due = Message.objects.filter(turn__deleted_at__lt=until, role=Message.Role.USER).exclude(content="")
    for conversation_id in set(due.values_list("conversation_id", flat=True)[:_BATCH]):
        with transaction.atomic():
            rows = Conversation.objects.select_for_update(of=("self",)).select_related(
                "assistant", "owner", "branch"
            )
            conversation = rows.filter(pk=conversation_id).first()
            if conversation is not None:
                settle(conversation, until=until)
