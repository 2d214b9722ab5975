"""Conversations, and what deleted accounts have left at Coze; what must always hold is a constraint."""

import uuid
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from conversations.models.branches import Branch
from conversations.models.folders import Folder
from conversations.models.paths import MAIN, Path
from conversations.models.turns import Turn
from cozechat.catalog.models import Assistant, CozeApp

TITLE_LENGTH = 100


class ConversationQuerySet(models.QuerySet["Conversation"]):
    """The way to conversations leads through their owner."""

    def owned_by(self, user: Any) -> Self:
        """The owner's conversations that are not deleted; anybody else's do not exist."""
        return self.filter(owner_id=user.pk, deleted_at=None)

    def latest_first(self) -> Self:
        """What is pinned, then the rest; each by its owner's last question, with a stable order among equals."""
        return self.order_by("-is_pinned", "-asked_at", "-id")

    def due_for_erasure(self, now: datetime) -> Self:
        """Those whose deletion can no longer be taken back."""
        return self.filter(erase_at__lte=now)

    def with_running(self) -> Self:
        """Adds `running`: whether an answer is on its way; and who answers."""
        return self.select_related("assistant").annotate(
            running=models.Exists(
                Turn.objects.filter(conversation=models.OuterRef("pk"), status__in=Turn.RUNNING)
            )
        )


class Conversation(models.Model):
    """One user's thread: our id, and Coze's id once Coze has made one with this user's token."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="conversations",
        verbose_name=_("owner"),
    )
    assistant = models.ForeignKey(
        Assistant, on_delete=models.PROTECT, related_name="conversations", verbose_name=_("assistant")
    )
    title = models.CharField(_("title"), max_length=TITLE_LENGTH, blank=True)
    title_is_manual = models.BooleanField(_("title chosen by its owner"), default=False)
    coze_conversation_id = models.CharField(
        _("Coze conversation id"), max_length=64, blank=True, editable=False
    )
    coze_title = models.CharField(_("title at Coze"), max_length=TITLE_LENGTH, blank=True, editable=False)
    # The line that is shown and asked in; none: the main one.
    branch = models.ForeignKey(
        Branch,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("branch"),
        editable=False,
    )
    main_shown_at = models.DateTimeField(_("main line last shown"), db_default=Now(), editable=False)
    # Counts what changes the shown messages otherwise than by a turn at their end: so a page knows to read again.
    revision = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    active_at = models.DateTimeField(_("last active"), db_default=Now(), db_index=True)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True, editable=False)
    # A deletion that may still be taken back: until then nothing is really deleted, neither here nor at Coze.
    erase_at = models.DateTimeField(null=True, editable=False)

    # Where it stands in its owner's list. An answer that ends does not lift it; a question does.
    asked_at = models.DateTimeField(_("last asked"), db_default=Now(), editable=False)
    is_pinned = models.BooleanField(_("pinned"), default=False, db_default=False, editable=False)
    is_archived = models.BooleanField(_("archived"), default=False, db_default=False, editable=False)
    folder = models.ForeignKey(
        Folder, on_delete=models.SET_NULL, null=True, related_name="conversations", editable=False
    )
    # Something has come since its owner last looked.
    is_unread = models.BooleanField(_("unread"), default=False, db_default=False, editable=False)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        indexes = (
            models.Index(fields=["owner", "-active_at"], name="conversations_of_owner"),
            models.Index(fields=["owner", "-is_pinned", "-asked_at", "-id"], name="conversations_as_listed"),
            models.Index(
                fields=["erase_at"],
                name="conversations_to_erase",
                condition=models.Q(erase_at__isnull=False),
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["assistant", "coze_conversation_id"],
                condition=~models.Q(coze_conversation_id=""),
                name="one_row_a_coze_conversation",
            ),
        )

    def __str__(self) -> str:
        # The title is part of what was said: it is for pages of the owner, which ask for it by its name.
        return str(self.id)

    def get_absolute_url(self) -> str:
        """Its page."""
        return f"/c/{self.id}/"

    def shown_path(self) -> Path:
        """What leads to the end of the line that is shown."""
        return MAIN if self.branch_id is None else Branch.objects.lines_of(self.pk).path(self.branch_id)


class CozeLeftover(models.Model):
    """A conversation at Coze whose owner's account is gone; the row goes once it is deleted there too."""

    app = models.ForeignKey(CozeApp, on_delete=models.CASCADE, related_name="leftovers")
    session_name = models.CharField(max_length=64)
    coze_conversation_id = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("leftover at Coze")
        verbose_name_plural = _("leftovers at Coze")
        constraints = (
            models.UniqueConstraint(
                fields=["app", "coze_conversation_id"], name="one_leftover_a_conversation"
            ),
        )

    def __str__(self) -> str:
        return self.coze_conversation_id
