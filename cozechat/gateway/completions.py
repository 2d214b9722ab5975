"""`POST /v1/chat/completions`: one object, or chunks as they come."""

from collections.abc import AsyncIterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from cozechat.gateway.admission import admit
from cozechat.gateway.answers import Answer, Text
from cozechat.gateway.calls import Call
from cozechat.gateway.chunks import HEARTBEAT, Chunks, completion, encode, error_event
from cozechat.gateway.engine import engine
from cozechat.gateway.outlet import Outlet
from cozechat.gateway.replies import begun, event_stream, finished, headers_of
from cozechat.gateway.requests import read_chat


async def completions(request: HttpRequest, *, request_id: str) -> HttpResponseBase:
    """Answer one call."""
    admitted = await admit(request, read=read_chat, request_id=request_id)
    call = engine().start(admitted)
    response = await (_streamed(call) if admitted.asked.stream else _whole(call))
    for name, value in headers_of(call).items():
        response.headers[name] = value
    return response


async def _whole(call: Call) -> HttpResponse:
    answer = await finished(call)
    admitted = call.admitted
    value = completion(answer, request_id=call.told_id, model=admitted.asked.model, created=admitted.created)
    return HttpResponse(encode(value), content_type="application/json")


async def _streamed(call: Call) -> StreamingHttpResponse:
    outlet = await begun(call)
    admitted = call.admitted
    chunks = Chunks(
        request_id=call.told_id,
        model=admitted.asked.model,
        created=admitted.created,
        include_usage=admitted.asked.include_usage,
    )
    return event_stream(_chunks(outlet, chunks=chunks))


async def _chunks(outlet: Outlet, *, chunks: Chunks) -> AsyncIterator[bytes]:
    """The body of a stream. However it ends, the call hears that its reader has gone."""
    try:
        yield chunks.opening()
        while outlet.outcome is None:
            if not await outlet.wait(settings.GATEWAY_HEARTBEAT_SECONDS):
                yield HEARTBEAT
                continue
            pieces = [chunks.text(piece) for piece in outlet.take() if isinstance(piece, Text)]
            if pieces:
                yield b"".join(pieces)
        outcome = outlet.outcome
        yield chunks.closing(outcome) if isinstance(outcome, Answer) else error_event(outcome)
    finally:
        outlet.leave()
