"""Numbers, times and names as the pages write them."""

from datetime import datetime, tzinfo
from typing import Any

from django.utils.translation import gettext as _

from cozechat.usage.models import UsageRecord

NOTHING = "–"


def seconds(milliseconds: int | None) -> str:
    """`850 ms`, `2.40 s`; a dash for what nobody has measured."""
    if milliseconds is None:
        return NOTHING
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:,.2f} s"


def number(value: int) -> str:
    """With the thousands apart."""
    return f"{value:,}"


def clock(at: datetime, *, zone: tzinfo) -> str:
    """Day and time to the second."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def key_name(key: int | None, *, name: str) -> str:
    """What the key was called, else its number; what was asked on the chat page had none."""
    if key is None:
        return _("chat page")
    return name or f"#{key}"


def key_names(records: Any, *, keys: set[int | None]) -> dict[int | None, str]:
    """The last name of each key in these records; keys of one name get their numbers too."""
    names: dict[int | None, str] = {}
    for key in keys:
        rows = records.filter(api_key_id=key).order_by("-created_at", "-pk")
        names[key] = key_name(key, name=rows.values_list("api_key_name", flat=True).first() or "")
    often = list(names.values())
    return {
        key: f"{name} (#{key})" if key is not None and often.count(name) > 1 else name
        for key, name in names.items()
    }


def source(record: UsageRecord) -> str:
    """Where the counts come from, unless Coze counted: an estimate is never shown as exact."""
    return "" if record.usage_source == UsageRecord.Source.UPSTREAM else record.get_usage_source_display()
