"""Lists that come page by page, whichever of Coze's two ways they are counted in."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cozechat.coze import bodies
from cozechat.coze.types import JsonObject, as_int

T = TypeVar("T")
# No list is followed for longer: 100 pages of 100 are more than an account has of anything.
MOST_PAGES = 100


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """One page of a list."""

    items: tuple[T, ...]
    has_more: bool


def read_listing(
    envelope: JsonObject,
    *,
    key: str,
    read: Callable[[JsonObject], T],
    shown: int,
    total: str = "total",
) -> Listing[T]:
    """The page under `data`; where Coze counts all rows, it is the last once `shown` rows were on offer."""
    data = bodies.data_of(envelope)
    items = tuple(read(item) for item in bodies.items_of(data.get(key)))
    count = as_int(data.get(total))
    has_more = data.get("has_more") is True if count is None else bool(items) and count > shown
    return Listing(items, has_more)


async def each(page: Callable[[int], Awaitable[Listing[T]]]) -> AsyncIterator[T]:
    """Every item of a list, page by page from 1."""
    for number in range(1, MOST_PAGES + 1):
        listing = await page(number)
        for item in listing.items:
            yield item
        if not listing.has_more:
            return
