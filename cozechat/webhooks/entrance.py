"""The way in: both doors are opened before any middleware that is made for browsers."""

import logging
from collections.abc import Awaitable, Callable

from asgiref.sync import markcoroutinefunction
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from cozechat.webhooks import doors
from cozechat.webhooks.doors import Refused

logger = logging.getLogger(__name__)

DOORS = {"/webhook/coze": doors.webhook, "/callbacks/coze": doors.callback}
GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class Entrance:
    """Middleware that answers at the doors and lets all other requests pass."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path.removesuffix("/")
        return await _answer(request, path) if path in DOORS else await self._get_response(request)


async def _answer(request: HttpRequest, path: str) -> HttpResponse:
    try:
        return await DOORS[path](request)
    except Refused as refused:
        return refused.response()
    except DatabaseError as error:
        # Its words may repeat the event's.
        logger.error("an event at %s could not be stored: %s", path, type(error).__name__)
        return Refused(503, "busy", "Try again.", Retry_After="5").response()
    except Exception as error:
        logger.error("an event at %s could not be received: %s", path, type(error).__name__)
        return Refused(500, "internal", "This could not be done.").response()
