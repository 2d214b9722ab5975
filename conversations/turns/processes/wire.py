"""How hints travel: over the channel layer, to the processes that have something to do with their user.

A process hears the hints of those users that it has sockets or running turns of: one group for each.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import InMemoryChannelLayer, get_channel_layer

from conversations.turns.processes.hints import Hint, read, written
from cozechat import logs

logger = logging.getLogger(__name__)

# Hints that wait to be sent; with more, the newest are dropped: whoever misses them reads the rows.
WAITING = 5_000
_AGAIN_AFTER = 1.0
_LAST_WORDS = 1.0


def _group(user: int) -> str:
    return f"turns.{user}"


def _message(sender: str, hints: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "turns.hints", "from": sender, "hints": list(hints)}


class Wire:
    """One engine's ears and mouth. Sending never waits, and never fails."""

    def __init__(self, layer: Any, *, hear: Callable[[Hint], None]) -> None:
        self._layer, self._hear = layer, hear
        self._name = uuid.uuid4().hex
        self._channel = ""
        self._wanted: set[int] = set()
        self._listening: set[int] = set()
        self._waiting: dict[int, list[dict[str, Any]]] = {}
        self._count = 0
        self._lost = False
        self._wake = asyncio.Event()
        self._all_said = asyncio.Event()
        self._all_said.set()
        self._tasks = [
            asyncio.create_task(work, context=logs.context_of()) for work in (self._talk(), self._receive())
        ]

    @property
    def reaches_others(self) -> bool:
        """Whether the last word got through."""
        return not self._lost

    def listen(self, user: int) -> None:
        """Hear what concerns this user from now on."""
        if user not in self._wanted:
            self._wanted.add(user)
            self._wake.set()

    def keep(self, users: set[int]) -> None:
        """Hear what concerns these users and nobody else; what could not be done before is tried again."""
        self._wanted = set(users)
        if self._wanted != self._listening:
            self._wake.set()

    def send(self, hint: Hint) -> None:
        """Tell the other processes, soon."""
        if self._count < WAITING:
            self._count += 1
            self._all_said.clear()
            self._waiting.setdefault(hint.user, []).append(written(hint))
            self._wake.set()

    async def aclose(self) -> None:
        """Say what is still to be said, then leave."""
        self._wake.set()
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await self._all_said.wait()
        except TimeoutError:
            logger.warning("%d hints were not sent", self._count)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._layer.flush()

    async def _talk(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, {}
            for user, hints in waiting.items():
                await self._publish(user, hints)
                self._count -= len(hints)
            if not self._count:
                self._all_said.set()
            if self._channel:
                await self._subscribe()

    async def _publish(self, user: int, hints: list[dict[str, Any]]) -> None:
        # A second try, because a connection that lay idle may turn out to be dead only now.
        for is_last in (False, True):
            try:
                await self._layer.group_send(_group(user), _message(self._name, hints))
            except Exception as error:
                if is_last:
                    self._note(error)
            else:
                self._note(None)
                return

    async def _subscribe(self) -> None:
        for user in self._wanted ^ self._listening:
            # Who is wanted may change while we wait: what counts is what was done.
            joins = user in self._wanted
            act = self._layer.group_add if joins else self._layer.group_discard
            try:
                await act(_group(user), self._channel)
            except Exception as error:
                self._note(error)
                return
            (self._listening.add if joins else self._listening.discard)(user)

    async def _receive(self) -> None:
        while not self._channel:
            try:
                self._channel = await self._layer.new_channel()
            except Exception as error:
                self._note(error)
                await self._layer.flush()
                await asyncio.sleep(_AGAIN_AFTER)
        self._wake.set()
        while True:
            try:
                message = await self._layer.receive(self._channel)
            except Exception as error:
                self._note(error)
                await asyncio.sleep(_AGAIN_AFTER)
                continue
            if message.get("from") != self._name:
                self._take(message.get("hints"))

    def _take(self, hints: Any) -> None:
        for data in hints if isinstance(hints, list) else ():
            hint = read(data)
            if hint is None:
                continue
            try:
                self._hear(hint)
            except Exception:
                logger.exception("a hint could not be followed: %s", type(hint).__name__)

    def _note(self, error: Exception | None) -> None:
        """One line when the layer is lost, one when it is back."""
        if error is not None and not self._lost:
            logger.warning("no word to other processes: %s; their tabs follow by the database", error)
        elif error is None and self._lost:
            logger.info("other processes hear again")
        self._lost = error is not None


class NoWire:
    """Stands in where the channel layer is in memory: nobody else could hear, so nothing is said."""

    reaches_others = False

    def listen(self, user: int) -> None:
        """Nobody will speak."""

    def keep(self, users: set[int]) -> None:
        """Nobody will speak."""

    def send(self, hint: Hint) -> None:
        """Nobody would hear."""

    async def aclose(self) -> None:
        """Nothing is open."""


def _shared_layer() -> Any:
    """The channel layer, if it reaches other processes."""
    layer = get_channel_layer()
    return None if isinstance(layer, InMemoryChannelLayer) else layer


def open_wire(hear: Callable[[Hint], None]) -> Wire | NoWire:
    """Hints for the running loop; `hear` is called with each that other processes send."""
    layer = _shared_layer()
    return NoWire() if layer is None else Wire(layer, hear=hear)


def post(hint: Hint) -> None:
    """Send one hint from where no engine runs: a command, a shell, another server's thread."""
    layer = _shared_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(_group(hint.user), _message("", [written(hint)]))
    except Exception as error:
        logger.warning("no word to other processes: %s", error)
