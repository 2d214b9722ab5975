"""A stream of Coze's while it runs: bytes in, typed events out, in order, each once."""

import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from cozechat.coze.calls import Limits
from cozechat.coze.errors import CozeError, TimedOut, Truncated
from cozechat.coze.incoming import Incoming
from cozechat.coze.run_events import RunEvent
from cozechat.coze.sse import EventParser
from cozechat.coze.types import ChatEvent, ChatInProgress, UnknownEvent

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)
# So many names of unknown events are told apart; whoever sends more has no names worth counting.
MOST_UNKNOWN = 50
# Events that only say that somebody is there; a run's heartbeat says that it works, which may take minutes.
NO_CONTENT = (ChatInProgress, UnknownEvent)


class Reader(Protocol[E_co]):
    """Knows what one kind of stream means: `finished` after its end, `done` when nothing more comes."""

    finished: bool
    done: bool

    def read(self, name: str, data: str) -> Sequence[E_co]:
        """What one event means; a failure is raised."""
        ...


class EventStream(Generic[E]):
    """The events of one running stream; `log_id` is Coze's name for the call, `unknown` counts what nobody knows."""

    def __init__(self, incoming: Incoming, *, reader: Reader[E], limits: Limits) -> None:
        self.log_id = incoming.log_id
        self.unknown: Counter[str] = Counter()
        self._incoming = incoming
        self._parser = EventParser(max_line=limits.max_line, max_event=limits.max_event)
        self._reader = reader
        self._frames: deque[tuple[str, str]] = deque()
        self._events: deque[E] = deque()
        self._ended = False
        self._closed = False
        self._patience = limits.content_timeout
        self._content_at = time.monotonic()

    def __aiter__(self) -> "EventStream[E]":
        return self

    async def __anext__(self) -> E:
        while not self._events:
            if self._ended:
                raise StopAsyncIteration
            try:
                await self._advance()
            except CozeError as error:
                self._ended = True
                if not self._reader.finished and not self._closed:
                    error.log_id = error.log_id or self.log_id
                    raise
        return self._events.popleft()

    async def aclose(self) -> None:
        """End the stream here; may be called from another task, whose reading then ends quietly at once."""
        self._ended = self._closed = True
        await self._incoming.aclose()

    async def _advance(self) -> None:
        if self._frames:
            events = self._reader.read(*self._frames.popleft())
            self._events.extend(events)
            self._ended = self._ended or self._reader.done
            self._count(events)
            self._watch(events)
        elif self._parser.breach:
            raise self._parser.breach
        elif chunk := await self._incoming.read():
            self._frames.extend(self._parser.feed(chunk))
            self._watch(())
        elif self._parser.end():
            raise Truncated("the answer stopped within an event")
        else:
            raise Truncated("the answer stopped without an end")

    def _watch(self, events: Sequence[E]) -> None:
        """Give up a stream that is alive and says nothing; what has come and was not read yet may still say something."""
        for event in events:
            if not isinstance(event, NO_CONTENT):
                self._content_at = time.monotonic()
                return
        if self._frames or self._reader.finished:
            return
        if time.monotonic() - self._content_at > self._patience:
            raise TimedOut("Coze kept the connection open and said nothing")

    def _count(self, events: Sequence[E]) -> None:
        for event in events:
            if isinstance(event, UnknownEvent) and (
                event.name in self.unknown or len(self.unknown) < MOST_UNKNOWN
            ):
                self.unknown[event.name] += 1


ChatStream = EventStream[ChatEvent]
RunStream = EventStream[RunEvent]
