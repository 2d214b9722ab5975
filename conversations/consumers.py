"""The socket of one tab: frames in, frames out. It never runs an answer itself.

Channels hands a consumer one frame at a time, so a handler that waits cannot hear "stop". Here a handler
only puts the frame into a bounded inbox; one task works through it, another sends what the outbox holds.
"""

import asyncio
import logging
import time
import uuid
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http import parse_cookie
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import User
from conversations import frames, turns
from conversations.frames import (
    ConversationOpen,
    Frame,
    Ping,
    Refused,
    TurnEdit,
    TurnResume,
    TurnStart,
    TurnStop,
)
from conversations.outboxes import Outbox

logger = logging.getLogger(__name__)

SIGNED_OUT = 4401
OTHER_USER = 4403
TOO_MANY_FRAMES = 4029
TOO_MANY_SOCKETS = 4030
SOCKETS_A_USER = 30
_INBOX = 64
_FRAMES_A_SECOND = 20.0
_FRAMES_AT_ONCE = 60.0


class ChatConsumer(AsyncWebsocketConsumer):
    """`/ws/chat/`, as the contract describes it."""

    # No channel of its own in the channel layer: what a socket hears, its process's hub tells it. (An alias
    # that is not configured means none.)
    channel_layer_alias = ""
    outbox: Outbox | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket; the clean-up happens however it ends (an exception skips `disconnect`)."""
        self._tasks: list[asyncio.Task[None]] = []
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._clean_up()

    async def websocket_connect(self, message: Any) -> None:
        """Accept; whoever is not logged in is told so and closed."""
        await self.accept(subprotocol=self.scope.get("subprotocol"))
        user = self.scope["user"]
        if not isinstance(user, User):
            await self.close(code=SIGNED_OUT)
            return
        hub = turns.hub()
        if len(hub.sockets_of(user.pk)) >= SOCKETS_A_USER:
            await self.close(code=TOO_MANY_SOCKETS)
            return
        self.user = user
        self.outbox = Outbox(
            owner_id=user.pk, language=_language(self.scope, user), session_key=self.scope["session_key"]
        )
        self._inbox: asyncio.Queue[str | None] = asyncio.Queue(_INBOX)
        self._allowance, self._counted_at = _FRAMES_AT_ONCE, time.monotonic()
        turns.engine().join(self.outbox)
        self._tasks = [asyncio.create_task(self._send_all()), asyncio.create_task(self._receive_all())]

    async def websocket_receive(self, message: Any) -> None:
        """Put a frame into the inbox and return at once."""
        if self.outbox is None:
            return
        if not self._allowed() or self._inbox.full():
            self._too_many(self.outbox, message.get("text"))
            return
        self._inbox.put_nowait(message.get("text"))

    def _allowed(self) -> bool:
        """A bucket of frames: so many at once, so many a second."""
        now = time.monotonic()
        self._allowance = min(_FRAMES_AT_ONCE, self._allowance + (now - self._counted_at) * _FRAMES_A_SECOND)
        self._counted_at = now
        self._allowance -= 1
        return self._allowance >= 0

    def _too_many(self, outbox: Outbox, text: str | None) -> None:
        if self._allowance < -2 * _FRAMES_AT_ONCE:
            outbox.close(TOO_MANY_FRAMES)
            return
        with translation.override(outbox.language):
            refused = Refused(
                "rate_limited", _("Too many frames. Slow down."), client_id=frames.client_id_in(text)
            )
        outbox.offer(frames.error(refused))

    async def _send_all(self) -> None:
        """Send what the outbox holds until it is closed; a socket that takes its time delays only itself."""
        assert self.outbox is not None  # noqa: S101 - the task starts with one
        while (text := await self.outbox.next()) is not None:
            await self.base_send({"type": "websocket.send", "text": text})
        await self.close(code=self.outbox.close_code)

    async def _receive_all(self) -> None:
        assert self.outbox is not None  # noqa: S101 - the task starts with one
        with translation.override(self.outbox.language):
            while True:
                text = await self._inbox.get()
                if self.outbox.close_code:
                    return
                await self._answer(text, outbox=self.outbox)

    async def _answer(self, text: str | None, *, outbox: Outbox) -> None:
        """One frame; whatever is wrong with it, the socket stays open."""
        client_id: uuid.UUID | None = None
        try:
            frame = frames.parse(text)
            client_id = getattr(frame, "client_id", None)
            if not isinstance(frame, TurnStop | Ping):
                # What answers it may be long; meanwhile the inbox fills, and is bounded.
                await outbox.room()
            if not outbox.close_code:
                await self._act(frame, outbox=outbox)
        except Refused as refused:
            outbox.offer(frames.error(refused))
        except turns.SignedOut:
            outbox.close(SIGNED_OUT)
        except Exception:
            logger.exception("a frame of user %s could not be answered", self.user.pk)
            text = _("This could not be done. Try again.")
            outbox.offer(frames.error(Refused("busy", text, client_id=str(client_id) if client_id else None)))

    async def _act(self, frame: Frame, *, outbox: Outbox) -> None:
        match frame:
            case TurnStart():
                await turns.start(self.user, frame=frame, outbox=outbox)
            case TurnStop():
                await turns.stop(self.user, turn_id=frame.turn, outbox=outbox)
            case TurnEdit():
                await turns.edit(self.user, frame=frame, outbox=outbox)
            case TurnResume():
                await turns.resume(self.user, turn_id=frame.turn, outbox=outbox)
            case ConversationOpen():
                await turns.open_conversation(self.user, conversation_id=frame.conversation, outbox=outbox)
            case Ping(user=None | self.user.browser_key):
                outbox.offer(frames.build("pong"))
            case Ping():
                # The page is of somebody who was signed in here before: nothing of it may reach this user.
                outbox.close(OTHER_USER)

    def _clean_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self.outbox is not None:
            turns.hub().leave(self.outbox)
            self.outbox = None


def _language(scope: Any, user: User) -> str:
    """The tab's language: the cookie's, else the account's, else what the browser asks for."""
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    wished = parse_cookie(headers.get(b"cookie", "")).get(settings.LANGUAGE_COOKIE_NAME, "") or user.language
    accepted = [part.split(";")[0].strip() for part in headers.get(b"accept-language", "").split(",")]
    for code in filter(None, [wished, *accepted]):
        try:
            return translation.get_supported_language_variant(code)
        except LookupError:
            continue
    return str(settings.LANGUAGE_CODE)
