"""Checks of what depends on who has an account here."""

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError

from accounts.lending import who_can_talk
from cozechat.catalog.models import CozeApp
from cozechat.checks import TAG

_SHARED = "cannot tell people apart, and %d accounts could talk: nobody gets it."
_HINT = "Set up an OAuth app (COZE_CLIENT_ID …), or deactivate all accounts but one in the admin."


@register(TAG)
def check_environments_token(**_: Any) -> list[CheckMessage]:
    """The environment's personal access token is there only while one person alone could talk."""
    if not settings.COZE_ACCESS_TOKEN or settings.COZE_EMULATED:
        return []
    try:
        count = who_can_talk().count()
    except DatabaseError:
        # Before the first migration there is nobody.
        return []
    text = f"COZE_ACCESS_TOKEN {_SHARED % count}"
    return [Error(text, hint=_HINT, id="cozechat.E011")] if count > 1 else []


@register(Tags.database)
def check_stored_tokens(*, databases: Collection[str] | None = None, **_: Any) -> list[CheckMessage]:
    """The same for apps of the admin (`manage.py check --database default`): other apps work beside them."""
    if not databases or "default" not in databases:
        return []
    try:
        apps = CozeApp.objects.filter(is_active=True).exclude(personal_token="")
        names, count = list(apps.values_list("name", flat=True)), who_can_talk().count()
    except DatabaseError:
        return []
    found = (f"The personal access token of the app {name!r} {_SHARED % count}" for name in names)
    return [Warning(text, hint=_HINT, id="cozechat.W011") for text in found] if count > 1 else []
