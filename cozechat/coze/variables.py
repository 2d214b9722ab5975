"""User variables: what a bot or an app remembers of one user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cozechat.coze import bodies
from cozechat.coze.api import Api
from cozechat.coze.errors import BadRequest
from cozechat.coze.types import Caller, JsonObject, as_int, as_text

PATH = "/v1/variables"


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable with its value."""

    keyword: str
    value: str
    created_at: int = 0
    updated_at: int = 0

    @classmethod
    def from_json(cls, data: JsonObject) -> "Variable":
        """From an item of the API."""
        return cls(
            keyword=as_text(data.get("keyword")),
            value=as_text(data.get("value")),
            created_at=as_int(data.get("create_time")) or 0,
            updated_at=as_int(data.get("update_time")) or 0,
        )


class Variables:
    """The callers' own variables: `connector_uid` is their session_name, so nobody names another's."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def retrieve(
        self,
        caller: Caller,
        *,
        bot_id: str | None = None,
        app_id: str | None = None,
        keywords: Sequence[str] = (),
    ) -> tuple[Variable, ...]:
        """Those asked for by name, or all."""
        params = _place(caller, bot_id=bot_id, app_id=app_id)
        params |= bodies.present(keywords=",".join(keywords) or None)
        data = bodies.data_of(await self._api.send(caller, "GET", PATH, params=params))
        return tuple(Variable.from_json(item) for item in bodies.items_of(data.get("items")))

    async def update(
        self,
        caller: Caller,
        values: Mapping[str, str],
        *,
        bot_id: str | None = None,
        app_id: str | None = None,
    ) -> None:
        """Give these variables these values; the others keep theirs."""
        rows = [{"keyword": keyword, "value": value} for keyword, value in values.items()]
        payload = {**_place(caller, bot_id=bot_id, app_id=app_id), "data": rows}
        await self._api.send(caller, "PUT", PATH, payload=payload)


def _place(caller: Caller, *, bot_id: str | None, app_id: str | None) -> JsonObject:
    if (bot_id is None) == (app_id is None):
        raise BadRequest("variables belong to exactly one of a bot and an app")
    return bodies.present(bot_id=bot_id, app_id=app_id, connector_uid=caller.session_name)
