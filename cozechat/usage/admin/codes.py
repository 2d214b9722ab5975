"""Redeem codes in the admin: issued in bulk and shown once."""

import csv
import uuid
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cozechat.usage.admin.showing import ReadOnly, credits_of
from cozechat.usage.fields import CreditsField
from cozechat.usage.models import RedeemCode
from cozechat.usage.money import LARGEST_CREDIT, short
from cozechat.usage.redeeming import BatchIssued, digest_of, issue

MOST = 1000


class CodesForm(forms.Form):
    """How many codes of which worth; the hidden batch makes a form that is sent twice count once."""

    count = forms.IntegerField(label=gettext_lazy("number of codes"), min_value=1, max_value=MOST, initial=10)
    amount = CreditsField(label=gettext_lazy("credits of each"), smallest=1, largest=LARGEST_CREDIT)
    last_day = forms.DateField(
        label=gettext_lazy("last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("Empty: they do not expire."),
    )
    note = forms.CharField(label=gettext_lazy("note"), max_length=100, required=False)
    batch = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


@admin.register(RedeemCode)
class RedeemCodeAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Which codes there are and who had them; the codes themselves are known to nobody any more."""

    money = credits_of("amount", label=gettext_lazy("amount"))
    list_display = ("__str__", money, "note", "created_at", "expires_at", "claimed_by", "claimed_at")
    list_filter = ("created_at", "claimed_at")
    list_select_related = ("claimed_by",)
    search_fields = ("ending", "note", "claimed_by__username", "batch")
    exclude = ("amount", "digest")
    readonly_fields = (money,)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The one thing that is done by hand here."""
        return request.user.has_perm("usage.add_redeemcode")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Ask how many; answer with the codes, as a page or as a CSV file."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = CodesForm(request.POST or None)
        if not form.is_valid():
            context = self._context(request, title=_("Issue redeem codes")) | {"form": form, "as_file": True}
            return TemplateResponse(request, "admin/usage/form.html", context)
        try:
            codes = self._issue(request, given=form.cleaned_data)
        except BatchIssued:
            self.message_user(
                request,
                _("These codes were issued and shown before; they cannot be shown again."),
                messages.ERROR,
            )
            return redirect("admin:usage_redeemcode_changelist")
        if "_as_file" in request.POST:
            return _file(codes, amount=form.cleaned_data["amount"])
        context = self._context(request, title=_("Redeem codes")) | {"codes": codes}
        return TemplateResponse(request, "admin/usage/redeemcode/issued.html", context)

    def _context(self, request: HttpRequest, *, title: str) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts}

    def _issue(self, request: HttpRequest, *, given: dict[str, Any]) -> list[str]:
        codes = issue(
            given["count"],
            amount=given["amount"],
            now=timezone.now(),
            batch=given["batch"],
            expires_at=_end_of(given["last_day"]),
            note=given["note"],
        )
        first = RedeemCode.objects.get(digest=digest_of(codes[0]))
        text = _("Issued: %(count)d codes of %(amount)s credits.")
        self.log_addition(request, first, text % {"count": len(codes), "amount": short(first.amount)})
        return codes


def _end_of(day: date | None) -> datetime | None:
    return timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min)) if day else None


def _file(codes: list[str], *, amount: int) -> HttpResponse:
    response = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="codes.csv"'},
    )
    rows = csv.writer(response)
    rows.writerow(("code", "credits"))
    rows.writerows((code, short(amount)) for code in codes)
    return response
