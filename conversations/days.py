"""Where a day begins among the messages of a page: said by the server, in the site's zone, for whoever has no script."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone


def mark(messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with `sent_at`, and with `day` where they are the first of one."""
    marked: list[dict[str, Any]] = []
    for message in messages:
        sent_at = timezone.localtime(datetime.fromisoformat(message["created_at"]))
        is_first = not marked or marked[-1]["sent_at"].date() != sent_at.date()
        marked.append(message | {"sent_at": sent_at} | ({"day": sent_at} if is_first else {}))
    return marked
