"""Who the token belongs to."""

from cozechat.emulator.calls import Call, Route
from cozechat.emulator.seed import USER
from cozechat.emulator.wire import Reply, envelope


async def me(call: Call) -> Reply:
    return envelope(call.log_id, data=USER)


ROUTES = (Route("GET", "/v1/users/me", me),)
