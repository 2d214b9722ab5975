"""A bounded number of connections: who finds none free waits in line, and only for so long.

httpcore's own pool can wait, too. But on a busy machine it was seen to keep connections that nobody had asked for any
more, with their slots: one that becomes free while whoever waited for it gives up is not taken back. So it never waits.
"""

import asyncio
from collections import deque

from cozechat.coze.errors import NoFreeConnection


class Slots:
    """So many at once; `patience` is the longest wait in seconds."""

    def __init__(self, size: int, *, patience: float) -> None:
        self._size = self._free = size
        self._patience = patience
        self._waiting: deque[asyncio.Future[bool]] = deque()

    @property
    def taken(self) -> int:
        """How many are in use."""
        return self._size - self._free

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return sum(not turn.done() for turn in list(self._waiting))

    async def take(self) -> None:
        """A slot, in the order of asking; it has to be given back. Raises NoFreeConnection."""
        if self._free:
            self._free -= 1
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(turn)
        loop.call_later(self._patience, _settle, turn, False)
        try:
            granted = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.give()
            raise
        if not granted:
            raise NoFreeConnection("all connections to Coze are taken")

    def give(self) -> None:
        """Give a slot back: to whoever has waited longest."""
        while self._waiting:
            if _settle(self._waiting.popleft(), True):
                return
        self._free += 1


def _settle(turn: "asyncio.Future[bool]", granted: bool, /) -> bool:
    """Say how somebody's wait has ended; False if it had ended already."""
    if turn.done():
        return False
    turn.set_result(granted)
    return True
