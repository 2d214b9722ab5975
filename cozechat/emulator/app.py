"""The ASGI application: finds the endpoint, checks the caller, turns every refusal into Coze's words."""

import traceback
from typing import Any

from cozechat.emulator import (
    bot_chats,
    chatflows,
    control,
    conversations,
    files,
    listings,
    messages,
    oauth,
    users,
    variables,
    workflow_runs,
)
from cozechat.emulator.calls import MEGABYTE, Answer, Call, Guard, Routes, read_request
from cozechat.emulator.faults import instead
from cozechat.emulator.refusals import Refusal
from cozechat.emulator.wire import Receive, Send, envelope
from cozechat.emulator.world import World

# One room for each family of endpoints; a new family is a module with ROUTES, named here.
ROUTES = Routes(
    (
        *oauth.ROUTES,
        *users.ROUTES,
        *conversations.ROUTES,
        *messages.ROUTES,
        *chatflows.ROUTES,
        *bot_chats.ROUTES,
        *workflow_runs.ROUTES,
        *files.ROUTES,
        *listings.ROUTES,
        *variables.ROUTES,
        *control.ROUTES,
    )
)


class Emulator:
    """One emulator as an ASGI application."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        limit = self._world.options.upload_megabytes * MEGABYTE
        request = await read_request(scope, receive, upload_limit=limit)
        if request is None:
            return
        call = Call(world=self._world, request=request, receive=receive)
        answer = await _answer(call)
        await answer.write(send, log_id=call.log_id)


async def _answer(call: Call) -> Answer:
    try:
        return await _dispatch(call)
    except Refusal as refusal:
        call.world.ledger.refusals[refusal.code] += 1
        return envelope(call.log_id, code=refusal.code, msg=refusal.msg, status=refusal.status)
    except Exception:
        traceback.print_exc()
        return envelope(call.log_id, code=5000, msg="internal server error")


async def _dispatch(call: Call) -> Answer:
    route, call.place = ROUTES.find(call.request.method, call.path)
    if call.path.startswith(control.PREFIX):
        if route.guard is Guard.CONTROL:
            control.admit(call)
        return await route.endpoint(call)
    call.world.ledger.requests[f"{route.method} {route.path}"] += 1
    struck = await instead.strike(call)
    if struck is not None:
        return struck
    if route.guard is Guard.TOKEN:
        call.identity = call.world.tokens.identify(call.bearer)
    return await route.endpoint(call)
