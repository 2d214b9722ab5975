"""Takes away what is not kept any longer: old events of the audit trail, old receipts of deletions, files
that no question came for."""

from django.utils import timezone

from conversations.models import Attachment, DeletionReceipt
from cozechat import database
from cozechat.audit.models import AuditEvent

EVERY = 600.0


async def sweep() -> None:
    """One round; what is too much for it waits for the next."""
    await database.run(_sweep)


def _sweep() -> None:
    now = timezone.now()
    AuditEvent.objects.sweep(now=now)
    DeletionReceipt.objects.sweep(now=now)
    Attachment.objects.sweep(now=now)
