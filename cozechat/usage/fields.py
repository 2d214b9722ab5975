"""Columns and form fields for money: an integer inside, credits in front of people."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from cozechat.usage import money


class CreditsField(forms.CharField):
    """An amount as a person writes it; its cleaned value is an integer of 10⁻⁹ credits, or None."""

    def __init__(self, *, smallest: int | None = None, largest: int = money.LARGEST, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.smallest, self.largest = smallest, largest
        self.widget.attrs.setdefault("inputmode", "decimal")
        self.widget.attrs.setdefault("autocomplete", "off")

    def prepare_value(self, value: Any) -> Any:
        """A stored integer is shown in credits; what was typed comes back as it was typed."""
        return money.short(value) if isinstance(value, int) else value

    def to_python(self, value: Any) -> Any:
        """Raises ValidationError for what is no amount."""
        text = super().to_python(value)
        if not text:
            return None
        try:
            amount = money.parse(text)
        except money.NotMoney as error:
            raise ValidationError(
                _("Write an amount of credits with at most nine decimals, like 12.50.")
            ) from error
        if (self.smallest is not None and amount < self.smallest) or abs(amount) > self.largest:
            raise ValidationError(_("This amount is out of range."))
        return amount


if TYPE_CHECKING:
    _BigInteger = models.BigIntegerField[int, int]
else:
    # Generic in the stubs only.
    _BigInteger = models.BigIntegerField


class MoneyField(_BigInteger):
    """A column of 10⁻⁹ credits."""

    def formfield(self, **kwargs: Any) -> Any:
        """Credits, not thousand-millionths of them."""
        return models.Field.formfield(self, **{"form_class": CreditsField, "smallest": 0, **kwargs})
