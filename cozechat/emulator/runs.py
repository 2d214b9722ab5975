"""One answer being given: its life on the clock, and its frames with the moment at which each is due."""

import asyncio
import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from cozechat.emulator import chat as chats
from cozechat.emulator.chat import Chat, ToolCall, Usage
from cozechat.emulator.frames import ASKED_BACK, FINISHED, ChatFrames, finish_content, verbose_content
from cozechat.emulator.seed import WORKSPACE_ID
from cozechat.emulator.speech import Speech, whole
from cozechat.emulator.store import Conversation, Message
from cozechat.emulator.wire import compact, frame, quoted
from cozechat.emulator.world import World

SERVER_ERROR = (5000, "server error")


class Part(enum.Enum):
    """Which part of a stream a moment belongs to."""

    START = "start"
    WHOLE = "whole"
    """A message between the deltas."""
    DELTA = "delta"
    END = "end"
    RESET = "reset"
    """Not a frame: the connection breaks here."""


class Moment(NamedTuple):
    """Bytes and the second, counted from the start, at which they are due."""

    due: float
    data: bytes
    part: Part


class AskBack(enum.Enum):
    """How a flow that waits for its user says so."""

    NO = "no"
    VERBOSE = "verbose"
    REQUIRES_ACTION = "requires_action"


