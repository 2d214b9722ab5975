"""What there is: workspaces, bots of both generations, apps and workflows."""

from collections.abc import Sequence
from typing import Any

from cozechat.emulator import seed
from cozechat.emulator.calls import Call, Route
from cozechat.emulator.fields import Fields
from cozechat.emulator.refusals import bad_parameter, no_bot, not_found
from cozechat.emulator.seed import Listed
from cozechat.emulator.wire import Json, Reply, envelope

ICON = "https://example.invalid/icon.png"
STATUSES = ("all", "published_online", "published_draft", "unpublished_draft")
MODES = ("workflow", "chatflow")
MOST, USUAL = 100, 20


def _page(fields: Fields, rows: Sequence[Any], *, number: str) -> list[Any]:
    """One page; some lists count by `page_index`, others by `page_num`."""
    place = fields.number(number, low=1, high=10**9, default=1)
    size = fields.number("page_size", low=1, high=MOST, default=USUAL)
    return list(rows[(place - 1) * size : place * size])


def _published(fields: Fields, rows: Sequence[Listed]) -> list[Listed]:
    """By default what is online, as the documentation says."""
    status = _filter(fields, "publish_status", among=STATUSES, default="published_online")
    wanted = {"all": (True, False), "unpublished_draft": (False,)}.get(status, (True,))
    return [row for row in rows if row.published in wanted]


def _filter(fields: Fields, name: str, *, among: tuple[str, ...], default: str) -> str:
    """cozepy sends the name of an enum's member where its value is meant; what is not known filters nothing."""
    wanted = fields.text(name) or default
    return wanted if wanted in among else default


def _check_workspace(fields: Fields, name: str) -> None:
    if fields.required(name) != seed.WORKSPACE_ID:
        raise not_found("Workspace")


def _item(row: Listed) -> Json:
    """Bots and apps look the same in a list."""
    published = {"published_at": seed.SINCE} if row.published else {}
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "icon_url": ICON,
        "is_published": row.published,
        "updated_at": seed.SINCE,
        "owner_user_id": seed.USER_ID,
        "folder_id": "",
        **published,
    }


async def workspaces(call: Call) -> Reply:
    only = {
        "id": seed.WORKSPACE_ID,
        "name": "Personal",
        "icon_url": ICON,
        "role_type": "owner",
        "workspace_type": "personal",
        "enterprise_id": "",
    }
    page = _page(call.query, [only], number="page_num")
    return envelope(call.log_id, data={"total_count": 1, "workspaces": page})


async def bots(call: Call) -> Reply:
    query = call.query
    _check_workspace(query, "workspace_id")
    query.text("connector_id")
    rows = _published(query, seed.BOT_LIST)
    page = [_item(row) for row in _page(query, rows, number="page_index")]
    return envelope(call.log_id, data={"items": page, "total": len(rows)})


async def published_bots(call: Call) -> Reply:
    """The older generation: other names, and a time as text."""
    query = call.query
    _check_workspace(query, "space_id")
    rows = [row for row in seed.BOT_LIST if row.published]
    page = [
        {
            "bot_id": row.id,
            "bot_name": row.name,
            "description": row.description,
            "icon_url": ICON,
            "publish_time": str(seed.SINCE),
        }
        for row in _page(query, rows, number="page_index")
    ]
    return envelope(call.log_id, data={"space_bots": page, "total": len(rows)})


async def bot(call: Call) -> Reply:
    """Drafts are shown only to who asks for them."""
    wanted = call.query.choice("is_published", among=("true", "false", "True", "False"), default="true")
    return _bot(call, call.place["bot_id"], drafts=wanted.lower() == "false")


async def online_bot(call: Call) -> Reply:
    return _bot(call, call.query.required("bot_id"), drafts=False)


def _bot(call: Call, bot_id: str, *, drafts: bool) -> Reply:
    row = next((row for row in seed.BOT_LIST if row.id == bot_id and (row.published or drafts)), None)
    if row is None:
        raise no_bot()
    return envelope(call.log_id, data=_bot_detail(row))


def _bot_detail(row: Listed) -> Json:
    return {
        "bot_id": row.id,
        "name": row.name,
        "description": row.description,
        "icon_url": ICON,
        "create_time": seed.SINCE,
        "update_time": seed.SINCE,
        "version": str(seed.SINCE),
        "prompt_info": {"prompt": "Be kind."},
        "onboarding_info": {"prologue": "Hello!", "suggested_questions": ["What can you do?"]},
        "bot_mode": 0,
        "plugin_info_list": [],
        "model_info": {"model_id": "1", "model_name": "emulator", "temperature": 0.8, "max_tokens": 4096},
        "knowledge": {"dataset_ids": [], "auto_call": True, "search_strategy": 0},
        "workflow_info_list": [],
        "owner_user_id": seed.USER_ID,
    }


async def apps(call: Call) -> Reply:
    query = call.query
    _check_workspace(query, "workspace_id")
    rows = _published(query, seed.APP_LIST)
    page = [_item(row) for row in _page(query, rows, number="page_index")]
    return envelope(call.log_id, data={"items": page, "total": len(rows)})


async def workflows(call: Call) -> Reply:
    query = call.query
    app_id, workspace_id = query.identifier("app_id"), query.identifier("workspace_id")
    if app_id is None and workspace_id is None:
        raise bad_parameter("workspace_id, app_id", why="one of them is required")
    if workspace_id is not None:
        _check_workspace(query, "workspace_id")
    mode = _filter(query, "workflow_mode", among=MODES, default="all")
    rows = [row for row in _published(query, seed.WORKFLOWS) if mode in ("all", MODES[row.chatflow])]
    if app_id not in (None, "0", seed.APP_ID):
        rows = []
    number = query.number("page_num", low=1, high=10**9, default=1)
    page = _page(query, rows, number="page_num")
    size = query.number("page_size", low=1, high=MOST, default=USUAL)
    data = {"items": [_workflow(row) for row in page], "has_more": len(rows) > number * size}
    return envelope(call.log_id, data=data)


def _workflow(row: Listed) -> Json:
    return {
        "workflow_id": row.id,
        "workflow_name": row.name,
        "description": row.description,
        "icon_url": ICON,
        "app_id": "0",
        "created_at": seed.SINCE,
        "updated_at": seed.SINCE,
        "creator": {"id": seed.USER_ID, "name": "emulator"},
    }


async def workflow(call: Call) -> Reply:
    """Inputs and outputs come only to who asks for them."""
    row = next((row for row in seed.WORKFLOWS if row.id == call.place["workflow_id"]), None)
    if row is None:
        raise not_found("Workflow")
    data: Json = {"workflow_detail": _workflow(row)}
    if (call.query.text("include_input_output") or "").lower() == "true":
        inputs = ("CONVERSATION_NAME", "USER_INPUT") if row.chatflow else ("input",)
        data["input"] = {"parameters": {name: {"type": "string", "required": False} for name in inputs}}
        output = {"parameters": {"output": {"type": "string"}}, "terminate_plan": "return_variables"}
        data["output"] = output
    return envelope(call.log_id, data=data)


ROUTES = (
    Route("GET", "/v1/workspaces", workspaces),
    Route("GET", "/v1/bots", bots),
    Route("GET", "/v1/bots/{bot_id}", bot),
    Route("GET", "/v1/bot/get_online_info", online_bot),
    Route("GET", "/v1/space/published_bots_list", published_bots),
    Route("GET", "/v1/apps", apps),
    Route("GET", "/v1/workflows", workflows),
    Route("GET", "/v1/workflows/{workflow_id}", workflow),
)
