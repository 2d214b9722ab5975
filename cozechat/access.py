"""The outermost of the application: gives each request and each socket an id, and says in one line what became of it.

The id is in every line that is logged on the way, in the answer's `x-request-id`, and on pages that tell of an error.
"""

import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from cozechat import logs

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADER = b"x-request-id"
# Asked for all the time, and of interest to nobody while they are answered well.
_QUIET = ("/health", "/static/", "/favicon.ico")
_ASKER = "cozechat.asker"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
# A long piece of a path that is neither an id nor words may open something: a link in a mail, a shared page.
_TICKET = 16


def shown(path: str) -> str:
    """A path as it may be logged: without a query, and without what may be a ticket."""
    return "/".join("[redacted]" if _is_ticket(piece) else piece for piece in path[:500].split("/"))


def _is_ticket(piece: str) -> bool:
    if len(piece) < _TICKET or _UUID.match(piece):
        return False
    return not re.fullmatch(r"[a-z]+(?:[_\-.][a-z]+)*", piece)


class Asker:
    """Who asks, as soon as the request has found out for reasons of its own."""

    def __init__(self) -> None:
        self.request: HttpRequest | None = None

    def user_id(self) -> int | None:
        """The user's id, without a query."""
        known = vars(self.request) if self.request is not None else {}
        user = known.get("_cached_user") or known.get("_acached_user")
        return getattr(user, "pk", None)


class Access:
    """ASGI middleware; `has_own_ids` tells the paths whose ids are ours even if the client sent one."""

    def __init__(self, application: Application, *, has_own_ids: Callable[[str], bool]) -> None:
        self._application = application
        self._has_own_ids = has_own_ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._serve(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        asker, answer = Asker(), _Answer(send)
        scope[_ASKER] = asker
        with logs.only(**self._request_ids(scope), user_id=asker.user_id):
            answer.request_id = logs.request_id()
            try:
                await self._application(scope, receive, answer.send)
            finally:
                answer.tell(scope)

    def _request_ids(self, scope: Scope) -> dict[str, str]:
        sent = next((value for name, value in scope["headers"] if name.lower() == _HEADER), b"").decode(
            "latin1"
        )
        if not logs.sane(sent):
            return {"request_id": logs.new_request_id()}
        if self._has_own_ids(scope["path"]):
            return {"request_id": logs.new_request_id(), "client_request_id": sent}
        return {"request_id": sent}

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, code = time.monotonic(), 0

        async def heard() -> MutableMapping[str, Any]:
            nonlocal code
            message = await receive()
            code = message.get("code") or code
            return message

        with logs.only(socket_id=uuid.uuid4().hex[:16]):
            try:
                await self._application(scope, heard, send)
            finally:
                logger.debug("socket closed: %s after %.1f s", code, time.monotonic() - began)


class _Answer:
    """One answer on its way out: gets its id, and is measured."""

    def __init__(self, send: Send) -> None:
        self.request_id = ""
        self._send = send
        self._status = 0
        self._began = time.perf_counter()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = list(message.get("headers", ()))
            if all(name.lower() != _HEADER for name, _value in headers):
                headers.append((_HEADER, self.request_id.encode("latin1")))
            message = {**message, "headers": headers}
        await self._send(message)

    def tell(self, scope: Mapping[str, Any]) -> None:
        """The line; none for what is asked for all the time and was answered well."""
        if not logger.isEnabledFor(logging.INFO) or (
            0 < self._status < 400 and scope["path"].startswith(_QUIET)
        ):
            return
        method, path = scope["method"][:20], shown(scope["path"])
        ms = round((time.perf_counter() - self._began) * 1000, 1)
        fields = {"method": method, "path": path, "status": self._status, "ms": ms}
        if self._status:
            logger.info("%s %s %d in %s ms", method, path, self._status, ms, extra=fields)
        else:
            logger.info("%s %s was left by its client after %s ms", method, path, ms, extra=fields)


def note_asker(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Middleware, behind the one that knows who is logged in: what is logged may look there."""

    def note(request: HttpRequest) -> None:
        asker = getattr(request, "scope", {}).get(_ASKER)
        if asker is not None:
            asker.request = request

    if iscoroutinefunction(get_response):

        async def waiting(request: HttpRequest) -> HttpResponseBase:
            note(request)
            response: HttpResponseBase = await get_response(request)
            return response

        return markcoroutinefunction(waiting)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        note(request)
        response: HttpResponseBase = get_response(request)
        return response

    return middleware


note_asker.sync_capable = note_asker.async_capable = True  # type: ignore[attr-defined]
