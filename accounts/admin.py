"""Users and access tokens in the admin."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import visits
from accounts.models import AccessToken, User, Visit
from accounts.seeing.pages import SeesAsUsers


class VisitFilter(admin.SimpleListFilter):
    """How a visitor's visit stands."""

    title = _("visit")
    parameter_name = "visit"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The states that a visit can be in."""
        return [("living", _("under way")), ("over", _("over")), ("claimed", _("kept by a member"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        """Visitors whose visit is in the chosen state."""
        now, rows = timezone.now(), Visit.objects
        chosen = {"living": rows.living(now), "over": rows.over(now), "claimed": rows.claimed()}
        found = chosen.get(self.value() or "")
        return queryset if found is None else queryset.filter(visit__in=found)


@admin.register(User)
class UserAdmin(SeesAsUsers, DjangoUserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Members and visitors; the name at Coze can be seen and never be changed."""

    list_display = ("username", "display_name", "email", "is_visitor", "is_staff", "is_active", "date_joined")
    list_filter = ("is_visitor", VisitFilter, "is_staff", "is_superuser", "is_active", "date_joined")
    search_fields = ("username", "display_name", "email", "session_name")
    readonly_fields = ("session_name", "is_visitor", "last_login", "date_joined")
    # The floor above adds another.
    actions: Sequence[Any] | None = ("remove_visitors_whose_visit_is_over",)
    fieldsets = (
        (None, {"fields": ("username", "password", "session_name")}),
        (_("Personal info"), {"fields": ("display_name", "email", "language", "first_name", "last_name")}),
        (
            _("Permissions"),
            {"fields": ("is_active", "is_visitor", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        (_("Limits"), {"fields": ("turns_per_minute", "turns_per_day")}),
        (_("Important dates"), {"fields": ("last_login", "date_joined")}),
    )

    @admin.action(
        description=_("Remove visitors whose visit is over, with their chats"), permissions=["delete"]
    )
    def remove_visitors_whose_visit_is_over(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        """Of what was chosen these alone; the site does it by itself soon after a visit is over."""
        count = visits.remove(rows)
        text = ngettext("%d visitor removed.", "%d visitors removed.", count) % count
        self.message_user(request, text, messages.SUCCESS if count else messages.WARNING)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """People only: whom an API key speaks for is not one of them."""
        return super().get_queryset(request).filter(end_user_of=None)


@admin.register(AccessToken)
class AccessTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Which tokens there are; they can be looked at, masked, and revoked, and nothing else."""

    list_display = ("user", "app", "masked_token", "issued_at", "expires_at", "version")
    list_filter = ("app",)
    list_select_related = ("user", "app")
    search_fields = ("user__username", "session_name")
    fields = (
        "user",
        "app",
        "session_name",
        "masked_token",
        "issued_at",
        "expires_at",
        "version",
        "claimed_until",
    )
    readonly_fields = fields
    actions = ("revoke",)

    @admin.display(description=_("token"))
    def masked_token(self, row: AccessToken) -> str:
        """Its first and last four characters."""
        return row.masked()

    @admin.action(description=_("Revoke: a new one is exchanged when it is needed"), permissions=["delete"])
    def revoke(self, request: HttpRequest, rows: QuerySet[AccessToken]) -> None:
        """Delete the rows; processes that remember such a token look again within 30 seconds."""
        count, _by_model = rows.delete()
        text = ngettext("%d access token revoked.", "%d access tokens revoked.", count) % count
        self.message_user(request, text, messages.SUCCESS)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without Django's own "delete selected", which says the same in another word."""
        return {
            name: action for name, action in super().get_actions(request).items() if name != "delete_selected"
        }

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only Coze makes tokens."""
        return False

    def has_change_permission(
        self,
        request: HttpRequest,
        obj: AccessToken | None = None,
    ) -> bool:
        """Nothing about a token can be edited."""
        return False
