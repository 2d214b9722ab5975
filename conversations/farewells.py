"""An account is deleted: what it has at Coze is noted, so that it is deleted there as well."""

from typing import Any

from django.db import transaction

from accounts import belongings
from accounts.models import User
from conversations.models import Branch, Conversation, Turn
from conversations.turns import metering
from conversations.turns.engine import from_thread
from conversations.turns.forgetting import leave_behind


def note_what_is_left(*, instance: User, **_: Any) -> None:
    """Receiver of `pre_delete`: afterwards nobody could say any more what belonged to this user, or what it cost."""
    lock(owner=instance)
    metering.meter_running(owner=instance)
    main = Conversation.objects.filter(owner=instance)
    branches = Branch.objects.filter(conversation__owner=instance)
    for app_id, coze_id in [
        *main.values_list("assistant__app_id", "coze_conversation_id"),
        *branches.values_list("conversation__assistant__app_id", "coze_conversation_id"),
        *belongings.at_coze(instance),
    ]:
        leave_behind([coze_id], app_id=app_id, session_name=instance.session_name)
    # What began after Django had collected what to delete is deleted with the rest.
    Conversation.objects.filter(owner=instance).delete()
    transaction.on_commit(lambda: from_thread(lambda engine: engine.mirror.wake()))


def lock(*, owner: User) -> None:
    """Turns, then conversations, both before any hold or account: as whoever ends a turn or begins one."""
    for rows in (Turn.objects.filter(status__in=Turn.OPEN), Conversation.objects.all()):
        list(rows.filter(owner=owner).select_for_update(no_key=True).order_by("pk").values_list("pk"))
