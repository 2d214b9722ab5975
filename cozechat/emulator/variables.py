"""User variables: of a bot or app, for one `connector_uid`, in one session."""

import json
from typing import Any

from cozechat.emulator.calls import Call, Route
from cozechat.emulator.fields import Fields
from cozechat.emulator.oauth import API_CONNECTOR
from cozechat.emulator.refusals import bad_parameter, no_bot, not_found
from cozechat.emulator.seed import APPS, BOTS
from cozechat.emulator.wire import Reply, envelope

KIND = "variables"


def _place(call: Call, fields: Fields) -> str:
    """The key under which a caller's variables lie; another session has another."""
    app_id, bot_id = fields.identifier("app_id"), fields.identifier("bot_id")
    if (app_id is None) == (bot_id is None):
        raise bad_parameter("app_id, bot_id", why="exactly one of them is required")
    if app_id is not None and app_id not in APPS:
        raise not_found("App")
    if bot_id is not None and bot_id not in BOTS:
        raise no_bot()
    connector_id = fields.identifier("connector_id") or API_CONNECTOR
    identity, uid = call.identity, fields.identifier("connector_uid")
    return json.dumps([identity.account_id, connector_id, identity.session_name, app_id or bot_id, uid or ""])


async def retrieve(call: Call) -> Reply:
    """Those asked for by name, or all."""
    query = call.query
    found = call.world.store.documents.get(KIND, _place(call, query)) or {}
    wanted = [name for name in (query.text("keywords") or "").split(",") if name] or list(found)
    items = [{"keyword": name, **found[name]} for name in wanted if name in found]
    return envelope(call.log_id, data={"items": items})


async def update(call: Call) -> Reply:
    fields, now = call.fields, call.world.now()
    key = _place(call, fields)
    given = {row.required("keyword"): row.text("value") or "" for row in fields.rows("data") or []}
    if not given:
        raise bad_parameter("data", why="is required")
    known: dict[str, Any] = call.world.store.documents.get(KIND, key) or {}
    for keyword, value in given.items():
        since = known.get(keyword, {}).get("create_time", now)
        known[keyword] = {"value": value, "create_time": since, "update_time": now}
    call.world.store.documents.put(KIND, key, known)
    return envelope(call.log_id)


ROUTES = (
    Route("GET", "/v1/variables", retrieve),
    Route("PUT", "/v1/variables", update),
)
