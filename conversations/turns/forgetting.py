"""Conversations at Coze that say something else than ours do: given up here, and deleted there soon after.

The next question on such a line makes a new one and tells it what the line says now (`counterparts.provide`).
"""

from collections.abc import Collection, Iterable

from conversations.models import Branch, Conversation, CozeLeftover, Line


def forget(conversation: Conversation, lines: Collection[Line]) -> None:
    """Give up what these lines have at Coze. The conversation's row is locked, and stays in line with its row here."""
    rows = [
        *Conversation.objects.filter(pk__in=[conversation.pk] if None in lines else []),
        *Branch.objects.filter(conversation=conversation, pk__in=[line for line in lines if line]),
    ]
    leave_behind(
        [row.coze_conversation_id for row in rows],
        app_id=conversation.assistant.app_id,
        session_name=conversation.owner.session_name,
    )
    for each in (conversation, conversation.branch):
        if each is not None and any(each.pk == row.pk for row in rows):
            each.coze_conversation_id = each.coze_title = ""
    for row in rows:
        row.coze_conversation_id = row.coze_title = ""
        row.save(update_fields=["coze_conversation_id", "coze_title"])


def leave_behind(coze_ids: Iterable[str], *, app_id: int, session_name: str) -> None:
    """Have these deleted at Coze."""
    CozeLeftover.objects.bulk_create(
        [
            CozeLeftover(app_id=app_id, session_name=session_name, coze_conversation_id=coze_id)
            for coze_id in coze_ids
            if coze_id
        ],
        ignore_conflicts=True,
    )
