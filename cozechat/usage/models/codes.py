"""Codes that turn into credits, once."""

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from cozechat.usage.fields import MoneyField


class CodeQuerySet(models.QuerySet["RedeemCode"]):
    """How a code is claimed."""

    def claim(self, digest: str, *, user_id: int, now: datetime) -> bool:
        """Win the code, unless somebody has, or it has expired. One conditional update.

        The claim's time is the mark and not its user, who may be deleted: the code must not come back to life.
        """
        alive = models.Q(expires_at=None) | models.Q(expires_at__gt=now)
        free = self.filter(alive, digest=digest, claimed_at=None)
        return free.update(claimed_by=user_id, claimed_at=now) == 1


class RedeemCode(models.Model):
    """One code, of which only the digest is stored: it is shown once, when it is issued."""

    digest = models.CharField(_("digest"), max_length=64, unique=True, editable=False)
    ending = models.CharField(_("ends with"), max_length=5, editable=False)
    batch = models.UUIDField(_("batch"), default=uuid.uuid4, editable=False, db_index=True)
    note = models.CharField(_("note"), max_length=100, blank=True, editable=False)
    amount = MoneyField(_("amount"), editable=False)
    created_at = models.DateTimeField(_("issued"), editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, editable=False)
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("claimed by"),
    )
    claimed_at = models.DateTimeField(_("claimed"), null=True, editable=False)

    objects = CodeQuerySet.as_manager()

    class Meta:
        verbose_name = _("redeem code")
        verbose_name_plural = _("redeem codes")
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="redeem_code_is_worth_something"),
            models.CheckConstraint(
                condition=models.Q(claimed_by=None) | models.Q(claimed_at__isnull=False),
                name="redeem_code_claimed_at_a_time",
            ),
        )

    def __str__(self) -> str:
        return f"…{self.ending}"
