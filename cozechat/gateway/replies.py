"""What all answers over HTTP have in common: headers, waiting for the first word or the last, streams."""

from collections.abc import AsyncIterator

from django.conf import settings
from django.http import StreamingHttpResponse

from cozechat.gateway.answers import Answer
from cozechat.gateway.calls import Call
from cozechat.gateway.errors import Refusal
from cozechat.gateway.outlet import Outlet


def headers_of(call: Call) -> dict[str, str]:
    """What is left of the limits, what was ignored, and which conversation it was."""
    headers = dict(call.pace.headers)
    if call.ignored:
        headers["x-cozechat-ignored"] = ",".join(call.ignored)
    if call.conversation_id:
        headers["x-conversation-id"] = call.conversation_id
    return headers


async def finished(call: Call) -> Answer:
    """The whole answer; a client that goes away meanwhile is told of to the call. Raises Refusal."""
    try:
        return await call.outlet.finished()
    except Refusal as refusal:
        refusal.headers = headers_of(call) | refusal.headers
        raise
    finally:
        call.outlet.leave()


async def begun(call: Call) -> Outlet:
    """The call's outlet, once there is something to say. Raises Refusal, so that a failure has its own status."""
    outlet = call.outlet
    try:
        await outlet.wait(settings.GATEWAY_PEEK_SECONDS)
    except BaseException:
        outlet.leave()
        raise
    if isinstance(outlet.outcome, Refusal):
        refusal = outlet.outcome
        outlet.leave()
        refusal.headers = headers_of(call) | refusal.headers
        raise refusal
    return outlet


def event_stream(items: AsyncIterator[bytes]) -> StreamingHttpResponse:
    """A response that no proxy keeps back."""
    response = StreamingHttpResponse(items, content_type="text/event-stream; charset=utf-8")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    return response
