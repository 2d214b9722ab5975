"""API keys: who may call which models, from where, how often and for how much."""

import ipaddress
import uuid
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from cozechat.catalog.models import Assistant
from cozechat.usage.budgets import Budget, Period, Scope
from cozechat.usage.fields import MoneyField

_POSITIVE = [MinValueValidator(1)]


def new_scope() -> str:
    """What divides the end users of one key from those of another."""
    return uuid.uuid4().hex


def check_addresses(value: Any) -> None:
    """A list of addresses and networks."""
    try:
        for entry in _texts(value):
            ipaddress.ip_network(entry, strict=False)
    except ValueError as error:
        raise ValidationError(_('Write a list of addresses or networks: ["192.0.2.0/24"]')) from error


def check_patterns(value: Any) -> None:
    """A list of model names, in which * stands for anything."""
    try:
        _texts(value)
    except ValueError as error:
        raise ValidationError(_('Write a list of model names: ["gpt-4", "workflow:*"]')) from error


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError(value)
    return value


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """The way to keys leads through their owner, or through the secret itself."""

    def owned_by(self, user: Any) -> Self:
        """This user's keys; anybody else's do not exist."""
        return self.filter(owner_id=user.pk)

    def standing(self, *, now: datetime) -> Self:
        """Those that open something, or would if their owner switched them on again."""
        return self.filter(models.Q(expires_at=None) | models.Q(expires_at__gt=now), is_active=True)

    def told_of_successors(self) -> Self:
        """With `is_replaced`: whether a key has a successor, in whose favour it ends."""
        later = ApiKey.objects.filter(
            owner_id=models.OuterRef("owner_id"), scope=models.OuterRef("scope"), pk__gt=models.OuterRef("pk")
        )
        return self.annotate(is_replaced=models.Exists(later))


