"""Lists that grow at their head, a page at a time: a cursor names the last row seen, so new rows shift nothing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Self, TypeVar

from django.db.models import Model, Q, QuerySet

from cozechat import database

PAGE = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LONGEST_NUMBER = 17

Row = TypeVar("Row", bound=Model)


class BadCursor(ValueError):
    """This is no cursor of ours."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The time and the primary key of a row; what comes after it in the list is older, or as old with a smaller key."""

    created_at: datetime
    pk: int

    @classmethod
    def of(cls, row: Any) -> Self:
        """The cursor behind this row."""
        return cls(row.created_at, row.pk)

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `str` wrote. Raises BadCursor."""
        parts = text.split("-")
        if len(parts) != 2 or not all(_is_number(part) for part in parts):
            raise BadCursor(text)
        try:
            return cls(_EPOCH + int(parts[0]) * _MICROSECOND, int(parts[1]))
        except OverflowError as error:
            raise BadCursor(text) from error

    def __str__(self) -> str:
        return f"{(self.created_at - _EPOCH) // _MICROSECOND}-{self.pk}"

    @property
    def behind(self) -> Q:
        """The rows after it; the first condition is what an index can begin at."""
        return Q(created_at__lte=self.created_at) & ~Q(created_at=self.created_at, pk__gte=self.pk)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and the cursor behind them if there are more."""

    rows: list[Row]
    next: Cursor | None


def page(rows: QuerySet[Row], *, after: Cursor | None = None, limit: int = PAGE) -> Page[Row]:
    """The newest rows, or the next ones behind a cursor."""
    wanted = rows.filter(after.behind) if after else rows
    found = list(wanted.order_by("-created_at", "-pk")[: limit + 1])
    return Page(found[:limit], Cursor.of(found[limit - 1]) if len(found) > limit else None)


async def pages(rows: QuerySet[Row], *, limit: int) -> AsyncIterator[list[Row]]:
    """All rows, with one page of them in memory at a time and no transaction open between them."""
    after: Cursor | None = None
    while True:
        found = await database.run(page, rows, after=after, limit=limit)
        yield found.rows
        if found.next is None:
            return
        after = found.next
