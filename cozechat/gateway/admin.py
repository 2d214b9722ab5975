"""API keys and the gateway's manners in the admin; a key is shown once, when it is made."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import User
from cozechat.gateway import keys
from cozechat.gateway.models import ApiKey, Manners


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who may call what. Whose a key is never changes: its end users' sessions hang on it."""

    list_display = ("name", "hint", "owner", "is_active", "expires_at", "last_used_at")
    list_filter = ("is_active", "owner")
    list_select_related = ("owner",)
    search_fields = ("name", "hint", "owner__username")
    readonly_fields = ("hint", "created_at", "last_used_at")
    actions = ("revoke", "rotate")
    fieldsets = (
        (None, {"fields": ("owner", "name", "hint", "is_active", "is_paused", "expires_at")}),
        (_("Models"), {"fields": ("models_allowed", "fallback", "allows_unregistered")}),
        (
            _("Limits"),
            {
                "fields": (
                    "requests_per_minute",
                    "tokens_per_minute",
                    "concurrency",
                    "most_end_users",
                    ("limit", "period"),
                    ("end_user_limit", "end_user_period"),
                )
            },
        ),
        (_("Where from"), {"fields": ("addresses", "trusts_open_webui", "created_at", "last_used_at")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        """The owner is chosen once."""
        return (*self.readonly_fields, "owner") if obj else self.readonly_fields

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """People own keys."""
        if db_field.name == "owner":
            kwargs["queryset"] = User.objects.filter(end_user_of=None, is_active=True)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """A new key gets its secret, and the page says it this once."""
        secret = "" if change else keys.give_secret(obj)
        super().save_model(request, obj, form, change)
        if secret:
            keys.open_account(obj)
            self._show(request, secret)

    def _show(self, request: HttpRequest, secret: str) -> None:
        text = _("This is the key. It is shown only now: %(key)s") % {"key": "{}"}
        message = format_html(text, format_html("<code>{}</code>", secret))
        self.message_user(request, message, messages.SUCCESS)

    @admin.action(description=_("Revoke: it opens nothing from now on"), permissions=["change"])
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> None:
        """Calls that run are finished and charged."""
        count = rows.update(is_active=False)
        text = ngettext("%d API key revoked.", "%d API keys revoked.", count) % count
        self.message_user(request, text, messages.SUCCESS)

    @admin.action(
        description=_("Rotate: a successor with the same settings; the old key ends in a day"),
        permissions=["add"],
    )
    def rotate(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> None:
        """The end users' sessions stay what they are."""
        for key in rows.select_related(None):
            _successor, secret = keys.rotate(key, now=timezone.now())
            self._show(request, secret)


@admin.register(Manners)
class MannersAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """How assistants behave behind the gateway, where the defaults do not fit."""

    list_display = ("assistant", "system_messages", "on_disconnect", "input_name", "usual_output")
    list_filter = ("system_messages", "on_disconnect")
    list_select_related = ("assistant",)
