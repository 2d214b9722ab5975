"""`POST /v1/responses` and `GET /v1/responses/ID`: text, streamed text, and what is fetched when it is done."""

from collections.abc import AsyncIterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from cozechat import database
from cozechat.gateway import memory, sessions
from cozechat.gateway.admission import Told, admit, key_of
from cozechat.gateway.answers import Answer, Text
from cozechat.gateway.calls import Call
from cozechat.gateway.chunks import HEARTBEAT, encode
from cozechat.gateway.engine import engine
from cozechat.gateway.errors import NO_RETRY, Refusal
from cozechat.gateway.models import ApiKey, StoredCall
from cozechat.gateway.outlet import Outlet
from cozechat.gateway.replies import begun, event_stream, finished, headers_of
from cozechat.gateway.response_events import Events, Response, request_id_of
from cozechat.gateway.response_requests import read_response


async def create(request: HttpRequest, *, request_id: str) -> HttpResponseBase:
    """Answer one call, at once, bit by bit, or later."""
    admitted = await admit(request, read=read_response, request_id=request_id)
    call = engine().start(admitted)
    reply: HttpResponseBase
    if admitted.asked.background:
        reply = await _later(call)
    elif admitted.asked.stream:
        outlet = await begun(call)
        reply = event_stream(_events(outlet, events=Events(_response(call))))
    else:
        answer = await finished(call)
        reply = _json(_response(call).completed(answer))
    for name, value in headers_of(call).items():
        reply.headers[name] = value
    return reply


def _response(call: Call) -> Response:
    admitted = call.admitted
    return Response(
        request_id=call.told_id,
        model=admitted.asked.model,
        created=admitted.created,
        background=admitted.asked.background,
        metadata=admitted.asked.metadata,
    )


async def _later(call: Call) -> HttpResponse:
    """Once Coze has taken the call, or refused it; nobody reads its pieces."""
    outlet = await begun(call)
    outcome = outlet.outcome
    outlet.leave()
    response = _response(call)
    if isinstance(outcome, Answer):
        return _json(response.completed(outcome))
    return _json(response.running("in_progress"))


async def _events(outlet: Outlet, *, events: Events) -> AsyncIterator[bytes]:
    """The body of a stream. However it ends, the call hears that its reader has gone."""
    try:
        yield events.opening()
        while outlet.outcome is None:
            if not await outlet.wait(settings.GATEWAY_HEARTBEAT_SECONDS):
                yield HEARTBEAT
                continue
            texts = [piece.content for piece in outlet.take() if isinstance(piece, Text) and piece.content]
            if texts:
                yield b"".join(map(events.text, texts))
        outcome = outlet.outcome
        yield events.closing(outcome) if isinstance(outcome, Answer) else events.failure(outcome)
    finally:
        outlet.leave()


async def retrieve(request: HttpRequest, *, request_id: str, response_id: str) -> HttpResponse:
    """How far a stored response has come; another key's does not exist."""
    told = Told.by(request, request_id=request_id)
    key = await key_of(told)
    stored = await database.run(_stored, key, told=told, request_id=request_id_of(response_id))
    outcome = memory.outcome_of(stored)
    response = Response(
        request_id=stored.request_id,
        model=stored.model,
        created=int(stored.created_at.timestamp()),
        background=stored.is_background,
    )
    return _json(response.running("in_progress") if outcome is None else response.told(outcome))


def _stored(key: ApiKey, *, told: Told, request_id: str) -> StoredCall:
    """The key's own; and if the client says for whom it asks, that end user's own."""
    rows = StoredCall.objects.of(key).filter(is_response=True)
    named = sessions.end_user_named(key, headers=told.headers, in_body="")
    if named:
        rows = rows.filter(end_user=sessions.known_end_user(key, end_user=named).session_name)
    found = rows.filter(request_id=request_id).first() if "\0" not in request_id else None
    if found is None:
        raise Refusal(
            404, "not_found", "This response does not exist.", param="response_id", headers=NO_RETRY
        )
    return found


def _json(value: object) -> HttpResponse:
    return HttpResponse(encode(value), content_type="application/json")
