"""Between a call and its reader: a few pieces wait, then the call waits; a reader who leaves holds nothing up."""

import asyncio
from collections import deque
from collections.abc import Callable

from cozechat.gateway.answers import Accepted, Answer, Suggestion, Text
from cozechat.gateway.errors import Refusal

Piece = Accepted | Text | Suggestion
# Pieces that may wait for a slow reader; beyond that Coze is read no further.
MOST_WAITING = 256


class Outlet:
    """What a call has said and nobody has read yet, and how it ended."""

    def __init__(self, *, on_leave: Callable[[], None], on_heard: Callable[[], None]) -> None:
        self.left = False
        self._on_leave = on_leave
        self._on_heard = on_heard
        self._pieces: deque[Piece] = deque()
        self._outcome: Answer | Refusal | None = None
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()

    async def put(self, piece: Piece) -> None:
        """Hand a piece out; waits while the reader is too far behind. Without a reader it is thrown away."""
        while len(self._pieces) >= MOST_WAITING and not self.left:
            self._taken.clear()
            await self._taken.wait()
        if not self.left:
            self._pieces.append(piece)
            self._changed.set()

    def end(self, outcome: Answer | Refusal) -> None:
        """Nothing more comes. The second time changes nothing."""
        if self._outcome is None:
            self._outcome = outcome
            self._changed.set()

    def leave(self) -> None:
        """The reader goes: with all that was said and its end, or before."""
        if self.left:
            return
        heard, self.left = self.outcome is not None, True
        self._pieces.clear()
        self._taken.set()
        if heard:
            self._on_heard()
        elif self._outcome is None:
            self._on_leave()

    @property
    def outcome(self) -> Answer | Refusal | None:
        """How the call ended, once every piece has been taken."""
        return None if self._pieces else self._outcome

    async def wait(self, seconds: float) -> bool:
        """Whether there is something to take, or an end, within that time."""
        if not self._pieces and self._outcome is None:
            self._changed.clear()
            # Not `asyncio.timeout`, which does several times the work for each piece.
            bell = asyncio.get_running_loop().call_later(seconds, self._changed.set)
            try:
                await self._changed.wait()
            finally:
                bell.cancel()
        return bool(self._pieces) or self._outcome is not None

    def take(self) -> list[Piece]:
        """Everything that waits."""
        pieces = list(self._pieces)
        self._pieces.clear()
        self._taken.set()
        return pieces

    async def finished(self) -> Answer:
        """The whole answer, for a reader who wants no pieces. Raises Refusal."""
        while self.outcome is None:
            await self.wait(3600)
            self.take()
        if isinstance(self._outcome, Refusal):
            raise self._outcome
        assert self._outcome is not None  # noqa: S101 - for the type checker: the loop has seen to it
        return self._outcome
