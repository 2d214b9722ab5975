"""Attachments: files that a person puts beside a question; what they hold is kept in pieces."""

import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cozechat.catalog.models import CozeApp

NAME_LENGTH = 120
# What was uploaded and not asked with is kept so long.
UNUSED_FOR = timedelta(days=1)
# Coze keeps a file for three months; before that it gets it anew.
AT_COZE_FOR = timedelta(days=80)


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    """The way to attachments leads through their owner."""

    def owned_by(self, user: Any) -> Self:
        """The owner's attachments; those of a deleted conversation do not exist."""
        return self.filter(owner_id=user.pk, conversation__deleted_at=None)

    def bytes_of(self, user: Any) -> int:
        """How much room the owner's attachments take."""
        return int(self.filter(owner_id=user.pk).aggregate(sum=models.Sum("size"))["sum"] or 0)

    def sweep(self, *, now: datetime) -> int:
        """Remove what nobody has asked with within a day; how many there were."""
        unused = self.filter(messages=None, created_at__lt=now - UNUSED_FOR)
        return unused.delete()[1].get("conversations.Attachment", 0)


class Attachment(models.Model):
    """One uploaded file. It belongs to a conversation once a question there has it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="attachments",
        verbose_name=_("owner"),
    )
    conversation = models.ForeignKey(
        "conversations.Conversation",
        on_delete=models.CASCADE,
        null=True,
        related_name="attachments",
        verbose_name=_("conversation"),
    )
    # An edited question, or one that is asked again, has the same ones.
    messages = models.ManyToManyField("conversations.Message", related_name="attachments")
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    media_type = models.CharField(_("media type"), max_length=100)
    is_image = models.BooleanField(_("picture"), default=False)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    coze_app = models.ForeignKey(CozeApp, null=True, on_delete=models.SET_NULL, related_name="+")
    coze_file_id = models.CharField(_("Coze file id"), max_length=64, blank=True, editable=False)
    at_coze_since = models.DateTimeField(_("at Coze since"), null=True, editable=False)
    created_at = models.DateTimeField(_("uploaded"), default=timezone.now)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        # Its name is part of what was said.
        return str(self.id)

    def described(self) -> dict[str, Any]:
        """As the outside sees it."""
        return {
            "id": str(self.pk),
            "name": self.name,
            "size": self.size,
            "image": self.is_image,
        }

    def keep(self, chunks: Iterable[bytes]) -> None:
        """Store what it holds, a piece at a time."""
        for position, chunk in enumerate(chunks):
            self.pieces.create(position=position, content=chunk)

    def chunks(self) -> Iterator[bytes]:
        """What it holds, a piece at a time."""
        for content in self.pieces.values_list("content", flat=True).iterator(chunk_size=1):
            yield bytes(content)

    def is_at_coze(self, app: CozeApp, *, now: datetime) -> bool:
        """Whether this app's account has it, and goes on having it."""
        known = bool(self.coze_file_id) and self.coze_app_id == app.pk
        return known and self.at_coze_since is not None and now - self.at_coze_since < AT_COZE_FOR


class AttachmentPiece(models.Model):
    """A part of what an attachment holds: no request and no process needs the whole in memory to keep it."""

    attachment = models.ForeignKey(Attachment, on_delete=models.CASCADE, related_name="pieces")
    position = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        verbose_name = _("piece of an attachment")
        verbose_name_plural = _("pieces of attachments")
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(fields=["attachment", "position"], name="one_piece_a_position"),
        )

    def __str__(self) -> str:
        return f"{self.attachment_id} {self.position}"
