"""Prices in the admin: a new version for each change, tried on the last day before it holds."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cozechat.usage.admin.showing import credits_of
from cozechat.usage.models import Price
from cozechat.usage.money import short
from cozechat.usage.reports import Difference, dry_run

HOURS = 24


@admin.register(Price)
class PriceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Versions. One that is in force stays as it is: the next one takes its place."""

    money = tuple(
        credits_of(name, label=label)
        for name, label in (
            ("input_price", gettext_lazy("input price")),
            ("output_price", gettext_lazy("output price")),
            ("per_call", gettext_lazy("price of a call")),
            ("minimum", gettext_lazy("minimum charge")),
        )
    )
    list_display = ("__str__", "valid_from", *money, "completion_ratio", "is_free")
    list_filter = ("scope", "is_free", "valid_from")
    list_select_related = ("assistant", "app")
    search_fields = ("name", "assistant__name", "app__name")
    fields = (
        "scope", "name", "assistant", "app", "valid_from", "input_price", "output_price", "completion_ratio",
        "per_call", "minimum", "is_free",
    )  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        """Only what is still to come can be changed."""
        return _is_to_come(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        """Only what is still to come can be taken back."""
        return _is_to_come(obj) and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without deleting by the list, where prices in force might be among the chosen."""
        actions = super().get_actions(request)
        return {name: action for name, action in actions.items() if name != "delete_selected"}

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The form; its second button saves nothing and shows what the last day would have cost."""
        if request.method == "POST" and "_dry_run" in request.POST and self.has_add_permission(request):
            form = self.get_form(request)(request.POST)
            if form.is_valid():
                return self._tried(request, form=form)
        return super().add_view(request, form_url, extra_context)

    def _tried(self, request: HttpRequest, *, form: Any) -> HttpResponse:
        found = dry_run(form.instance, now=timezone.now(), hours=HOURS)
        total = Difference(
            _("all"),
            calls=sum(entry.calls for entry in found),
            charged=sum(entry.charged for entry in found),
            would=sum(entry.would for entry in found),
        )
        # Sending the same fields again saves them, unless it is this page that is asked for again.
        again = [
            (name, value)
            for name, value in request.POST.items()
            if name not in {"_dry_run", "csrfmiddlewaretoken"}
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": _("What this price would have come to"),
            "opts": self.opts,
            "hours": HOURS,
            "rows": [_row(entry) for entry in (*found, total)],
            "again": again,
        }
        return TemplateResponse(request, "admin/usage/price/dry_run.html", context)


def _is_to_come(price: Price | None) -> bool:
    return price is None or price.valid_from > timezone.now()


def _row(entry: Difference) -> tuple[str, int, str, str, str]:
    more = entry.would - entry.charged
    sign = "+" if more > 0 else ""
    return (entry.model, entry.calls, short(entry.charged), short(entry.would), f"{sign}{short(more)}")
