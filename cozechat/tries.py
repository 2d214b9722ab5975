"""How often one person may try something: a guard in front of a view."""

import logging
from collections.abc import Awaitable, Callable

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase
from limits.errors import StorageError

from cozechat.ratelimits import counter

logger = logging.getLogger(__name__)
View = Callable[[HttpRequest], HttpResponseBase]


def limited(
    view: View, *, name: str, limit: int, refusal: View
) -> Callable[[HttpRequest], Awaitable[HttpResponseBase]]:
    """At most so many tries of each user in any minute; the next ones get what `refusal` answers."""

    async def guarded(request: HttpRequest) -> HttpResponseBase:
        user = await request.auser()
        may = not user.is_authenticated or await _granted(f"{name}-{user.pk}", limit=limit)
        return await sync_to_async(view if may else refusal)(request)

    return guarded


async def _granted(name: str, *, limit: int) -> bool:
    try:
        return (await counter().hit(name, limit=limit)).granted
    except StorageError:
        # What is guarded cannot be guessed anyway; a Redis that is away keeps nobody from it.
        logger.exception("tries cannot be counted")
        return True
