"""What each call came to."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from cozechat.usage.fields import MoneyField
from cozechat.usage.models.calls import CallFacts
from cozechat.usage.money import Nano
from cozechat.usage.pricing import Snapshot, Tokens, cost


class UsageQuerySet(models.QuerySet["UsageRecord"]):
    """The way to records leads through their owner."""

    def owned_by(self, user: Any) -> Self:
        """This user's calls; anybody else's do not exist."""
        return self.filter(owner_id=user.pk)

    def to_sum(self) -> Self:
        """Calls that no sum holds yet, in the order of their writing."""
        return self.filter(summed=False).order_by("pk")

    def charged(self) -> Self:
        """Calls that had a price to pay, though it may have been zero; a question on the page may have none."""
        return self.exclude(usage_source=UsageRecord.Source.NONE).exclude(price={})


class UsageRecord(CallFacts):
    """One call, written once when it has ended; only a lost one's counts are corrected later."""

    class Source(models.TextChoices):
        """Where the counts come from: an estimate is never shown as exact."""

        UPSTREAM = "upstream", _("counted by Coze")
        PER_CALL = "per_call", _("priced by the call")
        ESTIMATED = "estimated", _("estimated")
        NONE = "none", _("nothing charged")

    class Status(models.TextChoices):
        """How the call ended."""

        COMPLETED = "completed", _("completed")
        FAILED = "failed", _("failed")
        CANCELED = "canceled", _("stopped")
        LOST = "lost", _("lost")
        REFUSED = "refused", _("refused")

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="usage_records",
        verbose_name=_("owner"),
    )
    created_at = models.DateTimeField(_("time"), editable=False)
    input_tokens = models.PositiveBigIntegerField(_("input tokens"), default=0, editable=False)
    output_tokens = models.PositiveBigIntegerField(_("output tokens"), default=0, editable=False)
    # What Coze said, word for word, if its counts could not be used or contradict each other.
    odd_counts = models.JSONField(_("contradictory counts"), null=True, editable=False)
    usage_source = models.CharField(_("source"), max_length=9, choices=Source.choices, editable=False)
    cost = MoneyField(_("cost"), default=0, editable=False)
    status = models.CharField(_("status"), max_length=9, choices=Status.choices, editable=False)
    error_code = models.CharField(_("error"), max_length=64, blank=True, editable=False)
    latency_ms = models.PositiveIntegerField(_("took (ms)"), null=True, editable=False)
    first_token_ms = models.PositiveIntegerField(_("first words after (ms)"), null=True, editable=False)
    settled_late = models.BooleanField(_("settled late"), default=False, editable=False)
    # Whether the sums of `cozechat.monitoring` hold it: written once, with them.
    summed = models.BooleanField(_("in the sums"), default=False, db_default=False, editable=False)

    objects = UsageQuerySet.as_manager()

    class Meta:
        verbose_name = _("usage record")
        verbose_name_plural = _("usage records")
        ordering = ("-created_at", "-pk")
        indexes = (
            models.Index(fields=["-created_at"], name="usage_by_time"),
            # Everything that a user's page adds up or filters by, so that the sums of 10⁵ calls are read from
            # the index alone (docs/usage.md has the times).
            models.Index(
                fields=[
                    "owner",
                    "created_at",
                    "api_key_id",
                    "model",
                    "status",
                    "cost",
                    "input_tokens",
                    "output_tokens",
                    "latency_ms",
                    "first_token_ms",
                ],
                name="usage_of_owner",
            ),
            models.Index(fields=["api_key_id", "-created_at"], name="usage_of_key"),
            models.Index(fields=["model", "-created_at"], name="usage_of_model"),
            models.Index(fields=["id"], name="usage_to_sum", condition=models.Q(summed=False)),
        )
        constraints = (
            models.CheckConstraint(condition=models.Q(cost__gte=0), name="usage_cost_not_negative"),
            models.CheckConstraint(
                condition=~models.Q(usage_source="none") | models.Q(cost=0), name="usage_of_nothing_is_free"
            ),
        )

    def recomputed_cost(self) -> Nano:
        """What the row's own price, ratio and tokens come to; always what is stored."""
        if self.usage_source == self.Source.NONE or not self.price:
            return 0
        tokens = Tokens(self.input_tokens, self.output_tokens)
        return cost(Snapshot.from_json(self.price), ratio=self.group_ratio, tokens=tokens)
