"""What a hold and a usage record both say about their call."""

from decimal import Decimal
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from cozechat.catalog.models import Assistant, CozeApp

FACTS = (
    "origin", "api_key_id", "api_key_name", "kind", "end_user", "route", "model", "assistant_id", "app_id",
    "stream", "metadata", "price", "group_ratio", "coze_chat_id", "coze_conversation_id", "execute_id", "log_id",
)  # fmt: skip


class Origin(models.TextChoices):
    """Where a call came in."""

    GATEWAY = "gateway", _("gateway")
    CHAT = "chat", _("chat page")


class CallFacts(models.Model):
    """Who asked for which model, at which price, and under which ids it runs at Coze.

    Keys and end users are plain values: they live in apps above this one, or nowhere.
    """

    request_id = models.CharField(_("request id"), max_length=64, unique=True, editable=False)
    origin = models.CharField(
        _("came in by"),
        max_length=7,
        choices=Origin.choices,
        default=Origin.GATEWAY,
        db_default=Origin.GATEWAY,
        editable=False,
    )
    api_key_id = models.BigIntegerField(_("API key"), null=True, editable=False)
    # What the key was called then: the keys live above this app, and may be gone when somebody looks.
    api_key_name = models.CharField(_("API key's name"), max_length=100, blank=True, editable=False)
    kind = models.CharField(
        _("kind"), max_length=20, choices=Assistant.Kind.choices, blank=True, editable=False
    )
    end_user = models.CharField(_("end user (digest)"), max_length=64, blank=True, editable=False)
    route = models.CharField(_("route"), max_length=100, blank=True, editable=False)
    model = models.CharField(_("model"), max_length=200, editable=False)
    assistant = models.ForeignKey(
        Assistant,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("assistant"),
    )
    app = models.ForeignKey(
        CozeApp,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("Coze app"),
    )
    stream = models.BooleanField(_("streamed"), default=False, editable=False)
    # What the client wants to find its call by: at most 16 short texts of its own.
    metadata = models.JSONField(_("metadata"), default=dict, blank=True, editable=False)
    price = models.JSONField(_("price then"), default=dict, editable=False)
    group_ratio = models.DecimalField(
        _("group ratio"), max_digits=10, decimal_places=6, default=Decimal(1), editable=False
    )
    coze_chat_id = models.CharField(_("Coze chat id"), max_length=64, blank=True, editable=False)
    coze_conversation_id = models.CharField(
        _("Coze conversation id"), max_length=64, blank=True, editable=False
    )
    execute_id = models.CharField(_("execution id"), max_length=64, blank=True, editable=False)
    log_id = models.CharField(_("log id"), max_length=64, blank=True, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.request_id

    def facts(self) -> dict[str, Any]:
        """All of it but the request id."""
        return {name: getattr(self, name) for name in FACTS}
