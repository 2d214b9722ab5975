"""A process of the site as the machine holds it: an event loop that runs only while it is stepped.

What is not stepped has been stopped (SIGSTOP) or, if it never is again, killed: nothing of it is cleaned up.
"""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from conversations import turns
from tests.conversations.machines.scripted import ScriptedCoze
from tests.reader import Shown, Tally
from tests.tabs import open_tab

T = TypeVar("T")
STEP_SECONDS = 0.004


class Place:
    """One process with an engine of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.frozen = False
        self.dead = False
        self.was_frozen = False
        self._contexts: list[Any] = []
        self.do(self._wake())

    async def _wake(self) -> None:
        turns.engine().start_chores()

    @property
    def runs(self) -> bool:
        """Whether it does anything at present."""
        return not (self.frozen or self.dead)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Let it run until this is done."""
        return self.loop.run_until_complete(work)

    def step(self) -> None:
        """Let it run for a moment."""
        self.do(asyncio.sleep(STEP_SECONDS))

    def connect(self, user: Any, *, session_key: str) -> Any:
        """A socket."""
        context = open_tab(user, session_key=session_key)
        self._contexts.append(context)
        return self.do(context.__aenter__()).communicator

    def bury(self) -> None:
        """After the example: whatever it held is closed, so that the next one finds no trace of it."""
        self.do(self._bury())
        self.loop.close()

    async def _bury(self) -> None:
        from accounts import tokens
        from cozechat.catalog.clients import close_clients

        await turns.engine().aclose()
        for context in self._contexts:
            await context.__aexit__(None, None, None)
        await tokens.aclose()
        await close_clients()


class Page:
    """A tab that outlives its sockets: what it shows, and which frames the network lost or doubled on the way."""

    def __init__(self, user: Any, *, session_key: str, tally: Tally) -> None:
        self.user, self.session_key, self.tally = user, session_key, tally
        self.place: Place | None = None
        self.communicator: Any = None
        self.shown: dict[str, Shown] = {}
        self.accepted: dict[str, str] = {}
        self.heard: list[str] = []
        # Nothing was lost since this socket was opened, and since then these answers were accepted on it.
        self.intact: set[str] = set()
        self._fate: list[str] = []

    @property
    def connected(self) -> bool:
        """Whether a socket is open to a process that has not died."""
        return self.place is not None and not self.place.dead

    def connect(self, place: Place) -> None:
        """Open another socket; what the page shows stays."""
        if self.connected and self.place.runs:  # type: ignore[union-attr]
            self.place.do(self.communicator.disconnect(timeout=5))  # type: ignore[union-attr]
        self.place = place
        self.communicator = place.connect(self.user, session_key=self.session_key)
        self.intact.clear()
        self._fate.clear()
        for shown in self.shown.values():
            shown.reconnected()

    def send(self, kind: str, **fields: Any) -> None:
        """A frame; one to a process that is gone or stopped waits there or is lost."""
        if self.connected:
            self.communicator.input_queue.put_nowait(
                {"type": "websocket.receive", "text": json.dumps({"type": kind, **fields})}
            )

    def ask_for(self, turn: str) -> None:
        """Everything once more."""
        shown = self.shown_of(turn)
        shown.syncing = True
        shown.asked_for += 1
        self.send("turn.resume", turn=turn, seq=shown.seq)

    def shown_of(self, turn: str) -> Shown:
        """What the page shows of an answer."""
        return self.shown.setdefault(turn, Shown(turn, tally=self.tally))

    def doom(self, fate: str) -> None:
        """What befalls the next frame: "lose" or "double"."""
        self._fate.append(fate)

    def spare(self) -> None:
        """The network is well again."""
        self._fate.clear()

    def read(self) -> None:
        """All that has come."""
        while self.connected and not self.communicator.output_queue.empty():
            message = self.communicator.output_queue.get_nowait()
            if message["type"] != "websocket.send":
                self.place = None
                return
            self.heard.append(message["text"])
            frame = json.loads(message["text"])
            for _each in range(self._times(frame)):
                self._take(frame)

    def _times(self, frame: dict[str, Any]) -> int:
        fate = self._fate.pop() if self._fate and frame.get("turn") else ""
        if fate == "lose":
            self.intact.clear()
            if isinstance(frame["turn"], str):
                self.shown_of(frame["turn"]).asked_for += 1
            return 0
        if fate == "double" and isinstance(frame["turn"], str):
            self.shown_of(frame["turn"]).asked_for += 1
        return 2 if fate == "double" else 1

    def _take(self, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        if kind == "turn.accepted":
            self.accepted[frame["client_id"]] = frame["turn"]
            self.intact.add(frame["turn"])
            # Accepted again, a question is also told again how it ended.
            self.shown_of(frame["turn"]).asked_for += 1
        if kind == "conversation.state" and frame["turn"]:
            self.shown_of(frame["turn"]).asked_for += 1
        if kind.startswith("turn.") and self.shown_of(frame["turn"]).take(frame):
            self.ask_for(frame["turn"])


@dataclass(slots=True)
class Asked:
    """A question, and how to send it again."""

    owner: Any
    client_id: str
    content: str
    conversation: str | None


@dataclass(slots=True)
class World:
    """What all examples share."""

    users: list[Any]
    sessions: dict[int, str]
    coze: ScriptedCoze
