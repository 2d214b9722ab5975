"""Deletes an account for its owner, and writes the receipt."""

from django.db import transaction

from accounts.models import User
from conversations import farewells
from conversations.models import Conversation, CozeLeftover, DeletionReceipt, ReceiptLine
from cozechat.audit.models import Verb
from cozechat.audit.recording import record


class LastSuperuser(Exception):
    """Without this account nobody could administer the site."""


def close_account(user: User) -> str:
    """Delete the user with everything that is theirs; returns the token that opens the receipt.

    One transaction: either all of it is gone here, what has to go at Coze is noted and the receipt written, or nothing
    has happened. Answers that run end with it; sockets and log-ins end when it is committed. Raises LastSuperuser.
    """
    with transaction.atomic():
        _refuse_last_superuser(user)
        farewells.lock(owner=user)
        named = {"kind": "accounts.user", "object_id": str(user.pk)}
        record(Verb.ACCOUNT_DELETED, subject_id=user.pk, actor_id=user.pk, **named)
        # Whom the account's API keys speak for goes with it.
        names = [user.session_name, *user.end_users.values_list("session_name", flat=True)]
        receipt, token = DeletionReceipt.draw(session_name=user.session_name)
        ReceiptLine.objects.bulk_create(_lines(receipt, user=user), batch_size=500)
        user.delete()
        # What programs talked about, and a conversation that came into being after the lines were written.
        known = receipt.lines.values("coze_conversation_id")
        for late in CozeLeftover.objects.filter(session_name__in=names).exclude(
            coze_conversation_id__in=known
        ):
            receipt.lines.create(app_id=late.app_id, coze_conversation_id=late.coze_conversation_id)
    return token


def _refuse_last_superuser(user: User) -> None:
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    # Two who leave at once would each count the other; the second waits, and counts again.
    if user.is_superuser and not others.select_for_update().values_list("pk", flat=True):
        raise LastSuperuser


def _lines(receipt: DeletionReceipt, *, user: User) -> list[ReceiptLine]:
    rows = Conversation.objects.filter(owner=user).order_by("created_at", "pk")
    never = ReceiptLine.State.NEVER
    return [
        ReceiptLine(
            receipt=receipt,
            conversation_id=pk,
            app_id=app_id,
            coze_conversation_id=coze_id,
            state=ReceiptLine.State.PENDING if coze_id else never,
        )
        for pk, app_id, coze_id in rows.values_list("pk", "assistant__app_id", "coze_conversation_id")
    ]