@dataclass(slots=True, kw_only=True)
class Run:
    """A chat in progress; it ends on the clock, whether or not anybody still reads."""

    world: World
    conversation: Conversation
    chat: Chat
    asker: str | None
    """The session that asks; in a leaky world not always the conversation's own."""
    speeches: list[Speech]
    """What is said, in order."""
    interval: float
    usage: Usage
    space: str = " "
    follow_ups: tuple[str, ...] = ()
    asks_back: AskBack = AskBack.NO
    calls: list[ToolCall] = field(default_factory=list)
    """The tools that it asks its caller to run."""
    raw_line_ends: bool = False
    shown_conversation_id: str = ""
    doom: tuple[int, str] | None = None
    """The error with which it will end instead of an answer."""
    over: bool = False
    _closing: list[Speech] = field(default_factory=list, init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    @property
    def answer(self) -> Speech:
        """The first answer, which faults may change."""
        return next((speech for speech in self.speeches if speech.kind == "answer"), self.speeches[-1])

    @property
    def frames(self) -> ChatFrames:
        shown = self.shown_conversation_id or self.conversation.id
        return ChatFrames(chat=self.chat, shown_conversation_id=shown, space=self.space)

    @property
    def pieces(self) -> int:
        return sum(speech.pieces for speech in self.speeches)

    def start(self) -> None:
        self.world.running[self.conversation.id] = self
        self.chat.status = "in_progress"
        self._save()
        self._closing = list(self._last_words())
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.interval * (self.pieces + 1), self.finish)

    def finish(self) -> None:
        """Stores the answer and lets the conversation go; the second time does nothing."""
        if self.over:
            return
        if self.doom is not None:
            self.fail(*self.doom)
            return
        now = self.world.now()
        self._end()
        if self.calls:
            self.chat.require(self.calls, at=now)
        else:
            self.chat.complete(self.usage, at=now)
        self._save()
        if self.chat.saves_history:
            for speech in (*self.speeches, *self._closing):
                self.world.store.add_message(self._message(speech, at=now))

    def fail(self, code: int = SERVER_ERROR[0], msg: str = SERVER_ERROR[1]) -> None:
        """Ends without an answer; the second time does nothing."""
        if not self.over:
            self._end()
            self.chat.fail(code, msg=msg, at=self.world.now())
            self._save()

    def cancel(self) -> None:
        """Ends without an answer, and leaves nothing in the context; an open stream runs on."""
        self._end()
        self.chat.cancel(at=self.world.now())
        self._save()
        self.world.store.cancel_chat(self.chat.id)

    def _end(self) -> None:
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
        if self.world.running.get(self.conversation.id) is self:
            del self.world.running[self.conversation.id]

    def _save(self) -> None:
        chats.save(self.world.store.documents, self.chat)

    def _message(self, speech: Speech, *, at: int) -> Message:
        return Message(
            id=speech.message_id,
            conversation_id=self.conversation.id,
            section_id=self.conversation.section_id,
            chat_id=self.chat.id,
            bot_id=self.chat.bot_id,
            role="assistant",
            type=speech.kind,
            content=speech.content,
            content_type="text",
            meta_data={},
            created_at=at,
            updated_at=at,
            reasoning_content="".join(speech.reasoning),
        )

    @property
    def debug_url(self) -> str:
        place = f"space_id={WORKSPACE_ID}&workflow_id={self.chat.assistant_id}"
        return f"https://www.coze.cn/work_flow?execute_id={self.chat.id}&{place}"

    def _last_words(self) -> Iterator[Speech]:
        """The messages after the answers."""
        fresh = self.world.ids.next
        if self.calls:
            return
        if self.asks_back is AskBack.VERBOSE:
            yield whole(fresh(), kind="verbose", content=verbose_content("interrupt", data=""))
        reason = FINISHED if self.asks_back is AskBack.NO else ASKED_BACK
        yield whole(fresh(), kind="verbose", content=finish_content(reason))
        for question in self.follow_ups:
            yield whole(fresh(), kind="follow_up", content=question)

    def moments(self) -> Iterator[Moment]:
        """The stream of a chat that goes well."""
        yield Moment(0.0, self.frames.opening("created"), Part.START)
        yield Moment(0.0, self.frames.opening("in_progress"), Part.START)
        due = 0.0
        for speech in self.speeches[:-1]:
            for moment in self._streamed(speech, due=due):
                due = moment.due
                yield moment
            yield Moment(due, self.frames.said(speech, at=self.world.now()), Part.WHOLE)
        last = self.speeches[-1]
        for moment in self._streamed(last, due=due):
            due = moment.due
            yield moment
        # Before the last frames, not after: who has read "completed" may speak again at once.
        self.finish()
        for data in self._ending(last):
            yield Moment(due, data, Part.END)

    def _streamed(self, speech: Speech, *, due: float) -> Iterator[Moment]:
        """The deltas of an answer; a question comes whole, as in the documentation's sample."""
        if speech.kind != "answer" or self.asks_back is not AskBack.NO:
            return
        for piece in speech.reasoning:
            due += self.interval
            yield Moment(due, self.frames.reasoning(speech, piece=piece), Part.DELTA)
        before, after = self.frames.delta_parts(speech)
        for token in speech.tokens[:-1]:
            due += self.interval
            content = quoted(token, raw_line_ends=self.raw_line_ends)
            yield Moment(due, f"{before}{content}{after}".encode(), Part.DELTA)
        if speech.tokens:
            data = self.frames.last_delta(speech, at=self.world.now(), raw_line_ends=self.raw_line_ends)
            yield Moment(due + self.interval, data, Part.DELTA)

    def _ending(self, last: Speech) -> Iterator[bytes]:
        frames, now = self.frames, self.world.now()
        yield frames.said(last, at=now)
        for speech in self._closing:
            yield frames.said(speech, at=now)
        if self.chat.status in ("completed", "requires_action") and self.asks_back is not AskBack.VERBOSE:
            yield frames.closing()
        yield frames.done(self.debug_url)

    def failure(self, name: str, *, code: int, msg: str) -> Iterator[bytes]:
        """How a stream says that it failed; only an `error` event is not followed by `done`."""
        self.fail(code, msg)
        if name == "error-event":
            yield self.frames.error(code, msg=msg)
            return
        bare = name == "chat-failed-bare"
        yield self.frames.failed_bare(code, msg=msg) if bare else self.frames.closing()
        yield self.frames.done(self.debug_url)

    def strange(self) -> bytes:
        """Events that nobody knows."""
        known = frame("PING", '{"content":"{}"}', space=self.space)
        return known + frame("conversation.message.sparkle", '{"x":1}', space=self.space)

    def heartbeat(self) -> bytes:
        return frame("ping", "{}", space=self.space)

    def piece(self, content: bytes) -> bytes:
        """A delta around raw bytes, which need not be text."""
        before, after = self.frames.delta_parts(self.answer)
        return before.encode() + b'"' + content + b'"' + after.encode()


def question_call(question: str, *, call_id: str) -> ToolCall:
    """How a question node asks where tools are asked for."""
    return ToolCall(call_id, "reply_message", compact({"question": question}), type="reply_message")
