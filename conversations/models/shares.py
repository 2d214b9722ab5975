"""What an owner shows to others: a snapshot of a conversation behind a link that cannot be guessed."""

import uuid
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from cozechat.encryption import EncryptedTextField


class ShareQuerySet(models.QuerySet["Share"]):
    """The way to shares leads through their owner, or through the link."""

    def owned_by(self, user: Any) -> Self:
        """The owner's shares of conversations that are not deleted; anybody else's do not exist."""
        return self.filter(owner_id=user.pk, conversation__deleted_at=None)

    def open(self, *, now: datetime) -> Self:
        """Shares whose link works: neither revoked nor expired, and of a conversation that is still there."""
        lasting = models.Q(expires_at=None) | models.Q(expires_at__gt=now)
        return self.filter(lasting, revoked_at=None, conversation__deleted_at=None)

    def forget_closed(self, *, now: datetime) -> int:
        """Remove what was shown from the rows that show it no more; how many there were."""
        closed = models.Q(revoked_at__isnull=False) | models.Q(expires_at__lte=now)
        return self.filter(closed).exclude(messages=[]).update(messages=[], token="")


class Share(models.Model):
    """A read-only snapshot of one conversation, made by its owner for whoever has the link.

    The link's token is kept twice: its digest finds the row, the sealed text lets the owner copy the link again.
    `messages` is a list of `{role, name, content, html, html_version, created_at}` and holds no id of anybody.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        "conversations.Conversation",
        on_delete=models.CASCADE,
        related_name="shares",
        verbose_name=_("conversation"),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="shares", verbose_name=_("owner")
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    token = EncryptedTextField(blank=True, editable=False)
    title = models.CharField(_("title"), max_length=100, blank=True)
    messages = models.JSONField(_("messages"), default=list, editable=False)
    count = models.PositiveIntegerField(_("messages shown"), default=0, editable=False)
    views = models.PositiveIntegerField(_("views"), default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(_("shared"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)

    objects = ShareQuerySet.as_manager()

    class Meta:
        verbose_name = _("share")
        verbose_name_plural = _("shares")
        ordering = ("-created_at",)
        indexes = (models.Index(fields=["owner", "-created_at"], name="shares_of_owner"),)

    def __str__(self) -> str:
        return str(self.id)

    def has_ended(self, *, now: datetime) -> bool:
        """Whether the link opens nothing any more."""
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)
