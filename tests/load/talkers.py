"""People of a soak: each asks, reads, stops, loses the connection, comes back, and keeps a book of it all."""

import asyncio
import contextlib
import json
import random
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.reader import ENDS, Shown, Tally

DROPS_A_SECOND = 0.02
STOPS = 0.05
TWO_TABS = 0.2
SILENCE, RESEND_AFTER = 8.0, 3.0
_MARK = re.compile(r"k(\d{3})[cx]\d")


@dataclass(slots=True)
class Question:
    """One question as its asker knows it; times are of the wall clock."""

    content: str
    client_id: str
    asked_at: float
    accepted_at: float = 0.0
    turn: str = ""
    ended: str = ""
    sent: int = 0
    told: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Crowd:
    """What all people share: where the site is, when to stop asking, what was counted."""

    urls: list[str]
    tally: Tally = field(default_factory=Tally)
    closing: bool = False
    over: bool = False
    # (number of the user, kind, id) of every turn and conversation that somebody saw.
    seen: set[tuple[int, str, str]] = field(default_factory=set)


class Connection(NamedTuple):
    """One connection of a tab, and what closed it: a code, or "dropped" when we did."""

    since: float
    until: float
    url: str
    code: str


class Person:
    """A user with one tab or two, who talks in one conversation after another."""

    def __init__(self, number: int, *, session: str, crowd: Crowd, chance: random.Random) -> None:
        self.number, self.session, self.crowd, self.chance = number, session, crowd, chance
        self.questions: dict[str, Question] = {}
        self.conversation: str | None = None
        self.conversations: list[str] = []
        self.tabs = [Tab(self) for _each in range(2 if chance.random() < TWO_TABS else 1)]
        self._left_here = 0

    async def live(self) -> None:
        """Talk until the crowd closes; the tabs stay until it is over."""
        async with asyncio.TaskGroup() as tasks:
            for tab in self.tabs:
                tasks.create_task(tab.live())
            tasks.create_task(self._talk())

    async def _talk(self) -> None:
        await asyncio.sleep(self.chance.uniform(0, 4))
        while not self.crowd.closing:
            question = self._next_question()
            self.questions[question.client_id] = question
            await self._ask(question)
            await self._wait_for_the_end(question)
            await asyncio.sleep(self.chance.uniform(0.5, 4))

    def _next_question(self) -> Question:
        """The first tells the assistant a word of this conversation alone; some answers recall it, some count."""
        number = len(self.questions)
        mark = f"k{self.number:03}x{number:03}"
        if self._left_here == 0:
            self._left_here, self.conversation = self.chance.randint(3, 6), None
            content = f"My secret word is k{self.number:03}c{number:03}. {mark}"
        elif self.chance.random() < 0.5:
            content = f"{mark} count to {self.chance.randint(60, 160)}"
        else:
            content = " ".join([mark] * 13)
        self._left_here -= 1
        return Question(content, str(uuid.uuid4()), time.time())

    async def _ask(self, question: Question) -> None:
        """Send it until it is accepted; the same client_id each time."""
        fields = {"client_id": question.client_id, "content": question.content}
        place, tab = self.conversation, self.chance.choice(self.tabs)
        while not question.told.is_set() and not self.crowd.over:
            if await tab.send("turn.start", conversation=place, **fields):
                question.sent += 1
                self.crowd.tally.counts["questions sent"] += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(question.told.wait(), RESEND_AFTER)

    async def _wait_for_the_end(self, question: Question) -> None:
        if self.chance.random() < STOPS:
            await asyncio.sleep(self.chance.uniform(0.2, 3))
            self.asks_about(question.turn)
            await self.chance.choice(self.tabs).send("turn.stop", turn=question.turn)
            self.crowd.tally.counts["stops"] += 1
        while not question.over.is_set() and not self.crowd.over:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(question.over.wait(), SILENCE)
            for tab in self.tabs:
                await tab.ask_if_silent(question.turn)

    def asks_about(self, turn: str) -> None:
        """An end may be told once more to everybody who has been asked for it."""
        for tab in self.tabs:
            tab.shown_of(turn).asked_for += 1

    def accepted(self, frame: dict[str, Any]) -> None:
        """Our question is in the database, the site says."""
        question = self.questions.get(frame["client_id"])
        if question is None:
            return
        if question.turn and question.turn != frame["turn"]:
            self.crowd.tally.breach("doubled turns", f"{question.content[:40]}: two turns")
        question.turn, question.accepted_at = frame["turn"], question.accepted_at or time.time()
        if question.sent > 1:
            self.asks_about(question.turn)
        question.told.set()
        if frame["conversation"] not in self.conversations:
            self.conversations.append(frame["conversation"])
        self.conversation = frame["conversation"]

    def ended(self, turn: str, *, kind: str) -> None:
        """A tab shows the end of an answer."""
        for question in self.questions.values():
            if question.turn == turn:
                if question.ended not in ("", kind):
                    self.crowd.tally.breach("double ends", f"{turn}: {kind} here, {question.ended} there")
                question.ended = kind
                question.over.set()


