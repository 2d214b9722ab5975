"""The trail in the admin: to read, to filter, and nothing else."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from cozechat.audit.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Newest first. Names are looked up for the rows that are shown: the trail itself has numbers."""

    list_display = ("created_at", "who", "verb", "kind", "object_id", "whose", "detail")
    list_filter = ("is_staff_act", "verb", "kind", "created_at")
    search_fields = ("=actor_id", "=subject_id", "=object_id", "=request_id")
    search_help_text = _("The number of a user, or the id of an object or request, in full.")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-id")
    show_full_result_count = False
    fields = (
        "created_at", "who", "is_staff_act", "verb", "kind", "object_id", "whose", "detail", "reason", "address",
        "agent", "request_id", "kept_until",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description=_("who"), ordering="actor_id")
    def who(self, event: AuditEvent) -> str:
        """The name that the number has today."""
        return _name(event.actor_id)

    @admin.display(description=_("whose data"), ordering="subject_id")
    def whose(self, event: AuditEvent) -> str:
        """The name that the number has today."""
        return _name(event.subject_id)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Events come from what happens."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What happened stays as it was."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A trail has no holes."""
        return False


def _name(user_id: int | None) -> str:
    if user_id is None:
        return "–"
    name = get_user_model()._default_manager.filter(pk=user_id).values_list("username", flat=True).first()
    return f"{name} ({user_id})" if name else str(_("deleted user %d") % user_id)
