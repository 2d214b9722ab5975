"""Credits that a user has asked for, until staff have decided."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from cozechat.usage.fields import MoneyField
from cozechat.usage.money import LARGEST_CREDIT


class TopUpRequestQuerySet(models.QuerySet["TopUpRequest"]):
    """The way to requests leads through their owner; they are decided once."""

    def owned_by(self, user: Any) -> Self:
        """What this user asked for; anybody else's requests do not exist."""
        return self.filter(owner_id=user.pk)

    def open(self) -> Self:
        """Those that nobody has decided."""
        return self.filter(state=TopUpRequest.State.OPEN)

    def decide(self, *, to: "TopUpRequest.State", now: datetime, **why: Any) -> bool:
        """Win the decision about one request, unless somebody has made it. One conditional update."""
        return self.open().update(state=to, decided_at=now, **why) == 1


class TopUpRequest(models.Model):
    """One wish for credits; each user has at most one that is open."""

    class State(models.TextChoices):
        """What became of it."""

        OPEN = "open", pgettext_lazy("a request", "open")
        GRANTED = "granted", _("granted")
        REFUSED = "refused", pgettext_lazy("a request", "refused")
        WITHDRAWN = "withdrawn", _("withdrawn")

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="top_up_requests",
        verbose_name=_("owner"),
    )
    amount = MoneyField(_("amount"), editable=False)
    note = models.CharField(_("note"), max_length=300, blank=True, editable=False)
    state = models.CharField(
        _("state"), max_length=9, choices=State.choices, default=State.OPEN, editable=False
    )
    answer = models.CharField(_("answer"), max_length=300, blank=True, editable=False)
    # Plain values, as in the ledger: they stay when a colleague's account is deleted.
    actor_id = models.BigIntegerField(_("actor's id"), null=True, editable=False)
    actor_name = models.CharField(_("actor"), max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(_("time"), editable=False)
    decided_at = models.DateTimeField(_("decided"), null=True, editable=False)

    objects = TopUpRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("top-up request")
        verbose_name_plural = _("top-up requests")
        ordering = ("-pk",)
        permissions = (("decide_topuprequest", "Can grant and refuse top-up requests"),)
        constraints = (
            models.UniqueConstraint(
                fields=["owner"], condition=models.Q(state="open"), name="one_open_request_a_user"
            ),
            models.CheckConstraint(
                condition=models.Q(amount__gt=0, amount__lte=LARGEST_CREDIT), name="request_amount_in_range"
            ),
            models.CheckConstraint(
                condition=models.Q(state="open", decided_at=None)
                | (~models.Q(state="open") & models.Q(decided_at__isnull=False)),
                name="request_decided_at_a_time",
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def ref(self) -> str:
        """Under which reference the ledger books it, once."""
        return f"request-{self.pk}"
