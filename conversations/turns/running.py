"""One running turn as its engine holds it."""

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from django.conf import settings

from conversations.live import LiveTurn
from conversations.turns.beginning import Begun
from cozechat.catalog.models import Assistant
from cozechat.coze.types import Usage


class Reading(Protocol):
    """What comes from Coze, in a stream or poll by poll, until it is closed."""

    async def aclose(self) -> None:
        """End it, from any task."""
        ...


@dataclass(slots=True)
class RunningTurn:
    """What the engine knows of one of its turns between two writes to the database."""

    begun: Begun
    live: LiveTurn
    coze_chat_id: str = ""
    # Of a run: Coze's id of it, when it began, and the question in which it has ended.
    execute_id: str = ""
    run_began_at: datetime | None = None
    interrupt: dict[str, Any] = field(default_factory=dict)
    # It is out and may have arrived; Coze has begun with it.
    posted: bool = False
    accepted: bool = False
    # Coze's id of the (last) message of the answer.
    answer_coze_id: str = ""
    log_id: str = ""
    token: str = field(default="", repr=False)
    usage: Usage | None = None
    suggestions: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    first_delta_at: float | None = None
    first_delta_after: float | None = None
    stream: Reading | None = None
    # The reading loop looks at this after every event; nothing is ever cancelled in flight.
    stopped: bool = False
    # The answer is an earlier one of the owner's: Coze is not asked.
    cached: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Take nothing more from Coze: the flag is seen at the next event."""
        self.stopped = True

    @property
    def taken(self) -> bool:
        """Whether Coze has begun with it."""
        begun = self.posted or self.accepted or self.coze_chat_id or self.live.length or self.usage
        return bool(begun) and not self.cached

    @property
    def goes_on_alone(self) -> bool:
        """Whether another process can bring it to its end: Coze can be asked how far it has come."""
        return bool(self.coze_chat_id or (self.execute_id and self.is_long))

    @property
    def is_long(self) -> bool:
        """Whether it is a run that is looked up again and again."""
        return self.assistant.kind == Assistant.Kind.LONG_WORKFLOW_RUN

    @property
    def longest(self) -> float:
        """How long it may take (seconds)."""
        polls = settings.TURN_POLL_SECONDS * (settings.TURN_POLLS + 30)
        return max(settings.TURN_SECONDS, polls) if self.is_long else settings.TURN_SECONDS

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
