"""Bots, through both generations of Coze's endpoints."""

from dataclasses import dataclass

from cozechat.coze import bodies
from cozechat.coze.api import Api
from cozechat.coze.errors import BadResponse
from cozechat.coze.listings import Listing, read_listing
from cozechat.coze.types import Caller, JsonObject, as_int, as_object, as_text


@dataclass(frozen=True, slots=True)
class BotSummary:
    """A bot as a list shows it."""

    id: str
    name: str
    description: str = ""
    icon_url: str = ""
    is_published: bool = True
    published_at: int | None = None

    @classmethod
    def from_json(cls, data: JsonObject) -> "BotSummary":
        """From `/v1/bots`, or from the older list: other names, a time as text, and nothing but published bots."""
        return cls(
            id=as_text(data.get("id")) or as_text(data.get("bot_id")),
            name=as_text(data.get("name")) or as_text(data.get("bot_name")),
            description=as_text(data.get("description")),
            icon_url=as_text(data.get("icon_url")),
            is_published=data.get("is_published", True) is True,
            published_at=as_int(data.get("published_at")) or as_int(data.get("publish_time")),
        )


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot in full, as far as this program can use it."""

    id: str
    name: str = ""
    description: str = ""
    icon_url: str = ""
    version: str = ""
    prologue: str = ""
    suggested_questions: tuple[str, ...] = ()
    model_name: str = ""

    @classmethod
    def from_json(cls, data: JsonObject) -> "Bot":
        """From the object of either generation."""
        bot_id, onboarding = as_text(data.get("bot_id")), as_object(data.get("onboarding_info"))
        if not bot_id:
            raise BadResponse("Coze's bot has no id")
        questions = onboarding.get("suggested_questions")
        return cls(
            id=bot_id,
            name=as_text(data.get("name")),
            description=as_text(data.get("description")),
            icon_url=as_text(data.get("icon_url")),
            version=as_text(data.get("version")),
            prologue=as_text(onboarding.get("prologue")),
            suggested_questions=tuple(map(as_text, questions)) if isinstance(questions, list) else (),
            model_name=as_text(as_object(data.get("model_info")).get("model_name")),
        )


class Bots:
    """The bots that the callers' account may see."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(
        self, caller: Caller, *, workspace_id: str, page: int = 1, page_size: int = 20
    ) -> Listing[BotSummary]:
        """One page of the published bots of a workspace."""
        params = {
            "workspace_id": workspace_id,
            "publish_status": "published_online",
            "page_index": str(page),
            "page_size": str(page_size),
        }
        envelope = await self._api.send(caller, "GET", "/v1/bots", params=params)
        return read_listing(envelope, key="items", read=BotSummary.from_json, shown=page * page_size)

    async def list_published(
        self, caller: Caller, *, workspace_id: str, page: int = 1, page_size: int = 20
    ) -> Listing[BotSummary]:
        """The same from the older endpoint."""
        params = {"space_id": workspace_id, "page_index": str(page), "page_size": str(page_size)}
        envelope = await self._api.send(caller, "GET", "/v1/space/published_bots_list", params=params)
        return read_listing(envelope, key="space_bots", read=BotSummary.from_json, shown=page * page_size)

    async def retrieve(self, caller: Caller, bot_id: str, *, published: bool = True) -> Bot:
        """One bot, or its draft."""
        path = f"/v1/bots/{bodies.segment(bot_id)}"
        params = {"is_published": "true" if published else "false"}
        return Bot.from_json(bodies.data_of(await self._api.send(caller, "GET", path, params=params)))

    async def retrieve_online(self, caller: Caller, bot_id: str) -> Bot:
        """One published bot from the older endpoint."""
        path, params = "/v1/bot/get_online_info", {"bot_id": bot_id}
        return Bot.from_json(bodies.data_of(await self._api.send(caller, "GET", path, params=params)))
