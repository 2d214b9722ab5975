"""From an HTTP request to a call that may begin: the key, the body, the model, the end user, the conversation."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from cozechat import database
from cozechat.gateway import interruptions, keys, memory, routes, sessions
from cozechat.gateway.admitted import Admitted
from cozechat.gateway.errors import Refusal, bad_request, too_large
from cozechat.gateway.json_bodies import read_object
from cozechat.gateway.models import ApiKey, Interruption
from cozechat.gateway.requests import Asked
from cozechat.gateway.routes import Route
from cozechat.usage import reserving

Read = Callable[[Mapping[str, Any]], Asked]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the headers of a request say, as far as it concerns a call."""

    request_id: str
    authorization: str
    address: str
    headers: Mapping[str, str]

    @classmethod
    def by(cls, request: HttpRequest, *, request_id: str) -> "Told":
        """Names in small letters."""
        return cls(
            request_id=request_id,
            authorization=request.headers.get("authorization", ""),
            address=keys.address_of(request),
            headers={name.lower(): value for name, value in request.headers.items()},
        )

    @property
    def is_retry(self) -> bool:
        """Whether an official client asks the same once more."""
        return self.headers.get("x-stainless-retry-count", "0") not in ("", "0")


async def key_of(told: Told) -> ApiKey:
    """The key that a request shows. Raises Refusal."""
    return await database.run(keys.authenticate, told.authorization, address=told.address, now=timezone.now())


def body_of(request: HttpRequest) -> bytes:
    """The whole body; its size is checked here and not by Django, whose limit is for forms. Raises Refusal."""
    limit = int(settings.GATEWAY_MAX_BODY)
    if request.content_type not in ("application/json", ""):
        raise Refusal(415, "unsupported_media_type", "Send the body as 'Content-Type: application/json'.")
    body = request.read(limit + 1)
    if len(body) > limit:
        raise too_large()
    return body


async def admit(request: HttpRequest, *, read: Read, request_id: str) -> Admitted:
    """Everything that can be said against a call without Coze and without money. Raises Refusal."""
    told = Told.by(request, request_id=request_id)
    try:
        key = await key_of(told)
    except keys.Elsewhere as refusal:
        await database.run(_note, refusal, key=refusal.key, told=told, asked=None)
        raise
    body = body_of(request)
    asked = read(await asyncio.to_thread(read_object, body) if len(body) > 1_000_000 else read_object(body))
    path = request.path.encode()
    return await database.run(_admit, key, told=told, asked=asked, body_digest=memory.digest(path, body))


def _admit(key: ApiKey, *, told: Told, asked: Asked, body_digest: str) -> Admitted:
    try:
        route = routes.find(asked.model, key=key, workflow_id=asked.workflow_id)
    except Refusal as refusal:
        if refusal.status == 403:
            _note(refusal, key=key, told=told, asked=asked)
        raise
    named = sessions.end_user_named(key, headers=told.headers, in_body=asked.end_user)
    user = sessions.known_end_user(key, end_user=named)
    external = told.headers.get("x-openwebui-chat-id", "") if key.trusts_open_webui else ""
    wanted = told.headers.get("x-conversation-id") or asked.metadata.get("conversation_id", "")
    conversation = None
    if route.manner.is_chat:
        conversation = sessions.sticky_conversation(
            user, wanted=wanted, external_id=external, app_id=route.app.pk
        )
    elif wanted:
        raise bad_request("A workflow run has no conversation.", param="conversation_id")
    interruption = _resumed(asked, route=route, user=user)
    remembered = memory.Wanted(
        key=key,
        end_user=user.session_name,
        request_id=told.request_id,
        model=asked.model,
        body_digest=body_digest,
        idempotency=_idempotency(told, user=user),
        is_response=asked.store,
        is_background=asked.background,
        is_retry=told.is_retry and not route.manner.is_chat,
    )
    worth_it = remembered.idempotency or remembered.is_response or not route.manner.is_chat
    return Admitted(
        request_id=told.request_id,
        key=key,
        user=user,
        route=route,
        asked=asked,
        conversation=conversation,
        interruption=interruption,
        remembered=remembered if worth_it else None,
    )


def _resumed(asked: Asked, *, route: Route, user: User) -> Interruption | None:
    """The run that goes on with this call, if it is one's own."""
    if asked.resume is None:
        return None
    if route.manner.is_chat:
        raise bad_request(
            "Only a workflow run is resumed; a chat's question is answered.", param="coze.resume"
        )
    return interruptions.find(
        asked.resume,
        end_user=user.session_name,
        app_id=route.app.pk,
        workflow_id=route.workflow_id,
        now=timezone.now(),
    )


def _note(refusal: Refusal, *, key: ApiKey, told: Told, asked: Asked | None) -> None:
    """What a key may not do costs nothing and is written down; `asked` is None where nothing was read yet."""
    call = reserving.Call(
        request_id=told.request_id,
        owner_id=key.owner_id,
        model=asked.model if asked else "",
        api_key_id=key.pk,
        metadata=asked.metadata if asked else {},
    )
    reserving.refuse(call, error_code=refusal.code, now=timezone.now())


def _idempotency(told: Told, *, user: User) -> str:
    """The end user's own name for the call: nobody is told what another one asked under the same key."""
    key = told.headers.get("idempotency-key", "")
    return memory.digest(user.session_name.encode(), key.encode()) if key else ""
