"""The headings of the list: how long ago something was asked, in days as people count them."""

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _


def group_of(item: dict[str, Any], *, now: datetime) -> str:
    """The heading that a described conversation stands below; days are those of the time zone of `now`.

    A page with a script says it again, by the reader's own clock (`groups.js`).
    """
    if item["pinned"]:
        return _("Pinned")
    asked = datetime.fromisoformat(item["asked_at"]).astimezone(now.tzinfo).date()
    days = (now.date() - asked) / timedelta(days=1)
    for most, heading in (
        (0, _("Today")),
        (1, _("Yesterday")),
        (7, _("Previous 7 days")),
        (30, _("Previous 30 days")),
    ):
        if days <= most:
            return heading
    return _("Older")
