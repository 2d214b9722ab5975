"""What the account behind the tokens is and has: its name, workspaces, apps and workflows."""

from dataclasses import dataclass

from cozechat.coze import bodies
from cozechat.coze.api import Api
from cozechat.coze.listings import Listing, read_listing
from cozechat.coze.types import Caller, JsonObject, as_object, as_text


@dataclass(frozen=True, slots=True)
class CozeUser:
    """The owner of the tokens at Coze: the same for all of this site's users."""

    id: str
    name: str
    nick_name: str
    avatar_url: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where bots, apps and workflows are kept; `role` is owner, admin or member, `kind` personal or team."""

    id: str
    name: str
    role: str
    kind: str


@dataclass(frozen=True, slots=True)
class AppSummary:
    """An app as a list shows it."""

    id: str
    name: str
    description: str
    is_published: bool


@dataclass(frozen=True, slots=True)
class WorkflowSummary:
    """A workflow as a list shows it; `app_id` is empty for one of the library, which Coze writes as "0"."""

    id: str
    name: str
    description: str
    icon_url: str
    app_id: str


class Account:
    """The account that this site signs in with."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def me(self, caller: Caller) -> CozeUser:
        """Whose tokens these are."""
        data = bodies.data_of(await self._api.send(caller, "GET", "/v1/users/me"))
        return CozeUser(
            *(as_text(data.get(key)) for key in ("user_id", "user_name", "nick_name", "avatar_url"))
        )

    async def workspaces(self, caller: Caller, *, page: int = 1, page_size: int = 20) -> Listing[Workspace]:
        """One page of the workspaces; this list alone calls its sum `total_count`."""
        params = {"page_num": str(page), "page_size": str(page_size)}
        envelope = await self._api.send(caller, "GET", "/v1/workspaces", params=params)
        return read_listing(
            envelope, key="workspaces", read=_workspace, shown=page * page_size, total="total_count"
        )

    async def apps(
        self, caller: Caller, *, workspace_id: str, page: int = 1, page_size: int = 20
    ) -> Listing[AppSummary]:
        """One page of the published apps of a workspace."""
        params = {"workspace_id": workspace_id, "page_index": str(page), "page_size": str(page_size)}
        envelope = await self._api.send(caller, "GET", "/v1/apps", params=params)
        return read_listing(envelope, key="items", read=_app, shown=page * page_size)

    async def workflows(
        self,
        caller: Caller,
        *,
        workspace_id: str | None = None,
        app_id: str | None = None,
        mode: str | None = None,
        page: int = 1,
        page_size: int = 20,
    ) -> Listing[WorkflowSummary]:
        """One page of the published workflows of a workspace or an app; `mode` is workflow or chatflow."""
        params = bodies.present(
            workspace_id=workspace_id,
            app_id=app_id,
            workflow_mode=mode,
            publish_status="published_online",
            page_num=str(page),
            page_size=str(page_size),
        )
        envelope = await self._api.send(caller, "GET", "/v1/workflows", params=params)
        return read_listing(envelope, key="items", read=_workflow, shown=page * page_size)

    async def workflow(self, caller: Caller, workflow_id: str) -> WorkflowSummary:
        """One workflow."""
        path = f"/v1/workflows/{bodies.segment(workflow_id)}"
        data = bodies.data_of(await self._api.send(caller, "GET", path))
        return _workflow(as_object(data.get("workflow_detail")))


def _workspace(row: JsonObject) -> Workspace:
    return Workspace(*(as_text(row.get(key)) for key in ("id", "name", "role_type", "workspace_type")))


def _app(row: JsonObject) -> AppSummary:
    name, description = as_text(row.get("name")), as_text(row.get("description"))
    return AppSummary(as_text(row.get("id")), name, description, row.get("is_published") is True)


def _workflow(row: JsonObject) -> WorkflowSummary:
    app_id = as_text(row.get("app_id"))
    return WorkflowSummary(
        id=as_text(row.get("workflow_id")),
        name=as_text(row.get("workflow_name")),
        description=as_text(row.get("description")),
        icon_url=as_text(row.get("icon_url")),
        app_id="" if app_id == "0" else app_id,
    )
