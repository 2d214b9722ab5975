"""Money that is set aside, and the way to get it loose after a crash."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cozechat.usage.admin.showing import ReadOnly, credits_of
from cozechat.usage.models import BudgetWindow, Hold
from cozechat.usage.reconciling import reconcile


@admin.register(Hold)
class HoldAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What is set aside for running calls, and what became of it."""

    money = (credits_of("amount", label=_("amount")), credits_of("charged", label=_("charged")))
    list_display = ("request_id", "account", "state", *money, "model", "created_at", "lease_until")
    list_filter = ("state", "created_at")
    list_select_related = ("account__owner",)
    search_fields = ("request_id", "account__owner__username", "coze_chat_id", "execute_id")
    exclude = ("amount", "charged", "windows")
    readonly_fields = money
    actions = ("reconcile_chosen",)

    def has_reconcile_permission(self, request: HttpRequest) -> bool:
        """A right of its own: it ends calls."""
        return request.user.has_perm("usage.reconcile_hold")

    @admin.action(description=_("Reconcile: end what a dead process left open"), permissions=["reconcile"])
    def reconcile_chosen(self, request: HttpRequest, chosen: QuerySet[Hold]) -> None:
        """Only deserted ones are ended; a call that a process still works on is left alone."""
        done = reconcile(
            Hold.objects.filter(pk__in=list(chosen.values_list("pk", flat=True))), now=timezone.now()
        )
        text = _("%(lost)d ended as lost, %(waiting)d wait for Coze's answer; the others need nothing.")
        self.message_user(request, text % {"lost": done.lost, "waiting": done.waiting}, messages.SUCCESS)


@admin.register(BudgetWindow)
class BudgetWindowAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """How far each budget is used."""

    money = tuple(
        credits_of(name, label=label)
        for name, label in (("limit", _("limit")), ("spent", _("spent")), ("held", _("held")))
    )
    list_display = ("scope", "scope_id", "period", "period_start", *money)
    list_filter = ("scope", "period")
    search_fields = ("scope_id",)
    fields = ("scope", "scope_id", "period", "period_start", *money)
    readonly_fields = money
