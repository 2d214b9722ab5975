"""A call that may begin, as plain facts."""

import time
from dataclasses import dataclass, field

from accounts.models import User
from cozechat.gateway import memory
from cozechat.gateway.models import ApiKey, Interruption, StickyConversation
from cozechat.gateway.requests import Asked
from cozechat.gateway.routes import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A call that has passed every check that costs nothing; `user` and `conversation` need not have a row yet."""

    request_id: str
    key: ApiKey
    user: User
    route: Route
    asked: Asked
    conversation: StickyConversation | None = None
    interruption: Interruption | None = None
    remembered: memory.Wanted | None = None
    created: int = field(default_factory=lambda: int(time.time()))
