"""What a deleted account gets to keep: which conversations it had, and whether Coze has deleted each of them."""

import hashlib
import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cozechat.catalog.models import CozeApp

KEPT = timedelta(days=30)


def end_of_keeping() -> datetime:
    """Until when a receipt of now can be looked at."""
    return timezone.now() + KEPT


class DeletionReceiptQuerySet(models.QuerySet["DeletionReceipt"]):
    """The way to a receipt is its token: nobody owns it any more."""

    def opened_by(self, token: str) -> Self:
        """The receipt of this token, as long as it is kept."""
        return self.filter(token_digest=digest(token), expires_at__gt=timezone.now())

    def sweep(self, *, now: datetime) -> int:
        """Take away those whose time is over."""
        return self.filter(expires_at__lte=now).delete()[0]


def digest(token: str) -> str:
    """What is stored of a token. 256 random bits need no salt."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


class DeletionReceipt(models.Model):
    """That an account was deleted. It says nothing of whose it was."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    # The account's name at Coze: random, and the name of nobody. What comes to light later is found by it.
    session_name = models.CharField(max_length=64, db_index=True, editable=False)
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(default=end_of_keeping, db_index=True, editable=False)

    objects = DeletionReceiptQuerySet.as_manager()

    class Meta:
        verbose_name = _("receipt of a deletion")
        verbose_name_plural = _("receipts of deletions")

    def __str__(self) -> str:
        return str(self.pk)

    @classmethod
    def draw(cls, *, session_name: str) -> tuple["DeletionReceipt", str]:
        """A new one and the token that opens it, which is stored nowhere."""
        token = secrets.token_urlsafe(32)
        return cls.objects.create(token_digest=digest(token), session_name=session_name), token


class ReceiptLineQuerySet(models.QuerySet["ReceiptLine"]):
    """Lines are found by the conversation at Coze."""

    def settle(self, *, app_id: int, coze_id: str, state: "ReceiptLine.State", now: datetime) -> None:
        """Coze has answered."""
        waiting = self.filter(app_id=app_id, coze_conversation_id=coze_id, state=ReceiptLine.State.PENDING)
        waiting.update(state=state, ended_at=now)


class ReceiptLine(models.Model):
    """One conversation of a deleted account."""

    class State(models.TextChoices):
        """What is known of Coze's side. Ours was gone when the receipt was written."""

        PENDING = "pending", _("deletion asked for")
        DELETED = "deleted", _("deleted, confirmed by Coze")
        GONE = "gone", _("not there any more")
        NEVER = "never", _("never was at Coze")

    receipt = models.ForeignKey(DeletionReceipt, on_delete=models.CASCADE, related_name="lines")
    # Ours; empty where only Coze's side is known.
    conversation_id = models.UUIDField(null=True)
    app = models.ForeignKey(CozeApp, null=True, on_delete=models.SET_NULL, related_name="+")
    coze_conversation_id = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    ended_at = models.DateTimeField(null=True)

    objects = ReceiptLineQuerySet.as_manager()

    class Meta:
        verbose_name = _("line of a receipt")
        verbose_name_plural = _("lines of receipts")
        ordering = ("pk",)
        indexes = (models.Index(fields=["app", "coze_conversation_id"], name="receipt_lines_at_coze"),)

    def __str__(self) -> str:
        return f"{self.conversation_id} {self.state}"

    def described(self) -> dict[str, Any]:
        """For a program."""
        return {
            "conversation_id": str(self.conversation_id) if self.conversation_id else None,
            "coze_conversation_id": self.coze_conversation_id or None,
            "here": "deleted",
            "at_coze": self.state,
            "confirmed_at": self.ended_at.isoformat() if self.ended_at else None,
        }
