"""A conversation that is held while its tree is changed."""

import uuid

from accounts.models import User
from conversations.models import Conversation, Turn


class Busy(Exception):
    """An answer runs or waits here: the tree is changed when it has ended."""


def lock(user: User, *, conversation_id: uuid.UUID) -> Conversation | None:
    """The owner's conversation, locked; None: there is none.

    First what runs or waits in it, as whoever ends a turn does: in another order the two would wait for each other for
    ever. Turns that have ended are changed by whoever holds the conversation, or the turn that runs in it.
    """
    turns = Turn.objects.select_for_update(no_key=True).order_by("pk")
    here = turns.filter(conversation_id=conversation_id, owner_id=user.pk, status__in=Turn.OPEN)
    list(here.values_list("pk"))
    rows = Conversation.objects.owned_by(user).select_for_update(of=("self",))
    return rows.select_related("assistant", "owner", "branch").filter(pk=conversation_id).first()


def idle(user: User, *, conversation_id: uuid.UUID) -> Conversation | None:
    """The same, where nothing runs or waits. Raises Busy."""
    conversation = lock(user, conversation_id=conversation_id)
    if conversation is not None and conversation.turns.filter(status__in=Turn.OPEN).exists():
        raise Busy
    return conversation
