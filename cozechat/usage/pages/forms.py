"""The balance page's forms."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cozechat.usage.fields import CreditsField
from cozechat.usage.money import LARGEST_CREDIT


class OneLine(forms.CharField):
    """Text without the control characters that a database or a log would choke on."""

    def to_python(self, value: Any) -> str:
        """Line ends become blanks."""
        text = super().to_python(value)
        return " ".join(text.split()) if text else ""


class RedeemForm(forms.Form):
    """A code as a person types it."""

    code = forms.CharField(
        label=_("Code"),
        max_length=100,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
        help_text=_("Case, blanks and hyphens do not matter."),
    )


class AskForm(forms.Form):
    """How many credits somebody wishes for, and why."""

    amount = CreditsField(label=_("Credits"), smallest=1, largest=LARGEST_CREDIT)
    note = OneLine(label=_("What for"), max_length=300, required=False)


class WarningForm(forms.Form):
    """Below what balance the pages say so."""

    warn_below = CreditsField(
        label=_("Tell me when fewer credits are left than"),
        required=False,
        smallest=0,
        largest=LARGEST_CREDIT,
        help_text=_("Empty: never."),
    )
