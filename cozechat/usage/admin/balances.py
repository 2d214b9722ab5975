"""Balances, what they consist of, and the groups that share a ratio."""

import uuid

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cozechat.usage import crediting
from cozechat.usage.admin.showing import ReadOnly, credits_of
from cozechat.usage.fields import CreditsField
from cozechat.usage.models import Account, LedgerEntry, PriceGroup
from cozechat.usage.money import LARGEST_CREDIT, short


class AdjustmentForm(forms.Form):
    """Give or take; the hidden reference makes a form that is sent twice count once."""

    amount = CreditsField(
        label=gettext_lazy("amount"),
        largest=LARGEST_CREDIT,
        help_text=gettext_lazy("Credits to give; with a minus to take."),
    )
    reason = forms.CharField(
        label=gettext_lazy("reason"),
        max_length=300,
        help_text=gettext_lazy("It stays in the ledger, with your name."),
    )
    ref = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def clean_amount(self) -> int:
        """Zero would leave a row that says nothing."""
        amount = int(self.cleaned_data["amount"])
        if not amount:
            raise forms.ValidationError(_("Write an amount that is not zero."))
        return amount


@admin.register(PriceGroup)
class PriceGroupAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Ratios."""

    list_display = ("name", "ratio")
    search_fields = ("name",)


@admin.register(Account)
class AccountAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who has how much; group and budget are edited here, money is moved by an adjustment only."""

    money = tuple(
        credits_of(name, label=label)
        for name, label in (
            ("available", gettext_lazy("available")),
            ("held", gettext_lazy("held")),
            ("debt", gettext_lazy("debt")),
        )
    )
    list_display = ("__str__", *money, "group", credits_of("limit", label=gettext_lazy("budget")), "period")
    list_filter = ("group",)
    list_select_related = ("owner", "group")
    search_fields = ("owner__username", "owner__email")
    fields = ("owner", *money, "group", "limit", "period", "created_at")
    readonly_fields = ("owner", *money, "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A balance is made with its owner's first call or credit."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        """The ledger would lose what it is about."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """With the page for an adjustment."""
        view = self.admin_site.admin_view(self.adjust)
        return [path("<int:pk>/adjust/", view, name="usage_account_adjust"), *super().get_urls()]

    def adjust(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask for amount and reason; book them once."""
        if not request.user.has_perm("usage.adjust_account"):
            raise PermissionDenied
        account = get_object_or_404(Account, pk=pk)
        form = AdjustmentForm(request.POST or None)
        if form.is_valid():
            self._book(request, account=account, form=form)
            return redirect("admin:usage_account_change", pk)
        title = _("Adjust the balance of %(owner)s") % {"owner": account}
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "form": form,
            "opts": self.opts,
            "original": account,
        }
        return TemplateResponse(request, "admin/usage/form.html", context)

    def _book(self, request: HttpRequest, *, account: Account, form: AdjustmentForm) -> None:
        given = form.cleaned_data
        booked = crediting.adjust(
            account,
            amount=given["amount"],
            reason=given["reason"],
            actor=request.user,
            ref=str(given["ref"]),
            now=timezone.now(),
        )
        if booked:
            text = _("Booked: %(amount)s credits.") % {"amount": short(given["amount"])}
            self.log_change(request, account, text)
            self.message_user(request, text, messages.SUCCESS)
        else:
            self.message_user(request, _("This adjustment was booked before."), messages.WARNING)


@admin.register(LedgerEntry)
class LedgerAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Every change of every balance."""

    money = credits_of("amount", label=gettext_lazy("amount"))
    list_display = ("created_at", "account", "kind", money, "ref", "actor_name", "reason")
    list_filter = ("kind", "created_at")
    list_select_related = ("account__owner",)
    search_fields = ("account__owner__username", "ref", "actor_name")
    date_hierarchy = "created_at"
    fields = ("created_at", "account", "kind", money, "ref", "actor_name", "reason")
    readonly_fields = fields