class ApiKey(models.Model):
    """What a program shows to be let in; the key itself is stored nowhere, only its digest.

    Whatever calls cost is the owner's. Empty limits are no limits.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys", verbose_name=_("owner")
    )
    name = models.CharField(_("name"), max_length=100)
    digest = models.CharField(_("digest"), max_length=64, unique=True, editable=False)
    hint = models.CharField(_("key"), max_length=32, editable=False)
    # Keys that share a scope share their end users' sessions and their budget: a key and its successor.
    scope = models.CharField(_("scope"), max_length=32, default=new_scope, editable=False)
    # The form that it comes from: one that is sent twice makes one key.
    ticket = models.UUIDField(null=True, editable=False)
    # Without it a key is revoked, for good as far as its owner goes.
    is_active = models.BooleanField(_("active"), default=True)
    is_paused = models.BooleanField(
        _("switched off"), default=False, help_text=_("By its owner, who can switch it on again.")
    )
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    models_allowed = models.JSONField(
        _("models"),
        default=list,
        blank=True,
        validators=[check_patterns],
        help_text=_(
            'Empty: every model that is offered. Else names, * for anything: ["gpt-4", "workflow:*"]'
        ),
    )
    allows_unregistered = models.BooleanField(
        _("unregistered ids"),
        default=False,
        help_text=_(
            "May also call bots and workflows by ids that are no assistant here, where a name allows it."
        ),
    )
    fallback = models.ForeignKey(
        Assistant,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("unknown names mean"),
        help_text=_("The assistant that answers when a plain model name is unknown."),
    )
    addresses = models.JSONField(
        _("addresses"),
        default=list,
        blank=True,
        validators=[check_addresses],
        help_text=_('Empty: from anywhere. Else addresses or networks: ["192.0.2.0/24"]'),
    )
    requests_per_minute = models.PositiveIntegerField(
        _("requests a minute"), null=True, blank=True, validators=_POSITIVE
    )
    tokens_per_minute = models.PositiveIntegerField(
        _("tokens a minute"), null=True, blank=True, validators=_POSITIVE
    )
    concurrency = models.PositiveSmallIntegerField(
        _("calls at once"), null=True, blank=True, validators=_POSITIVE
    )
    limit = MoneyField(  # type: ignore[misc]  # None is meant
        _("budget"), null=True, blank=True, help_text=_("Credits a period; empty: no limit.")
    )
    period = models.CharField(_("period"), max_length=5, choices=Period.choices, default=Period.MONTH)
    end_user_limit = MoneyField(  # type: ignore[misc]  # None is meant
        _("budget of each end user"), null=True, blank=True
    )
    end_user_period = models.CharField(
        _("its period"), max_length=5, choices=Period.choices, default=Period.MONTH
    )
    most_end_users = models.PositiveIntegerField(
        _("end users at most"),
        null=True,
        blank=True,
        default=10_000,
        validators=_POSITIVE,
        help_text=_("Each new name that clients send makes a user of its own here."),
    )
    trusts_open_webui = models.BooleanField(
        _("trusts Open WebUI's headers"),
        default=False,
        help_text=_("X-OpenWebUI-User-Id names the end user, X-OpenWebUI-Chat-Id the conversation."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    # Only on rows from `told_of_successors`.
    is_replaced: bool

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(condition=~models.Q(scope=""), name="api_key_has_a_scope"),
            models.UniqueConstraint(fields=["owner", "ticket"], name="one_api_key_a_form"),
            models.CheckConstraint(
                condition=(models.Q(limit=None) | models.Q(limit__gte=0))
                & (models.Q(end_user_limit=None) | models.Q(end_user_limit__gte=0)),
                name="api_key_budgets_not_negative",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"

    def has_ended(self, *, now: datetime) -> bool:
        """Whether it opens nothing any more."""
        return not self.is_active or self.is_paused or self.has_expired(now=now)

    def has_expired(self, *, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def is_privileged(self) -> bool:
        """Whether staff have given it what owners cannot give themselves; then its limits are staff's too."""
        return self.allows_unregistered or self.trusts_open_webui or self.fallback_id is not None

    def admits(self, address: str) -> bool:
        """Whether it may be used from there."""
        if not self.addresses:
            return True
        try:
            client = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(client, "ipv4_mapped", None) or client
        return any(mapped in ipaddress.ip_network(entry, strict=False) for entry in self.addresses)

    def allows(self, *names: str) -> bool:
        """Whether one of a model's names is in its list."""
        patterns = self.models_allowed or ["*"]
        return any(fnmatchcase(name, pattern) for name in names if name for pattern in patterns)

    @property
    def budget(self) -> Budget | None:
        """What calls of this key and of its successors may cost together: no budget begins anew by rotation."""
        period = Period(self.period)
        return (
            Budget(scope=Scope.KEY, scope_id=self.scope, limit=self.limit, period=period)
            if self.limit is not None
            else None
        )

    def budgets(self, *, end_user: str) -> tuple[Budget, ...]:
        """What calls of this key may cost; the end user's name is unique among all owners."""
        found = [self.budget] if self.budget else []
        if self.end_user_limit is not None:
            period = Period(self.end_user_period)
            found.append(
                Budget(scope=Scope.END_USER, scope_id=end_user, limit=self.end_user_limit, period=period)
            )
        return tuple(found)


class SlotQuerySet(models.QuerySet["Slot"]):
    """Slots are claimed by conditional updates, so that no two calls hold the same one."""

    def claim(self, key: ApiKey, *, request_id: str, now: datetime, until: datetime) -> bool:
        """Take one of the key's slots that nobody holds; False if all are held."""
        numbers = range(key.concurrency or 0)
        known = set(self.filter(api_key=key).values_list("number", flat=True))
        self.bulk_create(
            (Slot(api_key=key, number=number, lease_until=now) for number in numbers if number not in known),
            ignore_conflicts=True,
        )
        free = self.filter(api_key=key, number__lt=key.concurrency, lease_until__lte=now)
        for pk in free.values_list("pk", flat=True):
            if self.filter(pk=pk, lease_until__lte=now).update(request_id=request_id, lease_until=until):
                return True
        return False

    def renew(self, request_ids: Any, *, until: datetime) -> None:
        """The calls still run."""
        self.filter(request_id__in=request_ids).update(lease_until=until)

    def free(self, request_id: str, *, now: datetime) -> None:
        """The call has ended."""
        self.filter(request_id=request_id).update(request_id="", lease_until=now)


class Slot(models.Model):
    """One of the calls that a key may make at once; a process that dies gives it back when the lease ends."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="slots")
    number = models.PositiveSmallIntegerField()
    request_id = models.CharField(max_length=64, blank=True, db_index=True)
    lease_until = models.DateTimeField()

    objects = SlotQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["api_key", "number"], name="one_slot_a_number_and_key"),
        )

    def __str__(self) -> str:
        return f"{self.api_key_id}/{self.number}"