class Tab:
    """One socket after another, to whichever process; what it shows outlives them."""

    def __init__(self, person: Person) -> None:
        self.person, self.crowd, self.chance = person, person.crowd, person.chance
        self.shown: dict[str, Shown] = {}
        self.connections: list[Connection] = []
        self._socket: ClientConnection | None = None
        self._heard_at: dict[str, float] = {}
        self._opened: set[str] = set()
        self._dropped = False

    def shown_of(self, turn: str) -> Shown:
        """What this tab shows of an answer; nothing yet is something, too."""
        if turn not in self.shown:
            self.shown[turn] = Shown(turn, tally=self.crowd.tally)
        return self.shown[turn]

    async def live(self) -> None:
        """Connected, dropped, connected again."""
        while not self.crowd.over:
            url = self.chance.choice(self.crowd.urls)
            with contextlib.suppress(OSError, InvalidHandshake, TimeoutError):
                await self._connected(url)
            await asyncio.sleep(self.chance.uniform(0.2, 1.2))

    async def _connected(self, url: str) -> None:
        cookie = {"Cookie": f"sessionid={self.person.session}"}
        address = url.replace("http", "ws", 1) + "/ws/chat/"
        async with connect(
            address,
            origin=url,
            additional_headers=cookie,
            compression=None,
            ping_interval=None,
            open_timeout=8,
        ) as socket:
            since, self._dropped = time.time(), False
            dropping = asyncio.create_task(self._drop_sometime(socket))
            try:
                await self._converse(socket)
            finally:
                dropping.cancel()
                self._socket = None
                code = "dropped" if self._dropped or self.crowd.over else str(socket.close_code)
                self.connections.append(Connection(since, time.time(), url, code))

    async def _converse(self, socket: ClientConnection) -> None:
        for shown in self.shown.values():
            shown.reconnected()
        self._opened.clear()
        self._socket = socket
        if self.person.conversation:
            await self.open(self.person.conversation)
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                await self._take(json.loads(text), text=str(text))

    async def _drop_sometime(self, socket: ClientConnection) -> None:
        await asyncio.sleep(self.chance.expovariate(DROPS_A_SECOND))
        self._dropped = True
        self.crowd.tally.counts["connections dropped"] += 1
        socket.transport.abort()

    async def send(self, kind: str, **fields: Any) -> bool:
        """Whether it could be sent at all; that it was is no proof that it arrived."""
        if self._socket is None:
            return False
        try:
            await self._socket.send(json.dumps({"type": kind, **fields}))
        except ConnectionClosed:
            return False
        return True

    async def open(self, conversation: str) -> None:
        """Show a conversation; what runs there may be told from the beginning."""
        for shown in self.shown.values():
            shown.asked_for += not shown.ended
        await self.send("conversation.open", conversation=conversation)

    async def resume(self, turn: str) -> None:
        """Ask for the whole of an answer."""
        shown = self.shown_of(turn)
        shown.syncing = True
        shown.asked_for += 1
        self.crowd.tally.counts["resumes"] += 1
        await self.send("turn.resume", turn=turn, seq=shown.seq)

    async def ask_if_silent(self, turn: str) -> None:
        """Nothing came for a while: what was said may have been lost on the way."""
        if not self.shown_of(turn).ended and time.monotonic() - self._heard_at.get(turn, 0.0) > SILENCE:
            self.crowd.tally.counts["silences ended by asking"] += 1
            await self.resume(turn)

    async def _take(self, frame: dict[str, Any], *, text: str) -> None:
        kind = frame["type"]
        self.crowd.tally.counts["frames"] += 1
        self._look_for_strangers(frame, text=text)
        if kind == "turn.accepted":
            self.person.accepted(frame)
        elif kind == "turn.started" and frame["client_id"] in self.person.questions:
            self.shown_of(frame["turn"])
        elif kind == "conversation.updated":
            await self._updated(frame["conversation"]["id"])
        elif kind == "conversation.state":
            self._state(frame)
        elif kind == "error":
            self.crowd.tally.counts[f"error {frame['code']}"] += 1
        if "turn" in frame and kind.startswith("turn."):
            await self._turn(frame)

    async def _turn(self, frame: dict[str, Any]) -> None:
        turn = frame["turn"]
        shown = self.shown_of(turn)
        self._heard_at[turn] = time.monotonic()
        if shown.take(frame):
            await self.resume(turn)
        if shown.ended:
            self.person.ended(turn, kind=shown.ended)

    async def _updated(self, conversation: str) -> None:
        """A conversation of ours changed; one that is new to this tab is opened, as a click in the list does."""
        if conversation == self.person.conversation and conversation not in self._opened:
            await self.open(conversation)

    def _state(self, frame: dict[str, Any]) -> None:
        self._opened.add(frame["conversation"]["id"])
        if frame["turn"]:
            self.shown_of(frame["turn"]).asked_for += 1
        for message in frame["messages"]:
            if message["role"] == "assistant" and message["status"] in ENDS and not message.get("truncated"):
                shown = self.shown_of(message["turn"])
                shown.replace(message["content"], why="state")
                shown.ended = message["status"]
                self.person.ended(message["turn"], kind=message["status"])

    def _look_for_strangers(self, frame: dict[str, Any], *, text: str) -> None:
        for mark in _MARK.finditer(text):
            if int(mark[1]) != self.person.number:
                self.crowd.tally.breach("foreign frames", f"user {self.person.number} read {mark[0]}")
        for kind in ("turn", "conversation"):
            value = frame.get(kind)
            value = value.get("id") if isinstance(value, dict) else value
            if value:
                self.crowd.seen.add((self.person.number, kind, value))
