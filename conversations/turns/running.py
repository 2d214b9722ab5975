"""One running turn as its engine holds it."""

import asyncio
import time
import uuid
from dataclasses import dataclass, field

from conversations.live import LiveTurn
from conversations.turns.beginning import Begun
from cozechat.catalog.models import Assistant
from cozechat.coze.client import ChatStream
from cozechat.coze.types import Usage


@dataclass(slots=True)
class RunningTurn:
    """What the engine knows of one of its turns between two writes to the database."""

    begun: Begun
    live: LiveTurn
    coze_chat_id: str = ""
    log_id: str = ""
    token: str = field(default="", repr=False)
    usage: Usage | None = None
    suggestions: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    first_delta_at: float | None = None
    first_delta_after: float | None = None
    stream: ChatStream | None = None
    # The reading loop looks at this after every event; nothing is ever cancelled in flight.
    stopped: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Take nothing more from Coze: the flag is seen at the next event."""
        self.stopped = True

    @property
    def taken(self) -> bool:
        """Whether Coze has begun with it."""
        return bool(self.coze_chat_id or self.live.length or self.usage)

    @property
    def id(self) -> uuid.UUID:
        """The turn's id."""
        return self.begun.turn.pk

    @property
    def ids(self) -> dict[str, object]:
        """What its lines in the log belong to."""
        turn = self.live
        return {
            "turn_id": str(turn.id),
            "conversation_id": str(turn.conversation_id),
            "user_id": turn.owner_id,
        }

    @property
    def lease(self) -> uuid.UUID:
        """The fencing token of every write."""
        lease = self.begun.turn.lease
        assert lease is not None  # noqa: S101 - a begun turn has one
        return lease

    @property
    def assistant(self) -> Assistant:
        """Whom the question is for."""
        return self.begun.conversation.assistant
