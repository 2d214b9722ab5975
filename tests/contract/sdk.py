"""cozepy, imported without its warnings, with every client closed at the end."""

import secrets
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

from cozechat.emulator.process import RunningEmulator

# It imports a part of Authlib that is on its way out, and that insists on saying so.
with warnings.catch_warnings(record=True):
    import cozepy
    from cozepy.request import AsyncHTTPClient, SyncHTTPClient

__all__ = ["Sdk", "SyncHTTPClient", "async_coze", "cozepy", "refusal", "said"]


class Sdk:
    """Makes OAuth apps and clients for one emulator."""

    def __init__(self, emulator: RunningEmulator, *, stack: ExitStack) -> None:
        self.emulator = emulator
        self.credentials = emulator.credentials
        self._stack = stack

    def app(self, **changes: str) -> "cozepy.JWTOAuthApp":
        known = self.credentials
        given = {
            "client_id": known.client_id,
            "private_key": known.private_key,
            "public_key_id": known.public_key_id,
            "base_url": self.emulator.base_url,
        } | changes
        app = cozepy.JWTOAuthApp(**given)
        self._stack.callback(app._requester.sync_client.close)
        return app

    def token(self, session_name: str | None) -> str:
        return self.app().get_access_token(ttl=900, session_name=session_name).access_token

    def coze(self, token: str | None = None) -> "cozepy.Coze":
        """A client; without a token that of a new session."""
        auth = cozepy.TokenAuth(token or self.token(f"u_{secrets.token_hex(8)}"))
        return self.with_auth(auth)

    def with_auth(self, auth: Any) -> "cozepy.Coze":
        client = self._stack.enter_context(SyncHTTPClient(trust_env=False))
        return cozepy.Coze(auth=auth, base_url=self.emulator.base_url, http_client=client)

    def stream(
        self, coze: "cozepy.Coze", text: str, conversation_id: str | None = None, **changes: Any
    ) -> Any:
        """Starts a chat and gives the SDK's own stream."""
        return coze.workflows.chat.stream(**self.chat(text, conversation_id, **changes))

    def chat(self, text: str, conversation_id: str | None = None, **changes: Any) -> dict[str, Any]:
        given = {
            "workflow_id": self.credentials.workflow_id,
            "app_id": self.credentials.app_id,
            "conversation_id": conversation_id,
            "additional_messages": [cozepy.Message.build_user_question_text(text)],
        }
        return given | changes


@asynccontextmanager
async def async_coze(sdk: Sdk, token: str) -> AsyncIterator["cozepy.AsyncCoze"]:
    async with AsyncHTTPClient(trust_env=False) as client:
        yield cozepy.AsyncCoze(
            auth=cozepy.AsyncTokenAuth(token), base_url=sdk.emulator.base_url, http_client=client
        )


def said(events: Iterator[Any]) -> str:
    """The deltas of a stream, joined."""
    return "".join(
        event.message.content
        for event in events
        if event.event == cozepy.ChatEventType.CONVERSATION_MESSAGE_DELTA
    )


def refusal(act: Callable[[], Any]) -> "cozepy.CozeAPIError":
    """The SDK's own error that `act` must raise."""
    try:
        act()
    except cozepy.CozeAPIError as error:
        return error
    raise AssertionError("it was not refused")
