"""What an owner chooses about a share."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from conversations.sharing.snapshots import days_offered


def _label(days: int) -> Any:
    return ngettext("%d day", "%d days", days) % days if days else _("until I revoke it")


class ShareForm(forms.Form):
    """How long the link works."""

    days = forms.TypedChoiceField(label=_("The link works for"), coerce=int, widget=forms.RadioSelect)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        offered = days_offered()
        self.fields["days"].choices = [(days, _label(days)) for days in offered]  # type: ignore[attr-defined]
        self.fields["days"].initial = 7 if 7 in offered else offered[-1]
