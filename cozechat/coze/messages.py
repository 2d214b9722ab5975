"""Messages of a conversation at Coze, and what their readers think of them."""

import enum
from collections.abc import Mapping, Sequence

from cozechat.coze import bodies
from cozechat.coze.api import Api
from cozechat.coze.parts import Content, written
from cozechat.coze.types import Caller, JsonObject, Message, MessagePage


class Feedback(enum.StrEnum):
    """What a reader thinks of an answer, in Coze's words."""

    LIKE = "like"
    UNLIKE = "unlike"


class Messages:
    """The messages of the callers' conversations."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(
        self,
        caller: Caller,
        conversation_id: str,
        *,
        content: Content,
        role: str = "user",
        meta_data: Mapping[str, str] | None = None,
    ) -> Message:
        """Add a question or an answer without asking anybody."""
        text, content_type = written(content)
        payload = bodies.entry(role, text, content_type=content_type)
        payload |= bodies.present(meta_data=dict(meta_data) if meta_data else None)
        return await self._one(caller, "POST", "create", conversation_id, payload=payload)

    async def list(
        self,
        caller: Caller,
        conversation_id: str,
        *,
        limit: int = 50,
        order: str = "desc",
        before_id: str | None = None,
        after_id: str | None = None,
        chat_id: str | None = None,
    ) -> MessagePage:
        """One page of questions and answers; `after_id` goes on in the order that was asked for."""
        payload = bodies.present(
            limit=limit, order=order, before_id=before_id, after_id=after_id, chat_id=chat_id
        )
        params = {"conversation_id": conversation_id}
        path = "/v1/conversation/message/list"
        return bodies.read_message_page(
            await self._api.send(caller, "POST", path, params=params, payload=payload)
        )

    async def retrieve(self, caller: Caller, conversation_id: str, message_id: str) -> Message:
        """One message of one of the caller's conversations."""
        return await self._one(caller, "GET", "retrieve", conversation_id, message_id=message_id)

    async def update(
        self,
        caller: Caller,
        conversation_id: str,
        message_id: str,
        *,
        content: Content | None = None,
        meta_data: Mapping[str, str] | None = None,
    ) -> Message:
        """The message with new content or meta data; what is not given stays."""
        text, content_type = (None, None) if content is None else written(content)
        changes = bodies.present(
            content=text,
            content_type=content_type,
            meta_data=None if meta_data is None else dict(meta_data),
        )
        return await self._one(
            caller, "POST", "modify", conversation_id, message_id=message_id, payload=changes, key="message"
        )

    async def delete(self, caller: Caller, conversation_id: str, message_id: str) -> Message:
        """The message, which is gone; with an answer goes what came between it and its question."""
        return await self._one(caller, "POST", "delete", conversation_id, message_id=message_id, payload={})

    async def set_feedback(
        self,
        caller: Caller,
        conversation_id: str,
        message_id: str,
        *,
        feedback: Feedback,
        reasons: Sequence[str] = (),
        comment: str = "",
    ) -> None:
        """Say what the reader thinks of an answer: at most 10 reasons of 30 characters, a comment of 250."""
        payload: JsonObject = {"feedback_type": str(feedback)}
        payload |= bodies.present(reason_types=[*reasons] or None, comment=comment or None)
        await self._api.send(caller, "POST", _feedback(conversation_id, message_id), payload=payload)

    async def remove_feedback(self, caller: Caller, conversation_id: str, message_id: str) -> None:
        """Take it back."""
        await self._api.send(caller, "DELETE", _feedback(conversation_id, message_id))

    async def _one(
        self,
        caller: Caller,
        method: str,
        act: str,
        conversation_id: str,
        *,
        message_id: str | None = None,
        payload: JsonObject | None = None,
        key: str = "data",
    ) -> Message:
        params = bodies.present(conversation_id=conversation_id, message_id=message_id)
        path = f"/v1/conversation/message/{act}"
        envelope = await self._api.send(caller, method, path, params=params, payload=payload)
        return bodies.read_message(envelope, conversation_id=conversation_id, key=key)


def _feedback(conversation_id: str, message_id: str) -> str:
    conversation, message = bodies.segment(conversation_id), bodies.segment(message_id)
    return f"/v1/conversations/{conversation}/messages/{message}/feedback"
