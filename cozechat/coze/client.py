"""Coze as this program sees it: one client for each app, with a room for each kind of thing.

    async with client.chats.workflow(caller, chat) as stream:
        async for event in stream:
            ...

A call either returns what it promises or raises a `CozeError`.
"""

import time
from collections.abc import Callable

from cozechat.coze.account import Account
from cozechat.coze.api import Api
from cozechat.coze.bots import Bots
from cozechat.coze.calls import DEFAULT_LIMITS, Limits
from cozechat.coze.chats import Chats
from cozechat.coze.conversations import Conversations
from cozechat.coze.credentials import Credentials, IssuedToken
from cozechat.coze.exchanging import Exchanges
from cozechat.coze.files import Files
from cozechat.coze.messages import Messages
from cozechat.coze.runs import Runs
from cozechat.coze.streams import ChatStream
from cozechat.coze.transport import Transport
from cozechat.coze.variables import Variables

__all__ = ["ChatStream", "CozeClient"]


class CozeClient:
    """One Coze app, in one event loop."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._transport = Transport(credentials.base_url, limits=limits, clock=clock)
        self._exchanges = Exchanges(credentials, transport=self._transport, clock=clock)
        api = Api(credentials, transport=self._transport, limits=limits)
        self.conversations = Conversations(api)
        self.messages = Messages(api)
        self.chats = Chats(api)
        self.runs = Runs(api)
        self.files = Files(api)
        self.bots = Bots(api)
        self.account = Account(api)
        self.variables = Variables(api)
        # Short names of what a chat application does most.
        self.create_conversation = self.conversations.create
        self.list_conversations = self.conversations.list
        self.retrieve_conversation = self.conversations.retrieve
        self.rename_conversation = self.conversations.rename
        self.delete_conversation = self.conversations.delete
        self.clear_conversation = self.conversations.clear
        self.list_messages = self.messages.list
        self.workflow_chat = self.chats.workflow

    @property
    def is_refusing(self) -> bool:
        """Whether calls fail at once, Coze having failed to answer several in a row."""
        return self._transport.is_refusing

    @property
    def taken(self) -> tuple[int, int]:
        """How many connections calls have now, and how many streams."""
        return self._transport.taken

    @property
    def waiting(self) -> tuple[int, int]:
        """How many calls wait for a connection, and how many streams."""
        return self._transport.waiting

    async def aclose(self) -> None:
        """Close every connection; what still runs fails."""
        await self._transport.aclose()

    async def exchange(self, *, session_name: str, ttl: int) -> IssuedToken:
        """A token of `session_name` that lives at most `ttl` seconds, bought with a key that Coze takes."""
        return await self._exchanges.token(session_name=session_name, ttl=ttl)
