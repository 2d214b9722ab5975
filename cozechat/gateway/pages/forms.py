"""What owners say about their keys."""

import ipaddress
import re
import uuid
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant
from cozechat.gateway.models import ApiKey
from cozechat.gateway.own_keys import ALWAYS_OWN
from cozechat.usage.budgets import Period

# A call at once is a row in the database; staff may allow more.
MOST_AT_ONCE = 100
MOST_PATTERNS = 50
MOST_ADDRESSES = 50
_LONGEST_PATTERN = 200
_BETWEEN = re.compile(r"[\s,，、;；]+")
_FEW_NEED = ("requests_per_minute", "tokens_per_minute", "concurrency", "addresses", "end_user_limit")
_PERIODS = [
    (Period.DAY.value, gettext_lazy("a day")),
    (Period.WEEK.value, gettext_lazy("a week")),
    (Period.MONTH.value, gettext_lazy("a month")),
    (Period.EVER.value, gettext_lazy("in all")),
]
EVERY, SOME = "every", "some"


def gateway_names() -> list[str]:
    """The models that have a name here, in the order of the list of assistants."""
    default_assistant()
    return list(Assistant.objects.active().exclude(gateway_name="").values_list("gateway_name", flat=True))


class ListField(forms.CharField):
    """Many short texts, one a line; commas do as well. Its cleaned value is a list without repetitions."""

    widget = forms.Textarea

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most
        self.widget.attrs |= {"rows": 3, "spellcheck": "false", "autocapitalize": "none"}

    def prepare_value(self, value: Any) -> Any:
        """A stored list is shown line by line; what was typed comes back as it was typed."""
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        """Raises ValidationError for too many."""
        found = list(dict.fromkeys(part for part in _BETWEEN.split(super().clean(value)) if part))
        if len(found) > self.most:
            text = ngettext("At most %d, please.", "At most %d, please.", self.most)
            raise ValidationError(text % self.most)
        return found


class TicketForm(forms.Form):
    """A form that makes a key: sent twice, it makes one."""

    ticket = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4, required=False)

    def clean_ticket(self) -> uuid.UUID:
        """A form without one cannot be told from another, so it makes a key each time."""
        return self.cleaned_data["ticket"] or uuid.uuid4()


class KeyForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """A key's name and limits; of a key that staff have privileged only the name."""

    last_day = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("Empty: it does not expire."),
    )
    which = forms.ChoiceField(
        label=gettext_lazy("Models"),
        widget=forms.RadioSelect,
        initial=EVERY,
        choices=[
            (EVERY, gettext_lazy("Every model that is offered, also those to come")),
            (SOME, gettext_lazy("Only these")),
        ],
    )
    names = forms.MultipleChoiceField(
        label=gettext_lazy("Offered now"), required=False, widget=forms.CheckboxSelectMultiple
    )
    patterns = ListField(
        label=gettext_lazy("Other names"),
        required=False,
        most=MOST_PATTERNS,
        max_length=5_000,
        help_text=gettext_lazy("One a line; * stands for anything: workflow:*"),
    )
    addresses = ListField(
        label=gettext_lazy("Addresses"),
        required=False,
        most=MOST_ADDRESSES,
        max_length=5_000,
    )
    period = forms.ChoiceField(label=gettext_lazy("Period"), choices=_PERIODS, initial=Period.MONTH)
    end_user_period = forms.ChoiceField(label=gettext_lazy("Period"), choices=_PERIODS, initial=Period.MONTH)
    concurrency = forms.IntegerField(label=gettext_lazy("Calls at once"), required=False, min_value=1)

    class Meta:
        model = ApiKey
        fields = (
            "name", "limit", "period", "end_user_limit", "end_user_period", "requests_per_minute",
            "tokens_per_minute", "concurrency", "addresses",
        )  # fmt: skip
        labels = {"limit": gettext_lazy("Credits")}
        help_texts = {
            "name": gettext_lazy("What will use it: laptop, newsletter, Anna's editor."),
            "limit": "",
        }

    def __init__(self, *args: Any, address: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._restrict()
        if self.instance.is_privileged:
            for name in set(self.fields) - ALWAYS_OWN:
                del self.fields[name]
            return
        self._offer(gateway_names())
        self.fields["addresses"].help_text = _(
            "Empty: from anywhere. Else addresses or networks, one a line: 192.0.2.0/24. You are at %s now."
        ) % escape(address or "?")

    def _restrict(self) -> None:
        """Where staff have allowed more, what they have allowed is the bound."""
        bound = max(MOST_AT_ONCE, self.instance.concurrency or 0)
        old = self.fields["concurrency"]
        self.fields["concurrency"] = forms.IntegerField(
            label=old.label, required=False, min_value=1, max_value=bound
        )

    def _offer(self, offered: list[str]) -> None:
        """The stored list, divided into names that can be ticked and all others."""
        self.fields["names"].choices = [(name, name) for name in offered]  # type: ignore[attr-defined]
        if self.instance.pk is None:
            return
        stored = self.instance.models_allowed
        self.initial.update(
            which=SOME if stored else EVERY,
            names=[name for name in stored if name in offered],
            patterns=[name for name in stored if name not in offered],
            last_day=_last_day(self.instance.expires_at),
        )

    @property
    def has_more(self) -> bool:
        """Whether there is something to see among the limits that few need."""
        return any(self[name].value() or self[name].errors for name in _FEW_NEED)

    def clean_last_day(self) -> date | None:
        """A day that has passed is taken only if it is the one that stands there already."""
        day: date | None = self.cleaned_data["last_day"]
        if day and "last_day" in self.changed_data and not timezone.localdate() <= day < date.max:
            raise ValidationError(_("This day is over, or too far away."))
        return day

    def clean_patterns(self) -> list[str]:
        """Names are short."""
        patterns: list[str] = self.cleaned_data["patterns"]
        if any(len(pattern) > _LONGEST_PATTERN or not pattern.isprintable() for pattern in patterns):
            raise ValidationError(_("A model's name has at most %d characters.") % _LONGEST_PATTERN)
        return patterns

    def clean_addresses(self) -> list[str]:
        """Networks as they are usually written."""
        return [_network(entry) for entry in self.cleaned_data["addresses"]]

    def clean(self) -> dict[str, Any]:
        """Nothing chosen would mean everything, which nobody expects of “only these”."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        some = given.get("names", True) or given.get("patterns", True)  # what has an error was not empty
        if given.get("which") == SOME and not some:
            self.add_error("names", _("Choose at least one model, or write a name."))
        return given

    def limits(self) -> dict[str, Any]:
        """The columns that this form decides, with their values."""
        given = self.cleaned_data
        found = {name: given[name] for name in KeyForm.Meta.fields if name in self.fields}
        if "which" in self.fields:
            found["models_allowed"] = given["names"] + given["patterns"] if given["which"] == SOME else []
        if "last_day" in self.changed_data:
            found["expires_at"] = _end_of(given["last_day"])
        return found


class NewKeyForm(TicketForm, KeyForm):
    """A key that is to be made."""


class RotateForm(TicketForm):
    """How long the old key goes on working."""

    grace = forms.TypedChoiceField(
        label=gettext_lazy("The old key works for"),
        coerce=lambda hours: timedelta(hours=int(hours)),
        widget=forms.RadioSelect,
        initial="24",
        choices=[
            ("24", gettext_lazy("a day more")),
            ("168", gettext_lazy("a week more")),
            ("1", gettext_lazy("an hour more")),
            ("0", gettext_lazy("not a moment longer: somebody else may know it")),
        ],
    )


def _network(entry: str) -> str:
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError as error:
        raise ValidationError(_("“%s” is no address and no network.") % entry[:50]) from error
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _end_of(day: date | None) -> datetime | None:
    return timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min)) if day else None


def _last_day(end: datetime | None) -> date | None:
    return timezone.localdate(end - timedelta(microseconds=1)) if end else None
