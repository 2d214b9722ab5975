"""What an owner changes about a conversation: title, tree, context, existence. Here at once, at Coze soon after."""

import uuid

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from conversations.models import TITLE_LENGTH, Conversation
from conversations.text import clean
from conversations.turns import choosing, clearing, forgetting, locking, metering, pruning
from conversations.turns.engine import Engine, from_thread
from conversations.turns.processes.hints import Changed, Deleted
from cozechat.audit.models import Verb
from cozechat.audit.recording import record


def rename_conversation(user: User, *, conversation_id: uuid.UUID, title: str) -> bool:
    """Give a conversation a title of its owner's choosing. False: there is no such conversation of this user's."""
    with transaction.atomic():
        rows = Conversation.objects.owned_by(user).filter(pk=conversation_id)
        found = rows.update(title=clean(title).strip()[:TITLE_LENGTH], title_is_manual=True)
        if found:
            _record(Verb.RENAMED, user, conversation_id=conversation_id)
    return _told(user, conversation_id, found)


def choose(user: User, *, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> bool:
    """See `choosing.choose`; the owner's tabs are told, as of every change here."""
    done = choosing.choose(user, conversation_id=conversation_id, turn_id=turn_id)
    return _told(user, conversation_id, done)


def delete_turn(user: User, *, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> bool:
    """See `pruning.delete_turn`."""
    done = pruning.delete_turn(user, conversation_id=conversation_id, turn_id=turn_id)
    return _told(user, conversation_id, done)


def restore_turn(user: User, *, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> bool:
    """See `pruning.restore_turn`."""
    done = pruning.restore_turn(user, conversation_id=conversation_id, turn_id=turn_id)
    return _told(user, conversation_id, done)


def clear_context(user: User, *, conversation_id: uuid.UUID) -> uuid.UUID | None:
    """See `clearing.clear_context`."""
    cut = clearing.clear_context(user, conversation_id=conversation_id)
    _told(user, conversation_id, cut)
    return cut


def restore_context(user: User, *, conversation_id: uuid.UUID, cut_id: uuid.UUID) -> bool:
    """See `clearing.restore_context`."""
    done = clearing.restore_context(user, conversation_id=conversation_id, cut_id=cut_id)
    return _told(user, conversation_id, done)


def _told(user: User, conversation_id: uuid.UUID, done: object) -> bool:
    if done:

        def tell(engine: Engine) -> None:
            engine.news.conversation_changed(user.pk, conversation_id)
            engine.mirror.wake()

        hint = Changed(user.pk, conversation_id)
        transaction.on_commit(lambda: from_thread(tell, hint=hint))
    return bool(done)


def delete_conversation(user: User, *, conversation_id: uuid.UUID) -> bool:
    """Delete a conversation with all that was said; False: there is no such conversation of this user's.

    An answer that runs is ended. A row without content stays until Coze has deleted its side as well.
    """
    with transaction.atomic():
        conversation = locking.lock(user, conversation_id=conversation_id)
        if conversation is None:
            return False
        metering.meter_running(conversation=conversation)
        conversation.turns.all().delete()
        conversation.messages.all().delete()
        conversation.shares.all().delete()
        conversation.attachments.all().delete()
        _delete_branches(conversation)
        conversation.title, conversation.deleted_at = "", timezone.now()
        conversation.save(update_fields=["title", "deleted_at"])
        _record(Verb.DELETED, user, conversation_id=conversation_id)

    def tell(engine: Engine) -> None:
        engine.news.conversation_deleted(user.pk, conversation_id)

    transaction.on_commit(lambda: from_thread(tell, hint=Deleted(user.pk, conversation_id)))
    return True


def _record(verb: Verb, user: User, *, conversation_id: uuid.UUID) -> None:
    """In the transaction of the act; never the title, which says what was talked about."""
    kind, object_id = "conversations.conversation", str(conversation_id)
    record(verb, subject_id=user.pk, actor_id=user.pk, kind=kind, object_id=object_id)


def _delete_branches(conversation: Conversation) -> None:
    """With its main line the row itself is deleted at Coze; what its branches have there is left to be deleted."""
    branches = conversation.branches.all()
    forgetting.forget(conversation, list(branches.values_list("pk", flat=True)))
    branches.delete()
    conversation.cuts.all().delete()
    conversation.branch = None
