"""Usage records in the admin."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from cozechat.usage.admin.showing import ReadOnly, credits_of
from cozechat.usage.models import UsageRecord


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What each call came to. What was said in it is not here."""

    money = credits_of("cost", label=_("cost"))
    list_display = (
        "created_at", "owner", "model", "app", "status", "error_code", "input_tokens", "output_tokens", money,
        "usage_source", "group_ratio", "latency_ms",
    )  # fmt: skip
    list_filter = ("status", "usage_source", "model", "app", "created_at")
    list_select_related = ("owner", "app")
    search_fields = ("request_id", "owner__username", "coze_chat_id", "execute_id", "log_id")
    date_hierarchy = "created_at"
    show_full_result_count = False
    # Named one by one: what nobody may edit the admin would not even show.
    readonly_fields = (
        "request_id", "created_at", "owner", "api_key_id", "end_user", "model", "route", "assistant", "app", "stream",
        "metadata", "status", "error_code", "input_tokens", "output_tokens", "usage_source", "odd_counts", money,
        "price", "group_ratio", "coze_chat_id", "coze_conversation_id", "execute_id", "log_id", "latency_ms",
        "first_token_ms", "settled_late",
    )  # fmt: skip
    fields = readonly_fields
