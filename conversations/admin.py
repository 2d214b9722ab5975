"""Conversations and turns in the admin: to look at, never to change; and the isolation check for chosen users."""

from typing import Any

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin import UserAdmin
from accounts.models import User
from conversations.isolation import Outcome, prove
from conversations.models import Conversation, Feedback, Message, Turn
from cozechat.catalog.environment import default_assistant

# The admin asks here too when an account is deleted, from its page or from the list.
_ACCOUNT_DELETIONS = {"accounts_user_delete", "accounts_user_changelist"}


class _ReadOnly:
    """What people said to an assistant is not for anybody else to change."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is added by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is changed by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deleting is for the owner, for it has to happen at Coze as well; with an account all of it goes."""
        page = request.resolver_match
        if page is None or page.url_name not in _ACCOUNT_DELETIONS:
            return False
        return bool(super().has_delete_permission(request, obj))  # type: ignore[misc]


class MessageInline(_ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    """What was said; only for staff with the right to view messages."""

    model = Message
    extra = 0
    fields = ("role", "content", "created_at")
    readonly_fields = fields
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        """Without what nobody has said yet, and without what was taken back."""
        rows: Any = super().get_queryset(request)
        shown: QuerySet[Message] = rows.worth_showing()
        return shown


@admin.register(Conversation)
class ConversationAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Whose conversations there are, and with whom."""

    # No titles: they are a question's first words. What was said stands on the conversation's own page, and whoever
    # opens that is recorded.
    list_display = ("id", "owner", "assistant", "turn_count", "active_at", "coze_conversation_id")
    list_filter = ("assistant", "active_at")
    list_select_related = ("owner", "assistant")
    search_fields = ("id", "owner__username", "coze_conversation_id")
    date_hierarchy = "active_at"
    inlines = (MessageInline,)

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Titles are words of people, too."""
        return () if request.user.has_perm("conversations.view_message") else ("title",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        """With the number of turns."""
        rows: QuerySet[Conversation] = super().get_queryset(request)
        return rows.annotate(turn_count=Count("turns", filter=Q(turns__withdrawn=False)))

    @admin.display(description=_("turns"), ordering="turn_count")
    def turn_count(self, conversation: Any) -> int:
        """How many questions were put, without those taken back."""
        return int(conversation.turn_count)


@admin.register(Turn)
class TurnAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """How each question fared: status, times, tokens, errors with Coze's log id."""

    list_display = ("id", "owner", "status", "error_code", "total_tokens", "created_at", "ended_at")
    list_filter = ("status", "withdrawn", "error_code", "created_at")
    list_select_related = ("owner",)
    search_fields = ("id", "owner__username", "coze_chat_id", "log_id")
    exclude = ("parameters", "interrupt")


@admin.register(Feedback)
class FeedbackAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What readers think of answers, and whether Coze knows it. What they wrote stands on its own page only."""

    list_display = (
        "changed_at",
        "rating",
        "reasons_said",
        "owner",
        "turn_link",
        "conversation_link",
        "told_at",
    )
    list_filter = ("rating", "changed_at", ("told_at", admin.EmptyFieldListFilter))
    list_select_related = ("owner", "turn")
    search_fields = ("turn__id", "owner__username")
    date_hierarchy = "changed_at"

    @admin.display(description=_("reasons"))
    def reasons_said(self, feedback: Feedback) -> str:
        """In words."""
        labels = dict(Feedback.Reason.choices)
        return ", ".join(str(labels.get(reason, reason)) for reason in feedback.reasons)

    @admin.display(description=_("turn"))
    def turn_link(self, feedback: Feedback) -> str:
        """How it fared."""
        return _link("turn", feedback.turn_id)

    @admin.display(description=_("conversation"))
    def conversation_link(self, feedback: Feedback) -> str:
        """Where it was."""
        return _link("conversation", feedback.turn.conversation_id)


def _link(name: str, pk: Any) -> str:
    return format_html(
        '<a href="{}">{}</a>', reverse(f"admin:conversations_{name}_change", args=[pk]), str(pk)[:8]
    )


@admin.action(description=_("Prove that two chosen users cannot see each other"), permissions=["change"])
def check_isolation(model_admin: Any, request: HttpRequest, chosen: QuerySet[User]) -> None:
    """Run the isolation check between exactly two users, in conversations made for it."""
    users = list(chosen[:3])
    assistant = default_assistant()
    if len(users) != 2 or assistant is None:
        model_admin.message_user(request, _("Choose exactly two users."), messages.WARNING)
        return
    report = async_to_sync(prove)(*users, assistant=assistant)
    failed = [probe for probe in report.probes if probe.outcome in {Outcome.LEAK, Outcome.ERROR}]
    for probe in failed:
        model_admin.message_user(request, f"{probe.name}: {probe.detail} {probe.hint}", messages.ERROR)
    if report.outcome == Outcome.ISOLATED:
        text = ngettext(
            "Isolated: %(count)d probe passed.", "Isolated: all %(count)d probes passed.", len(report.probes)
        )
        model_admin.message_user(request, text % {"count": len(report.probes)}, messages.SUCCESS)


# The action is shown with the users, who live a floor below and do not know of it.
UserAdmin.actions = [*(UserAdmin.actions or ()), check_isolation]
