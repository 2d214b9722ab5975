"""Numbers, times and names as the pages write them."""

from datetime import datetime, tzinfo

from django.db.models import QuerySet, Subquery
from django.utils.translation import gettext as _

from cozechat.usage.models import UsageRecord

NOTHING = "–"
# Databases return so many columns at least; older keys of an owner who has called with more have numbers.
_MOST_NAMED = 1000


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


def key_names(
    records: QuerySet[UsageRecord], *, called: set[int | None], asked: set[int | None]
) -> dict[int | None, str]:
    """The last name of each key that has called in these records; of others that are asked for their numbers.

    Keys of one name get their numbers too.
    """
    last = _last_names(records, keys=sorted(key for key in called if key is not None)[-_MOST_NAMED:])
    names = {key: key_name(key, name=last.get(key, "")) for key in called | asked}
    often = list(names.values())
    return {
        key: f"{name} (#{key})" if key is not None and often.count(name) > 1 else name
        for key, name in names.items()
    }


def _last_names(records: QuerySet[UsageRecord], *, keys: list[int]) -> dict[int | None, str]:
    """All in one statement, in which the index of keys leads to one row of each."""
    if not keys:
        return {}
    newest = [
        Subquery(records.filter(api_key_id=key).order_by("-created_at", "-pk").values("api_key_name")[:1])
        for key in keys
    ]
    row = records.order_by().values_list(*newest)[:1].get()
    return dict(zip(keys, row, strict=True))


def source(record: UsageRecord) -> str:
    """Where the counts come from, unless Coze counted: an estimate is never shown as exact."""
    return "" if record.usage_source == UsageRecord.Source.UPSTREAM else record.get_usage_source_display()
