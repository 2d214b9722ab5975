"""Prices with their versions, and which of them a call pays."""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cozechat.catalog.models import Assistant, CozeApp
from cozechat.usage.fields import MoneyField
from cozechat.usage.money import LARGEST_CHARGE
from cozechat.usage.pricing import Snapshot

# How long somebody may look at the form that proposed "now".
_TYPING = timedelta(hours=1)


class PriceNotConfigured(Exception):
    """No price fits the call: it is refused, never free by accident. The argument is the model's name."""


class PriceQuerySet(models.QuerySet["Price"]):
    """Which price holds."""

    def in_force(self, *, now: datetime) -> "PriceQuerySet":
        """Today's and older versions, the latest first."""
        return self.filter(valid_from__lte=now).order_by("-valid_from", "-pk")

    def fitting(
        self, *, route: str, model: str, assistant_id: int | None, app_id: int | None
    ) -> "PriceQuerySet":
        """Every version for any of the names under which a call can be priced."""
        wanted = models.Q(scope=Price.Scope.MODEL, name=model)
        if route:
            wanted |= models.Q(scope=Price.Scope.ROUTE, name=route)
        if assistant_id is not None:
            wanted |= models.Q(assistant_id=assistant_id)
        if app_id is not None:
            wanted |= models.Q(app_id=app_id)
        return self.filter(wanted)

    def for_call(
        self, *, route: str, model: str, assistant_id: int | None, app_id: int | None, now: datetime
    ) -> "Price":
        """The route's price, else the model's, else the assistant's, else its Coze app's.

        Raises PriceNotConfigured.
        """
        fitting = self.fitting(route=route, model=model, assistant_id=assistant_id, app_id=app_id)
        # The sort is stable: within a scope the latest version stays in front.
        for price in sorted(fitting.in_force(now=now), key=lambda price: price.rank):
            return price
        raise PriceNotConfigured(model)


class Price(models.Model):
    """One version of one price, in force until a later one; token prices are for 1000 tokens.

    Old usage is never touched by a new price: each record keeps the price it was charged by.
    """

    class Scope(models.TextChoices):
        """What the price is for; the first that has one wins."""

        ROUTE = "route", _("route")
        MODEL = "model", _("model")
        ASSISTANT = "assistant", _("assistant")
        APP = "app", _("Coze app")

    scope = models.CharField(_("scope"), max_length=9, choices=Scope.choices, default=Scope.MODEL)
    name = models.CharField(
        _("name"), max_length=200, blank=True, help_text=_("Of the route, or the exact name of the model.")
    )
    assistant = models.ForeignKey(
        Assistant,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("assistant"),
    )
    app = models.ForeignKey(
        CozeApp, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("Coze app")
    )
    valid_from = models.DateTimeField(_("valid from"), default=timezone.now)
    input_price = MoneyField(_("input price"), help_text=_("Credits for 1000 tokens."))
    output_price = MoneyField(  # type: ignore[misc]  # None is meant
        _("output price"),
        null=True,
        blank=True,
        help_text=_("Credits for 1000 tokens. Or a completion ratio, not both."),
    )
    completion_ratio = models.DecimalField(
        _("completion ratio"),
        max_digits=10,
        decimal_places=6,
        null=True,
        blank=True,
        help_text=_("The output's price is so many times the input's."),
    )
    per_call = MoneyField(_("price of a call"), default=0)
    minimum = MoneyField(_("minimum charge"), default=0)
    is_free = models.BooleanField(
        _("free"), default=False, help_text=_("Says that all zeros are meant: nothing is free by accident.")
    )

    objects = PriceQuerySet.as_manager()

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering = ("scope", "name", "assistant", "app", "-valid_from")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(scope__in=["route", "model"], assistant=None, app=None)
                & ~models.Q(name="")
                | models.Q(scope="assistant", assistant__isnull=False, app=None, name="")
                | models.Q(scope="app", assistant=None, app__isnull=False, name=""),
                name="price_is_for_one_thing",
                violation_error_message=_(
                    "A route or model needs its name, an assistant or a Coze app is chosen; nothing else."
                ),
            ),
            models.CheckConstraint(
                condition=models.Q(output_price=None) ^ models.Q(completion_ratio=None),
                name="output_price_or_completion_ratio",
                violation_error_message=_("Give an output price or a completion ratio, and not both."),
            ),
            models.CheckConstraint(
                condition=models.Q(input_price__gte=0, input_price__lte=LARGEST_CHARGE)
                & models.Q(per_call__gte=0, per_call__lte=LARGEST_CHARGE)
                & models.Q(minimum__gte=0, minimum__lte=LARGEST_CHARGE)
                & (models.Q(output_price=None) | models.Q(output_price__range=(0, LARGEST_CHARGE)))
                & (models.Q(completion_ratio=None) | models.Q(completion_ratio__range=(0, 1000))),
                name="price_in_range",
                violation_error_message=_("This price is out of range."),
            ),
            models.CheckConstraint(
                condition=models.Q(is_free=True, input_price=0, per_call=0, minimum=0)
                & (models.Q(output_price=None) | models.Q(output_price=0))
                | models.Q(is_free=False)
                & (
                    models.Q(input_price__gt=0)
                    | models.Q(per_call__gt=0)
                    | models.Q(minimum__gt=0)
                    | models.Q(output_price__isnull=False, output_price__gt=0)
                ),
                name="free_is_said",
                violation_error_message=_("Tick “free” exactly when every price is zero."),
            ),
            models.UniqueConstraint(
                fields=["scope", "name", "valid_from"],
                condition=models.Q(assistant=None, app=None),
                name="one_price_a_name_and_time",
            ),
            models.UniqueConstraint(
                fields=["assistant", "valid_from"],
                condition=models.Q(assistant__isnull=False),
                name="one_price_an_assistant_and_time",
            ),
            models.UniqueConstraint(
                fields=["app", "valid_from"],
                condition=models.Q(app__isnull=False),
                name="one_price_an_app_and_time",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_scope_display()} {self.name or self.assistant or self.app}"

    def clean(self) -> None:
        """A version that begins in the past would say that old calls had been priced by it."""
        super().clean()
        if self._state.adding and self.valid_from and self.valid_from < timezone.now() - _TYPING:
            raise ValidationError({"valid_from": _("A price begins now or later, not in the past.")})

    @property
    def rank(self) -> int:
        """The narrower the scope, the smaller."""
        return list(Price.Scope).index(Price.Scope(self.scope))

    @property
    def target(self) -> tuple[Any, ...]:
        """What it is for; versions of one price have this in common."""
        return (self.scope, self.name, self.assistant_id, self.app_id)

    def snapshot(self) -> Snapshot:
        """What a call keeps of it."""
        return Snapshot(
            input_price=self.input_price,
            output_price=self.output_price,
            completion_ratio=self.completion_ratio,
            per_call=self.per_call,
            minimum=self.minimum,
        )
