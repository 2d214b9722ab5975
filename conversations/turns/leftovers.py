"""Deletes at Coze what deleted accounts have left there."""

import logging
from itertools import groupby

from django.db import transaction
from django.utils import timezone

from accounts import tokens
from conversations.models import CozeLeftover, DeletionReceipt, ReceiptLine
from cozechat import database
from cozechat.catalog.clients import coze_client
from cozechat.catalog.models import CozeApp
from cozechat.coze.errors import CONVERSATION_GONE, CozeError
from cozechat.coze.types import Caller

logger = logging.getLogger(__name__)

_BATCH = 50
# The account's stored token went with it: this one is for the farewell only (seconds).
_TTL = 900


async def clear_leftovers() -> None:
    """One round. What fails stays, and is tried again at the next."""
    found = await database.run(_oldest)
    for (app, session_name), leftovers in groupby(found, key=lambda row: (row.app, row.session_name)):
        try:
            await _clear(app, session_name, list(leftovers))
        except CozeError as error:
            logger.warning("what a deleted account left at Coze is still there: %s", error)


def _oldest() -> list[CozeLeftover]:
    return list(CozeLeftover.objects.select_related("app").order_by("app_id", "session_name", "pk")[:_BATCH])


async def _clear(app: CozeApp, session_name: str, leftovers: list[CozeLeftover]) -> None:
    client = coze_client(app)
    token = await tokens.farewell_token(session_name, app=app, ttl=_TTL)
    caller = Caller(token=token, session_name=session_name)
    for leftover in leftovers:
        state = ReceiptLine.State.DELETED
        try:
            await client.delete_conversation(caller, leftover.coze_conversation_id)
        except CONVERSATION_GONE:
            state = ReceiptLine.State.GONE
            logger.info("conversation %s was gone at Coze already", leftover.coze_conversation_id)
        await database.run(_settle, leftover, state=state)


@transaction.atomic
def _settle(leftover: CozeLeftover, *, state: ReceiptLine.State) -> None:
    """Nothing is left: that stands on the receipt, if the account got one."""
    coze_id = leftover.coze_conversation_id
    ReceiptLine.objects.settle(app_id=leftover.app_id, coze_id=coze_id, state=state, now=timezone.now())
    leftover.delete()


def leave(*, app_id: int, session_name: str, coze_id: str) -> None:
    """Note what came into being at Coze for an account that was deleted meanwhile."""
    with transaction.atomic():
        row = {"app_id": app_id, "coze_conversation_id": coze_id}
        found = CozeLeftover(**row, session_name=session_name)
        CozeLeftover.objects.bulk_create([found], ignore_conflicts=True)
        receipt = DeletionReceipt.objects.filter(session_name=session_name).first()
        if receipt is not None:
            receipt.lines.create(**row)
