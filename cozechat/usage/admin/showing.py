"""Columns of money, and pages on which nothing can be changed."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from cozechat.usage.money import short


def credits_of(name: str, *, label: Any) -> Any:
    """A column that shows a stored amount in credits: a function, of which the admin's stubs do not know."""

    @admin.display(description=label, ordering=name)
    def column(row: Any) -> str:
        amount = getattr(row, name)
        return "–" if amount is None else short(amount)

    return column


class ReadOnly:
    """Nobody adds, changes or deletes here: not the administrator either."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows come from what happens."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What happened stays as it was; a correction is a new row."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A ledger has no holes."""
        return False
