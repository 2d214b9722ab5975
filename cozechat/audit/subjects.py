"""Whose data a row is, for any model: the apps above need not tell."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model, QuerySet

# Paths from a row to the number of its owner; the first that leads somewhere counts.
_PATHS = (
    ("owner_id",), ("user_id",), ("claimed_by_id",), ("account", "owner_id"), ("conversation", "owner_id"),
    ("record", "owner_id"),
)  # fmt: skip


def subject_of(row: Any) -> int | None:
    """The owner's number; None for what belongs to nobody in particular."""
    if isinstance(row, get_user_model()):
        return int(row.pk) if row.pk else None
    for path in _PATHS:
        found = row
        for name in path:
            found = getattr(found, name, None)
        if isinstance(found, int):
            return found
    return None


def objects_of(rows: QuerySet[Any], *, most: int) -> list[tuple[str, int | None]]:
    """Ids and owners of the first `most` rows."""
    return [(str(row.pk), subject_of(row)) for row in rows[:most]]


def kind_of(model: type[Model] | Model) -> str:
    """A model's name in the trail: `conversations.conversation`."""
    return str(model._meta.label_lower)
