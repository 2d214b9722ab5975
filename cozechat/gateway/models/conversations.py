"""Conversations of end users that go on from call to call."""

import secrets
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from cozechat.catalog.models import CozeApp


def new_id() -> str:
    """An id that nobody guesses."""
    return f"conv_{secrets.token_hex(16)}"


class StickyConversationQuerySet(models.QuerySet["StickyConversation"]):
    """The way to conversations leads through their end user."""

    def owned_by(self, user: Any) -> Self:
        """This end user's conversations; anybody else's do not exist."""
        return self.filter(user_id=user.pk)

    def claim(self, pk: str, *, request_id: str, now: datetime, until: datetime) -> bool:
        """Begin a call in it, unless another runs there."""
        free = models.Q(request_id="") | models.Q(lease_until__lte=now)
        return self.filter(free, pk=pk).update(request_id=request_id, lease_until=until) == 1

    def renew(self, request_ids: Any, *, until: datetime) -> None:
        """The calls still run."""
        self.filter(request_id__in=request_ids).update(lease_until=until)

    def free(self, request_id: str, *, now: datetime) -> None:
        """The call has ended."""
        self.filter(request_id=request_id).update(request_id="", lease_until=now)


class StickyConversation(models.Model):
    """One end user's thread at one Coze app: calls that name it send only what is new."""

    id = models.CharField(max_length=40, primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="sticky_conversations",
        verbose_name=_("end user"),
    )
    app = models.ForeignKey(CozeApp, on_delete=models.CASCADE, related_name="+", verbose_name=_("Coze app"))
    # What a client that names conversations itself calls it.
    external_id = models.CharField(_("the client's id"), max_length=64, blank=True)
    coze_conversation_id = models.CharField(_("Coze conversation id"), max_length=64, blank=True)
    request_id = models.CharField(_("running call"), max_length=64, blank=True, db_index=True)
    lease_until = models.DateTimeField(_("leased until"), null=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = StickyConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation of an end user")
        verbose_name_plural = _("conversations of end users")
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=["user", "app", "external_id"],
                condition=~models.Q(external_id=""),
                name="one_conversation_a_client_id",
            ),
        )

    def __str__(self) -> str:
        return self.id
