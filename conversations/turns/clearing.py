"""Where an owner cuts the context: what is above stays to be read, and is told to nobody any more.

Coze is told with the next question (`counterparts.clear`), so until then a cut is only a mark here. Coze cannot take it
back: after that, what it has of the line is given up, and the next question tells a new conversation all of it.
"""

import uuid

from django.db import transaction

from accounts.models import User
from conversations.models import Branch, Conversation, Cut, Message
from conversations.turns import locking
from conversations.turns.forgetting import forget


class NothingToClear(Exception):
    """Nothing was said yet, or nothing since the last cut; or each run begins without knowing of others anyway."""


def clear_context(user: User, *, conversation_id: uuid.UUID) -> uuid.UUID | None:
    """Cut the context at the end of what is shown; returns the cut. None: no such conversation of this user's.

    Raises locking.Busy, NothingToClear.
    """
    with transaction.atomic():
        conversation = locking.idle(user, conversation_id=conversation_id)
        if conversation is None:
            return None
        if conversation.assistant.is_run:
            raise NothingToClear
        path = conversation.shown_path()
        rows = Message.objects.filter(conversation=conversation).worth_showing()
        newest = rows.newest_on(path, limit=1)
        cuts = Cut.objects.on(path, conversation_id=conversation.pk)
        if not newest or any(cut.after >= newest[0].pk for cut in cuts):
            raise NothingToClear
        cut = Cut.objects.create(conversation=conversation, branch=conversation.branch, after=newest[0].pk)
        _changed(conversation)
    return cut.pk


def restore_context(user: User, *, conversation_id: uuid.UUID, cut_id: uuid.UUID) -> bool:
    """Take a cut away. False: there is none such of this user's. Raises locking.Busy."""
    with transaction.atomic():
        conversation = locking.idle(user, conversation_id=conversation_id)
        cut = Cut.objects.filter(conversation=conversation, pk=cut_id).first() if conversation else None
        if conversation is None or cut is None:
            return False
        lines = Branch.objects.lines_of(conversation.pk)
        through = set(lines.holding(cut.branch_id, message_id=cut.after))
        if cut.applied_at is None:
            # Coze does not know of it there; lines that were begun below it were told nothing from above it.
            through.discard(cut.branch_id)
        forget(conversation, through)
        cut.delete()
        _changed(conversation)
    return True


def _changed(conversation: Conversation) -> None:
    conversation.revision += 1
    conversation.save(update_fields=["revision"])
