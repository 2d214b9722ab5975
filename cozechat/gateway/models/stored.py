"""Calls that are remembered: to be answered again, or to be fetched later."""

from datetime import datetime
from typing import Any, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from cozechat.encryption import EncryptedTextField
from cozechat.gateway.models.keys import ApiKey


class StoredCallQuerySet(models.QuerySet["StoredCall"]):
    """Questions to the memory of calls; a key sees its own only."""

    def of(self, key: ApiKey) -> Self:
        """This key's calls, and those of its predecessors: they share a scope."""
        return self.filter(api_key__owner_id=key.owner_id, api_key__scope=key.scope)

    def unheard(self) -> Self:
        """Those that still run, or whose end no client has had."""
        return self.filter(models.Q(state=StoredCall.State.RUNNING) | models.Q(heard_at=None))

    def renew(self, request_ids: Any, *, until: datetime) -> None:
        """The calls still run."""
        self.filter(request_id__in=request_ids, state=StoredCall.State.RUNNING).update(lease_until=until)


class StoredCall(models.Model):
    """One call with what came of it, kept for a day, sealed in the database."""

    class State(models.TextChoices):
        """How far it has come."""

        RUNNING = "running", _("running")
        COMPLETED = "completed", _("completed")
        FAILED = "failed", _("failed")

    request_id = models.CharField(_("request id"), max_length=64, unique=True)
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="stored_calls")
    # Their name at Coze: the call is written down before the end user has a row.
    end_user = models.CharField(_("end user (digest)"), max_length=64)
    model = models.CharField(_("model"), max_length=200)
    idempotency = models.CharField(_("idempotency key (digest)"), max_length=64, blank=True)
    body_digest = models.CharField(_("request (digest)"), max_length=64)
    # Whether GET /v1/responses/ID finds it.
    is_response = models.BooleanField(default=False)
    is_background = models.BooleanField(default=False)
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.RUNNING)
    # JSON of an answer or of a refusal.
    outcome = EncryptedTextField(_("outcome"), blank=True, default="")
    # When a client had the end of it; until then somebody may ask again because none has come.
    heard_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(_("leased until"))
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("expires"), db_index=True)

    objects = StoredCallQuerySet.as_manager()

    class Meta:
        verbose_name = _("stored call")
        verbose_name_plural = _("stored calls")
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=["api_key", "idempotency"],
                condition=~models.Q(idempotency=""),
                name="one_call_an_idempotency_key",
            ),
        )
        indexes = (models.Index(fields=["api_key", "body_digest"], name="stored_call_by_body"),)

    def __str__(self) -> str:
        return self.request_id
