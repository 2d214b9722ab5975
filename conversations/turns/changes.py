"""What an owner changes about a conversation: its title, its existence. Here at once, at Coze soon after."""

import uuid

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from conversations.models import TITLE_LENGTH, Conversation, Turn
from conversations.text import clean
from conversations.turns import metering
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
    if found:

        def tell(engine: Engine) -> None:
            engine.news.conversation_changed(user.pk, conversation_id)
            engine.mirror.wake()

        hint = Changed(user.pk, conversation_id)
        transaction.on_commit(lambda: from_thread(tell, hint=hint))
    return bool(found)


def delete_conversation(user: User, *, conversation_id: uuid.UUID) -> bool:
    """Delete a conversation with all that was said; False: there is no such conversation of this user's.

    An answer that runs is ended. A row without content stays until Coze has deleted its side as well.
    """
    with transaction.atomic():
        # First its turns, as whoever ends one does: in another order the two would wait for each other for ever.
        list(
            Turn.objects.select_for_update()
            .filter(conversation_id=conversation_id, owner_id=user.pk)
            .order_by("pk")
        )
        rows = Conversation.objects.owned_by(user).select_for_update().filter(pk=conversation_id)
        conversation = rows.first()
        if conversation is None:
            return False
        metering.meter_running(conversation=conversation)
        conversation.turns.all().delete()
        conversation.messages.all().delete()
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
