"""What the open sockets of this process still have to send, and who follows what: memory only.

A slow socket never holds up an answer or another socket: its outbox is bounded, and when it overflows the
deltas in it are dropped for one `turn.sync`.
"""

import asyncio
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from django.utils import translation

# What one socket may have waiting before its deltas are dropped for a sync (characters of frames).
BACKLOG = 256 * 1024
# A socket with this many frames waiting that cannot be dropped is gone or hostile.
FRAMES = 2_000
# Conversations one socket may follow; the one followed longest ago gives way.
FOLLOWED = 64

Localised = Callable[[], str]


class Growing(Protocol):
    """A running answer, as far as an outbox has to do with it."""

    id: uuid.UUID

    def flush(self) -> None:
        """Send what piled up."""

    def sync_frames(self) -> list[str]:
        """The whole answer so far."""


@dataclass(slots=True)
class _Waiting:
    text: str
    delta_of: uuid.UUID | None


class Outbox:
    """What one socket still has to send, in order."""

    def __init__(self, *, owner_id: int, language: str, session_key: str) -> None:
        self.owner_id = owner_id
        self.language = language
        self.session_key = session_key
        # Since when (epoch seconds): what ended before that, the tab was told with the conversation's state.
        self.followed: OrderedDict[uuid.UUID, float] = OrderedDict()
        self.close_code: int | None = None
        self.gone = False
        self._waiting: deque[_Waiting] = deque()
        self._size = 0
        self._stale: dict[uuid.UUID, Growing] = {}
        self._filled = asyncio.Event()
        self._taken = asyncio.Event()

    async def room(self) -> None:
        """Wait until the socket has read most of what waits for it: a whole answer is no reply to one that does not."""
        while self._size > BACKLOG:
            self._taken.clear()
            await self._taken.wait()

    def offer(self, text: str) -> None:
        """Queue a frame that must arrive; a socket that lets thousands pile up is closed."""
        if len(self._waiting) >= FRAMES:
            self.close(4008)
            return
        self._put(text, delta_of=None)

    def offer_delta(self, text: str, *, turn: Growing) -> None:
        """Queue a frame that a later sync of its turn can stand in for."""
        if turn.id in self._stale:
            return
        if self._size + len(text) > BACKLOG:
            self._drop_deltas_of(turn)
            return
        self._put(text, delta_of=turn.id)

    def refresh(self, turn: Growing) -> None:
        """Send the whole answer once the socket has taken what waits: it has become another, or has leapt ahead."""
        self._drop_deltas_of(turn)
        self._filled.set()

    def forget(self, turn: Growing) -> None:
        """What waits of this turn is of no use any more."""
        self._drop_deltas_of(turn)
        del self._stale[turn.id]

    def close(self, code: int) -> None:
        """Ask the socket to close once it comes around."""
        self.close_code = self.close_code or code
        self._filled.set()

    async def next(self) -> str | None:
        """The next frame; None when the socket is to be closed with `close_code`."""
        while True:
            if self.close_code and (self.close_code == 4008 or not self._waiting):
                return None
            if self._waiting:
                return self._pop()
            if self._stale:
                self._sync_stale()
                continue
            self._filled.clear()
            await self._filled.wait()

    def end_of(self, turn: Growing) -> None:
        """The turn ends: what was dropped of it is made good before its last frames."""
        if self._stale.pop(turn.id, None):
            for text in turn.sync_frames():
                self._put(text, delta_of=None)

    def _put(self, text: str, *, delta_of: uuid.UUID | None) -> None:
        self._waiting.append(_Waiting(text, delta_of))
        self._size += len(text)
        self._filled.set()

    def _pop(self) -> str:
        entry = self._waiting.popleft()
        self._size -= len(entry.text)
        self._taken.set()
        return entry.text

    def _drop_deltas_of(self, turn: Growing) -> None:
        self._stale[turn.id] = turn
        self._waiting = deque(entry for entry in self._waiting if entry.delta_of != turn.id)
        self._size = sum(len(entry.text) for entry in self._waiting)
        self._taken.set()

    def _sync_stale(self) -> None:
        turn = next(iter(self._stale.values()))
        turn.flush()
        del self._stale[turn.id]
        for text in turn.sync_frames():
            self._put(text, delta_of=turn.id)


class Hub:
    """Which sockets of this process belong to whom and follow what."""

    def __init__(self) -> None:
        self._by_owner: dict[int, set[Outbox]] = {}
        self._by_conversation: dict[uuid.UUID, set[Outbox]] = {}

    def join(self, outbox: Outbox) -> None:
        """A socket is open."""
        self._by_owner.setdefault(outbox.owner_id, set()).add(outbox)

    def leave(self, outbox: Outbox) -> None:
        """A socket is gone, and follows nothing any more."""
        outbox.gone = True
        _discard(self._by_owner, outbox.owner_id, outbox)
        for conversation_id in list(outbox.followed):
            self.unfollow(outbox, conversation_id)

    def follow(self, outbox: Outbox, conversation_id: uuid.UUID, *, since: float | None = None) -> None:
        """The socket wants all that happens in a conversation; its owner was checked by who calls.

        `since`: when the state that it is shown was read, in epoch seconds.
        """
        if outbox.gone:
            return
        outbox.followed[conversation_id] = since or outbox.followed.get(conversation_id) or time.time()
        outbox.followed.move_to_end(conversation_id)
        self._by_conversation.setdefault(conversation_id, set()).add(outbox)
        if len(outbox.followed) > FOLLOWED:
            self.unfollow(outbox, next(iter(outbox.followed)))

    def unfollow(self, outbox: Outbox, conversation_id: uuid.UUID) -> None:
        """The socket no longer cares for a conversation."""
        outbox.followed.pop(conversation_id, None)
        _discard(self._by_conversation, conversation_id, outbox)

    def sockets_of(self, owner_id: int) -> list[Outbox]:
        """The owner's open sockets."""
        return list(self._by_owner.get(owner_id, ()))

    def followers(self, conversation_id: uuid.UUID, *, owner_id: int) -> list[Outbox]:
        """The owner's sockets that follow a conversation; a socket of anybody else is never among them."""
        return [
            outbox for outbox in self._by_conversation.get(conversation_id, ()) if outbox.owner_id == owner_id
        ]

    def owners(self) -> set[int]:
        """Whoever has a socket open."""
        return set(self._by_owner)

    def is_followed(self, conversation_id: uuid.UUID) -> bool:
        """Whether any socket follows a conversation."""
        return conversation_id in self._by_conversation

    def followed(self) -> set[uuid.UUID]:
        """The conversations that any socket follows."""
        return set(self._by_conversation)

    def count(self) -> int:
        """How many sockets are open."""
        return sum(len(sockets) for sockets in self._by_owner.values())

    def all(self) -> Iterator[Outbox]:
        """Every open socket."""
        return (outbox for sockets in list(self._by_owner.values()) for outbox in list(sockets))


def _discard(index: dict[Any, set[Outbox]], key: Any, outbox: Outbox) -> None:
    sockets = index.get(key)
    if sockets is not None:
        sockets.discard(outbox)
        if not sockets:
            del index[key]


def send(outboxes: Iterable[Outbox], make: Localised, *, turn: Growing | None = None) -> None:
    """Offer a frame to each socket in its own language; `make` is called under that language, once each."""
    made: dict[str, str] = {}
    for outbox in outboxes:
        if outbox.language not in made:
            with translation.override(outbox.language):
                made[outbox.language] = make()
        if turn is not None:
            outbox.end_of(turn)
        outbox.offer(made[outbox.language])
