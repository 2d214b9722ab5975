"""Events in the admin: to look at, and to be handled once more; and where Coze's bill and our records differ."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from cozechat.usage.admin.showing import ReadOnly
from cozechat.webhooks.models import CozeCharge, Event, UsageComparison

_SHOWN = (
    "source", "event_id", "kind", "state", "reason", "attempts", "received_at", "due_at", "ended_at",
    "conversation", "body",
)  # fmt: skip
_WORDS_OF_PEOPLE = "conversations.view_message"


@admin.register(Event)
class EventAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What came, and what became of it. Its words are for staff with the right to view messages."""

    list_display = ("received_at", "source", "kind", "event_id", "state", "attempts", "reason", "ended_at")
    list_filter = ("state", "source", "kind", "received_at")
    search_fields = ("event_id",)
    date_hierarchy = "received_at"
    show_full_result_count = False
    actions = ("replay",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Without the body for whoever may not read messages."""
        hidden = set() if request.user.has_perm(_WORDS_OF_PEOPLE) else {"body"}
        return [field for field in _SHOWN if field not in hidden]

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Nothing of an event is changed by it, but it acts."""
        return request.user.has_perm("webhooks.change_event")

    @admin.action(description=_("Handle the chosen events once more"), permissions=["replay"])
    def replay(self, request: HttpRequest, chosen: QuerySet[Event]) -> None:
        """Let them wait again; some process handles them within seconds."""
        rows = Event.objects.filter(pk__in=chosen.values("pk"))
        count = rows.replay(now=timezone.now())
        text = ngettext(
            "%(count)d event will be handled once more.", "%(count)d events will be handled once more.", count
        )
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


class CozeChargeInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    """What Coze's part of a comparison consists of."""

    model = CozeCharge
    extra = 0
    fields = ("coze_id", "consumed_at", "resource", "input_tokens", "output_tokens", "points")
    readonly_fields = fields


@admin.register(UsageComparison)
class UsageComparisonAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Where Coze's bill and our usage records say the same, and where they do not."""

    list_display = (
        "first_at", "root_id", "verdict", "coze_input", "our_input", "coze_output", "our_output", "record",
    )  # fmt: skip
    list_filter = ("verdict", "first_at")
    list_select_related = ("record",)
    search_fields = ("root_id", "record__request_id")
    date_hierarchy = "first_at"
    show_full_result_count = False
    inlines = (CozeChargeInline,)
