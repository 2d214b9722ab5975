"""Conversations at Coze: each belongs to the caller that made it, and to nobody else."""

from collections.abc import Mapping

from cozechat.coze import bodies
from cozechat.coze.api import Api
from cozechat.coze.types import Caller, Conversation, ConversationPage


class Conversations:
    """The callers' conversations."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(
        self,
        caller: Caller,
        *,
        bot_id: str | None = None,
        name: str | None = None,
        meta_data: Mapping[str, str] | None = None,
    ) -> Conversation:
        """A new conversation that belongs to the caller."""
        payload = bodies.present(bot_id=bot_id, name=name, meta_data=dict(meta_data) if meta_data else None)
        envelope = await self._api.send(caller, "POST", "/v1/conversation/create", payload=payload)
        return bodies.read_conversation(envelope)

    async def list(
        self, caller: Caller, *, bot_id: str, page_num: int = 1, page_size: int = 50
    ) -> ConversationPage:
        """The caller's conversations that were created with `bot_id`, newest first."""
        params = {
            "bot_id": bot_id,
            "page_num": str(page_num),
            "page_size": str(page_size),
            "sort_order": "DESC",
        }
        envelope = await self._api.send(caller, "GET", "/v1/conversations", params=params)
        return bodies.read_conversation_page(envelope)

    async def retrieve(self, caller: Caller, conversation_id: str) -> Conversation:
        """One conversation of the caller."""
        params = {"conversation_id": conversation_id}
        envelope = await self._api.send(caller, "GET", "/v1/conversation/retrieve", params=params)
        return bodies.read_conversation(envelope)

    async def rename(self, caller: Caller, conversation_id: str, *, name: str) -> Conversation:
        """The conversation under its new name of at most 100 characters."""
        envelope = await self._api.send(caller, "PUT", _path(conversation_id), payload={"name": name})
        return bodies.read_conversation(envelope)

    async def delete(self, caller: Caller, conversation_id: str) -> None:
        """Delete one conversation of the caller."""
        await self._api.send(caller, "DELETE", _path(conversation_id))

    async def clear(self, caller: Caller, conversation_id: str) -> str:
        """Make Coze forget what was said; the messages stay listed. Returns the id of the new section."""
        envelope = await self._api.send(caller, "POST", f"{_path(conversation_id)}/clear", payload={})
        return bodies.read_section_id(envelope)


def _path(conversation_id: str) -> str:
    return f"/v1/conversations/{bodies.segment(conversation_id)}"
