"""One Coze app's API as its callers reach it: their token, their session_name, Coze's envelope."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from cozechat.coze import bodies
from cozechat.coze.calls import JSON, Limits, Request
from cozechat.coze.credentials import Credentials
from cozechat.coze.errors import BadResponse
from cozechat.coze.incoming import Incoming
from cozechat.coze.refusals import looked_up
from cozechat.coze.transport import Transport
from cozechat.coze.types import Caller, JsonObject

EVENT_STREAM = "text/event-stream"


class Api:
    """Sends calls in a caller's name; all resources of the client stand on it."""

    def __init__(self, credentials: Credentials, *, transport: Transport, limits: Limits) -> None:
        self.limits = limits
        self.transport = transport
        self._credentials = credentials

    async def send(
        self,
        caller: Caller,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        payload: JsonObject | None = None,
    ) -> JsonObject:
        """The envelope of a short call; tried once more if no connection could be made."""
        request = self._request(caller, method, path, params=params, payload=payload)
        reply = await self.transport.call(request)
        with looked_up():
            return bodies.read_envelope(reply)

    async def act(
        self,
        caller: Caller,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        payload: JsonObject | None = None,
        read_timeout: float | None = None,
        missing_code: int | None = None,
    ) -> JsonObject:
        """The envelope of what must not happen twice or may take long: one attempt, a connection of its own."""
        request = self._request(
            caller, "POST", path, params=params, payload=payload, read_timeout=read_timeout
        )
        return await self._once(request, missing_code=missing_code)

    async def upload(self, caller: Caller, path: str, *, form: bytes, content_type: str) -> JsonObject:
        """The envelope of an uploaded form; a form has no place for a session_name, the token carries it."""
        request = self._request(caller, "POST", path, form=form, content_type=content_type)
        return await self._once(request, missing_code=None)

    @asynccontextmanager
    async def stream(
        self,
        caller: Caller,
        path: str,
        *,
        payload: JsonObject,
        params: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Incoming]:
        """The beginning of a stream, asked for once; leaving the block early closes the connection."""
        request = self._request(caller, "POST", path, params=params, payload=payload)
        incoming = await self.transport.stream(request)
        try:
            if incoming.content_type != EVENT_STREAM or incoming.status >= 300:
                await self._refuse(incoming)
            yield incoming
        finally:
            await incoming.aclose()

    async def _refuse(self, incoming: Incoming) -> None:
        """Raise the reason that Coze gives instead of a stream, mostly in JSON and with HTTP 200."""
        bodies.read_envelope(await incoming.read_all(limit=self.limits.max_error_body))
        raise BadResponse("Coze answered success without a stream", log_id=incoming.log_id)

    async def _once(self, request: Request, *, missing_code: int | None) -> JsonObject:
        incoming = await self.transport.stream(request)
        try:
            limit = self.limits.max_json_body if incoming.status < 400 else self.limits.max_error_body
            reply = await incoming.read_all(limit=limit)
        finally:
            await incoming.aclose()
        return bodies.read_envelope(reply, missing_code=missing_code)

    def _request(
        self,
        caller: Caller,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        payload: JsonObject | None = None,
        form: bytes | None = None,
        content_type: str = JSON,
        read_timeout: float | None = None,
    ) -> Request:
        if payload is not None and self._credentials.send_session_name_in_body:
            payload = bodies.with_session_name(payload, session_name=caller.session_name)
        return Request(
            method=method,
            path=path,
            bearer=caller.token,
            params=params or {},
            body=form if payload is None else bodies.encode(payload),
            content_type=content_type,
            read_timeout=read_timeout,
        )
