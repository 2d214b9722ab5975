"""Chats: a workflow or a bot is asked, heard, looked up, waited for, stopped, and told what its tools found."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from cozechat.coze import bodies, chat_records
from cozechat.coze.api import Api
from cozechat.coze.chat_records import BotChat, Chat
from cozechat.coze.events import ChatReader
from cozechat.coze.polling import USUAL, Pace, Polling
from cozechat.coze.refusals import named
from cozechat.coze.streams import ChatStream
from cozechat.coze.tools import ToolOutput
from cozechat.coze.types import Caller, JsonObject, Message, WorkflowChat

BOT_CHAT = "/v3/chat"
SUBMIT = "/v3/chat/submit_tool_outputs"


class Chats:
    """The chats in the callers' conversations; one conversation runs one at a time."""

    def __init__(self, api: Api) -> None:
        self._api = api

    @asynccontextmanager
    async def workflow(self, caller: Caller, chat: WorkflowChat) -> AsyncIterator[ChatStream]:
        """Ask a chat workflow, once; leaving the block early closes the connection."""
        payload = bodies.chat_payload(chat)
        async with self._stream(
            caller, "/v1/workflows/chat", chat.conversation_id, payload=payload
        ) as stream:
            yield stream

    @asynccontextmanager
    async def stream(self, caller: Caller, chat: BotChat) -> AsyncIterator[ChatStream]:
        """Ask a bot, once; leaving the block early closes the connection, `cancel` ends the chat."""
        query = chat_records.bot_chat_query(chat)
        payload = chat_records.bot_chat_payload(chat, user_id=caller.session_name, stream=True)
        async with self._stream(
            caller, BOT_CHAT, chat.conversation_id, payload=payload, params=query
        ) as stream:
            yield stream

    async def create(self, caller: Caller, chat: BotChat) -> Chat:
        """Ask a bot, once, and come back for the answer: see `until_ended` and `list_messages`."""
        query = chat_records.bot_chat_query(chat)
        payload = chat_records.bot_chat_payload(chat, user_id=caller.session_name, stream=False)
        envelope = await self._api.act(caller, BOT_CHAT, params=query, payload=payload)
        return chat_records.read_chat(envelope, conversation_id=chat.conversation_id)

    async def retrieve(self, caller: Caller, conversation_id: str, chat_id: str) -> Chat:
        """How far a chat has come; by GET as documented, though some SDKs send a POST."""
        place = chat_records.place(conversation_id, chat_id)
        envelope = await self._api.send(caller, "GET", f"{BOT_CHAT}/retrieve", params=place)
        return chat_records.read_chat(envelope, conversation_id=conversation_id)

    async def list_messages(self, caller: Caller, conversation_id: str, chat_id: str) -> tuple[Message, ...]:
        """All that a chat has said once it has ended; for a failed one look at `Chat.error` instead."""
        place = chat_records.place(conversation_id, chat_id)
        envelope = await self._api.send(caller, "GET", f"{BOT_CHAT}/message/list", params=place)
        return chat_records.read_messages(envelope, conversation_id=conversation_id)

    async def cancel(self, caller: Caller, conversation_id: str, chat_id: str) -> Chat:
        """End a chat at Coze; its stream is not cut by that. Raises `AlreadyEnded` when nothing runs."""
        place = chat_records.place(conversation_id, chat_id)
        with named():
            envelope = await self._api.act(caller, f"{BOT_CHAT}/cancel", payload={**place}, missing_code=0)
        return chat_records.read_chat(envelope, conversation_id=conversation_id)

    async def submit_tool_outputs(
        self, caller: Caller, conversation_id: str, chat_id: str, *, outputs: Sequence[ToolOutput]
    ) -> Chat:
        """Tell a chat what its tools found, and come back for the rest."""
        payload = chat_records.tool_outputs_payload(outputs, stream=False)
        place = chat_records.place(conversation_id, chat_id)
        envelope = await self._api.act(caller, SUBMIT, params=place, payload=payload)
        return chat_records.read_chat(envelope, conversation_id=conversation_id)

    @asynccontextmanager
    async def stream_tool_outputs(
        self, caller: Caller, conversation_id: str, chat_id: str, *, outputs: Sequence[ToolOutput]
    ) -> AsyncIterator[ChatStream]:
        """Tell a chat what its tools found, and hear the rest."""
        payload = chat_records.tool_outputs_payload(outputs, stream=True)
        place = chat_records.place(conversation_id, chat_id)
        async with self._stream(caller, SUBMIT, conversation_id, payload=payload, params=place) as stream:
            yield stream

    def until_ended(
        self, caller: Caller, conversation_id: str, chat_id: str, *, pace: Pace = USUAL
    ) -> Polling[Chat]:
        """Look a chat up again and again until it has ended or waits for somebody."""

        async def ask() -> Chat:
            return await self.retrieve(caller, conversation_id, chat_id)

        return Polling(ask, start=self._api.transport.start, pace=pace)

    @asynccontextmanager
    async def _stream(
        self,
        caller: Caller,
        path: str,
        conversation_id: str,
        *,
        payload: JsonObject,
        params: Mapping[str, str] | None = None,
    ) -> AsyncIterator[ChatStream]:
        reader = ChatReader(conversation_id=conversation_id)
        async with self._api.stream(caller, path, payload=payload, params=params) as incoming:
            yield ChatStream(incoming, reader=reader, limits=self._api.limits)
