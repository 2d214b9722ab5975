"""Conversations as a Django app."""

from django.apps import AppConfig
from django.db.models.signals import pre_delete
from django.utils.translation import gettext_lazy as _


class ConversationsConfig(AppConfig):
    """Conversations, turns, messages."""

    name = "conversations"
    verbose_name = _("Conversations")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts.models import User  # noqa: PLC0415 - receivers need loaded apps
        from accounts.signals import login_ended, visit_claimed  # noqa: PLC0415
        from conversations import claims, farewells, logins  # noqa: PLC0415
        from conversations.isolation import visiting  # noqa: PLC0415

        login_ended.connect(logins.close_sockets, dispatch_uid="conversations.close_sockets")
        pre_delete.connect(farewells.note_what_is_left, sender=User, dispatch_uid="conversations.farewell")
        visit_claimed.connect(claims.move_conversations, dispatch_uid="conversations.claims")
        visiting.register()
