"""What the usage page was asked for, read from its address; what makes no sense there is left out."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Self

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from cozechat.usage.models import UsageRecord
from cozechat.usage.pages.listing import BadCursor, Cursor
from cozechat.usage.pages.plots import By, Measure
from cozechat.usage.pages.ranges import LONGEST_DAYS, Range, Slot, between, last_days, last_hours
from cozechat.usage.pages.sums import Cell

NO_KEY = "none"
CUSTOM = "custom"
DEFAULT_RANGE = "30d"
RANGES = (
    ("24h", _("24 hours")),
    ("7d", _("7 days")),
    ("30d", _("30 days")),
    (CUSTOM, _("Dates")),
)
_FIRST_DAY = date(2000, 1, 1)
_MOST_CHOSEN = 100
_LONGEST_ID = 18


class RangeForm(forms.Form):
    """Which days; both ends are included."""

    since = forms.DateField(
        label=_("From"), input_formats=["%Y-%m-%d"], widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=_("To"), input_formats=["%Y-%m-%d"], widget=forms.DateInput(attrs={"type": "date"})
    )

    def clean(self) -> dict[str, Any]:
        """In order, in this century, and a year at most."""
        given: dict[str, Any] = super().clean() or {}
        since, until = given.get("since"), given.get("until")
        if since is None or until is None:
            return given
        if until < since:
            raise ValidationError(_("The first day is after the last one."))
        if since < _FIRST_DAY or until.year > _FIRST_DAY.year + 99:
            raise ValidationError(_("Choose days of this century."))
        if (until - since).days >= LONGEST_DAYS:
            raise ValidationError(_("Choose a year at most."))
        return given


@dataclass(frozen=True, slots=True)
class Filters:
    """Which calls count; an empty set lets all through."""

    models: frozenset[str] = frozenset()
    keys: frozenset[int | None] = frozenset()
    statuses: frozenset[str] = frozenset()

    @classmethod
    def read(cls, query: QueryDict) -> Self:
        """The `model`, `key` and `status` of an address, each as often as one likes."""
        models, keys, statuses = (query.getlist(name)[:_MOST_CHOSEN] for name in ("model", "key", "status"))
        return cls(
            frozenset(model for model in models if model and "\0" not in model),
            frozenset(None if key == NO_KEY else int(key) for key in keys if _is_key(key)),
            frozenset(statuses).intersection(UsageRecord.Status.values),
        )

    def of(self, records: QuerySet[UsageRecord]) -> QuerySet[UsageRecord]:
        """The records that it lets through."""
        wanted = Q()
        if self.models:
            wanted &= Q(model__in=self.models)
        if self.statuses:
            wanted &= Q(status__in=self.statuses)
        if self.keys:
            numbers = Q(api_key_id__in=[key for key in self.keys if key is not None])
            wanted &= numbers | Q(api_key_id=None) if None in self.keys else numbers
        return records.filter(wanted)

    def admit(self, cell: Cell) -> bool:
        """The same of what is added up already."""
        return (
            (not self.models or cell.model in self.models)
            and (not self.keys or cell.key in self.keys)
            and (not self.statuses or cell.status in self.statuses)
        )


def _is_key(text: str) -> bool:
    return text == NO_KEY or (text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One view of the usage page."""

    query: QueryDict
    form: RangeForm
    range_name: str
    range: Range
    filters: Filters
    measure: Measure
    by: By
    slot: Slot | None
    after: Cursor | None

    @property
    def span(self) -> Slot:
        """The time that the log shows: one bar's, or all of it."""
        return self.slot or Slot(self.range.start, self.range.end)

    def href(self, *, anchor: str = "", **changes: Any) -> str:
        """The address of the same view but for these; None takes one out. The page always begins anew."""
        query = self.query.copy()
        for name, value in {"after": None, **changes}.items():
            query.pop(name, None)
            if value is not None:
                query[name] = str(value)
        return f"?{query.urlencode()}{anchor}"

    def log(self, records: QuerySet[UsageRecord]) -> QuerySet[UsageRecord]:
        """The rows that the log and the file show."""
        return self.filters.of(records).filter(created_at__gte=self.span.start, created_at__lt=self.span.end)


def read(query: QueryDict, *, now: datetime, zone: tzinfo) -> Asked:
    """The view that an address asks for."""
    name, form, chosen = _range(query, now=now, zone=zone)
    return Asked(
        query=query,
        form=form,
        range_name=name,
        range=chosen,
        filters=Filters.read(query),
        measure=next((item for item in Measure if item == query.get("measure")), Measure.COST),
        by=next((item for item in By if item == query.get("by")), By.MODEL),
        slot=_slot(query.get("at", ""), within=chosen),
        after=_cursor(query.get("after", "")),
    )


def _range(query: QueryDict, *, now: datetime, zone: tzinfo) -> tuple[str, RangeForm, Range]:
    """Custom days that make no sense leave the default, and the form says why."""
    name = query.get("range", "")
    if name == CUSTOM:
        form = RangeForm(query)
        if form.is_valid():
            given = form.cleaned_data
            return name, form, between(given["since"], given["until"], zone=zone)
        return name, form, last_days(30, now=now, zone=zone)
    today = now.astimezone(zone).date()
    form = RangeForm(initial={"since": today - timedelta(days=29), "until": today})
    if name == "24h":
        return name, form, last_hours(24, now=now, zone=zone)
    days = 7 if name == "7d" else 30
    return name if name == "7d" else DEFAULT_RANGE, form, last_days(days, now=now, zone=zone)


def moment(start: datetime) -> str:
    """A slot's beginning as addresses write it."""
    return f"{start.astimezone(UTC):%Y%m%dT%H%MZ}"


def _slot(text: str, *, within: Range) -> Slot | None:
    return next((slot for slot in within.slots if moment(slot.start) == text), None)


def _cursor(text: str) -> Cursor | None:
    try:
        return Cursor.parse(text)
    except BadCursor:
        return None
