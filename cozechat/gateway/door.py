"""The short way in, as an ASGI application: what is the API's goes to it without Django's detours.

Django tells of the beginning and the end of each request on a thread, and keeps a thread of its own for each request
that is under way: a hundred streams are a hundred threads. The API talks to its database on `cozechat.database`'s
threads and needs none of it. Whoever comes another way, as Django's test client does, meets `Entrance` as middleware.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from typing import Any

from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest

from cozechat.gateway.entrance import answer, is_ours

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Door(ASGIHandler):
    """Answers the API's requests and passes all others on."""

    def __init__(self, site: Application) -> None:
        # Not Django's own constructor: there is no middleware here.
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Under a prefix Django alone knows what the path is.
        if scope.get("root_path") or not is_ours(scope["path"]):
            await self._site(scope, receive, send)
        else:
            await self.handle(scope, receive, send)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request: its body, its answer; a client that leaves ends the answering."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with closing(body):
            request, unreadable = self.create_request(scope, body)
            if request is not None:
                await _until_left(self._answer(request, send), receive=receive)
            elif unreadable is not None:
                await self.send_response(unreadable, send)

    async def _answer(self, request: HttpRequest, send: Send) -> None:
        await self.send_response(await answer(request), send)


async def _until_left(answering: Awaitable[None], *, receive: Receive) -> None:
    """Answer, at most for as long as the client is there."""
    tasks = (asyncio.ensure_future(answering), asyncio.ensure_future(_left(receive)))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        outcome, _left_by = await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
