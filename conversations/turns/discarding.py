"""Deleting with a way back: gone for everybody at once, really deleted a moment later, here and at Coze."""

import uuid
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation, Turn
from conversations.turns.arranging import tell_changed
from conversations.turns.changes import delete_conversation
from conversations.turns.engine import Engine, from_thread
from conversations.turns.processes.hints import Deleted

# How long a deletion can be taken back: the page offers it for five seconds, and a slow line takes a few.
GRACE = timedelta(seconds=10)
_AT_ONCE = 20


def discard(user: User, *, ids: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    """Which of these were the user's; they are gone, unless `restore` brings them back in time."""
    now = timezone.now()
    with transaction.atomic():
        rows = Conversation.objects.owned_by(user).select_for_update().filter(pk__in=list(ids))
        found = list(rows.order_by("pk").values_list("pk", flat=True))
        Conversation.objects.filter(pk__in=found).update(deleted_at=now, erase_at=now + GRACE)
        for pk in found:
            tell = partial(_tell, user_id=user.pk, pk=pk)
            transaction.on_commit(partial(from_thread, tell, hint=Deleted(user.pk, pk)))
    return found


def _tell(engine: Engine, *, user_id: int, pk: uuid.UUID) -> None:
    engine.news.conversation_deleted(user_id, pk)


def restore(user: User, *, ids: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    """Which of these are the user's and there again; the others are deleted for good, or never were."""
    with transaction.atomic():
        rows = Conversation.objects.filter(owner_id=user.pk, pk__in=list(ids), erase_at__gt=timezone.now())
        found = list(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
        Conversation.objects.filter(pk__in=found).update(deleted_at=None, erase_at=None)
        tell_changed(user, found)
    return found


def erase_due() -> int:
    """Really delete what nobody has taken back; how many there were."""
    due = Conversation.objects.due_for_erasure(timezone.now()).order_by("erase_at")
    found = list(due.values_list("pk", flat=True)[:_AT_ONCE])
    for pk in found:
        _erase(pk)
    return len(found)


@transaction.atomic
def _erase(pk: uuid.UUID) -> None:
    # First its turns, as in every deletion.
    list(Turn.objects.select_for_update().filter(conversation_id=pk).order_by("pk").values_list("pk"))
    due = Conversation.objects.due_for_erasure(timezone.now()).filter(pk=pk)
    conversation = due.select_for_update(of=("self",)).select_related("owner").first()
    if conversation is not None and isinstance(conversation.owner, User):
        due.update(deleted_at=None, erase_at=None)
        delete_conversation(conversation.owner, conversation_id=pk)
