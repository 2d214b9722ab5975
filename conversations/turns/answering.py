"""One question travels to Coze and its answer comes back: tokens, Coze's conversation, the stream."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from accounts import signing_in, tokens
from conversations.models import Turn
from conversations.turns import (
    counterparts,
    questions,
    recalling,
    retrying,
    saving,
    tools,
    uploading,
    words,
)
from conversations.turns.executing import Execution, RunFailed
from conversations.turns.retrying import Retries
from conversations.turns.running import RunningTurn
from conversations.turns.tools import ToolsFailed
from conversations.turns.words import AnswerTooLong
from cozechat import database
from cozechat.catalog.clients import coze_client
from cozechat.catalog.models import Assistant
from cozechat.coze.breaker import Breaker
from cozechat.coze.chat_records import BotChat
from cozechat.coze.client import ChatStream
from cozechat.coze.errors import CozeError, TokenRefused, WrongConversation
from cozechat.coze.parts import FilePart
from cozechat.coze.tools import ToolCall, ToolOutput
from cozechat.coze.types import (
    ActionRequired,
    Caller,
    ChatCompleted,
    ChatCreated,
    ChatEvent,
    MessageCompleted,
    MessageDelta,
    WorkflowChat,
)

logger = logging.getLogger(__name__)

# What ends a turn as failed here, other than a CozeError; each has its `failure`.
FAILURES = (AnswerTooLong, RunFailed, ToolsFailed)


async def answer(running: RunningTurn) -> Turn.Status:
    """Ask Coze and let the live turn grow; returns the status it ended with.

    Raises CozeError. Asked again is only after a refusal before anything ran, so nothing can run twice: see
    `retrying` for what is worth a second attempt, and `counterparts` for a conversation that Coze has lost.
    """
    if await recalling.recall(running):
        return Turn.Status.CANCELED if running.stopped else Turn.Status.COMPLETED
    asking = _Asking(running)
    retries = Retries()
    with signing_in.attempt(running.assistant.app) as sign_in:
        while not running.stopped:
            try:
                return await asking.ask(sign_in)
            except WrongConversation:
                logger.critical(
                    "isolation alarm: turn %s was answered in another conversation; nothing of it is shown",
                    running.id,
                )
                raise
            except CozeError as error:
                pause = retries.pause_after(error) if retrying.may_ask_again(running) else None
                if pause is None:
                    raise
                logger.info("turn %s: %s; trying once more in %.1f s", running.id, error, pause)
                if isinstance(error, TokenRefused):
                    await tokens.discard(asking.owner, app=running.assistant.app, token=running.token)
                await retrying.wait(running, seconds=pause)
    return Turn.Status.CANCELED


class _Asking:
    """One question on its way to Coze; what was found out on the way is kept for the next attempt."""

    def __init__(self, running: RunningTurn) -> None:
        self.running = running
        self.owner = running.begun.owner
        self.client = coze_client(running.assistant.app)
        self._history: counterparts.History = ()
        self._files: tuple[FilePart, ...] = ()
        self._may_be_lost = bool(running.begun.line.coze_conversation_id)

    async def ask(self, sign_in: Breaker) -> Turn.Status:
        """One attempt: a token, Coze's conversation, the stream."""
        running = self.running
        running.token = await tokens.access_token(self.owner, app=running.assistant.app)
        caller = Caller(token=running.token, session_name=self.owner.session_name)
        if running.assistant.is_run:
            return await Execution(running, client=self.client, caller=caller).go(sign_in)
        self._files = await uploading.at_coze(running, client=self.client, caller=caller)
        if not running.begun.line.coze_conversation_id:
            self._history = await counterparts.provide(running, client=self.client, caller=caller)
        elif running.begun.turn.continues:
            self._history = await counterparts.unfinished(running)
        try:
            if self._may_be_lost and running.begun.is_cut:
                await counterparts.clear(running, client=self.client, caller=caller)
            return await self._stream(caller, sign_in)
        except counterparts.DOUBTFUL as refusal:
            if not self._may_be_lost or not retrying.may_ask_again(running):
                raise
            history = await counterparts.replace_if_lost(running, refusal, client=self.client, caller=caller)
            self._may_be_lost = False
            if history is None:
                raise
            self._history = history
        return await self._stream(caller, sign_in)

    async def _stream(self, caller: Caller, sign_in: Breaker) -> Turn.Status:
        if self.running.stopped:
            return Turn.Status.CANCELED
        running = self.running
        reading = _Reading(running)
        async with self._asked(caller) as stream:
            sign_in.succeeded()
            await reading.read(stream)
        for _round in range(tools.ROUNDS):
            calls = reading.wanted()
            if running.stopped or not calls:
                break
            outputs = await tools.run(running, calls)
            if not running.stopped:
                await self._submit(caller, outputs, reading)
        if reading.wanted() and not running.stopped:
            raise ToolsFailed(f"still more tools after {tools.ROUNDS} rounds")
        return Turn.Status.CANCELED if running.stopped else reading.status

    @asynccontextmanager
    async def _asked(self, caller: Caller) -> AsyncIterator[ChatStream]:
        """The one question of this turn to Coze."""
        running = self.running
        if running.assistant.kind == Assistant.Kind.BOT:
            asked = self.client.chats.stream(caller, _bot_chat(running, self._history, self._files))
        else:
            asked = self.client.workflow_chat(caller, _chat(running, caller, self._history, self._files))
        async with asked as stream:
            yield stream

    async def _submit(self, caller: Caller, outputs: Sequence[ToolOutput], reading: "_Reading") -> None:
        """Tell Coze what its tools found, once, and read on."""
        running = self.running
        coze_id = running.begun.line.coze_conversation_id
        try:
            async with self.client.chats.stream_tool_outputs(
                caller, coze_id, running.coze_chat_id, outputs=outputs
            ) as stream:
                await reading.read(stream)
        except CozeError as error:
            if tools.cannot_go_on(error):
                raise ToolsFailed(str(error)) from error
            raise


def _chat(
    running: RunningTurn, caller: Caller, history: counterparts.History, files: tuple[FilePart, ...]
) -> WorkflowChat:
    assistant, line = running.assistant, running.begun.line
    return WorkflowChat(
        workflow_id=assistant.workflow_id,
        question=running.begun.question.content,
        conversation_id=line.coze_conversation_id,
        app_id=assistant.coze_app_id or None,
        bot_id=assistant.bot_id or None,
        history=history,
        parameters=running.begun.turn.parameters | uploading.for_chatflow(assistant, files) or None,
        ext={"user_id": caller.session_name},
    )


def _bot_chat(running: RunningTurn, history: counterparts.History, files: tuple[FilePart, ...]) -> BotChat:
    return BotChat(
        bot_id=running.assistant.bot_id,
        question=uploading.for_bot(running.begun.question.content, files),
        conversation_id=running.begun.line.coze_conversation_id,
        history=history,
        parameters=running.begun.turn.parameters or None,
    )


class _Reading:
    """Applies the events of one turn's streams to it."""

    def __init__(self, running: RunningTurn) -> None:
        self.running = running
        self.status = Turn.Status.COMPLETED
        self.settled = False
        self._message_id = ""
        self._seen: set[str] = set()
        self._calls: tuple[ToolCall, ...] = ()

    async def read(self, stream: ChatStream) -> None:
        """A stream until its end, or until nobody wants more of it."""
        running = self.running
        running.log_id, running.stream = stream.log_id, stream
        self.settled, self.status, self._calls = False, Turn.Status.COMPLETED, ()
        async for event in stream:
            if running.stopped:
                break
            await self.take(event)
            if self.settled:
                # Coze may take its time to close the stream: the answer does not wait for that.
                break

    def wanted(self) -> tuple[ToolCall, ...]:
        """The tools that Coze waits for; none where it waits for a person."""
        return self._calls if tools.are_tools(self._calls) else ()

    async def take(self, event: ChatEvent) -> None:
        """One event; only the first of a stream touches the database."""
        match event:
            case MessageDelta() if len(event.content) > words.LARGE:
                await self._large_delta(event)
            case MessageDelta():
                self._delta(event)
            case MessageCompleted():
                await self._completed(event)
            case ChatCreated():
                self.running.coze_chat_id = event.chat_id
                if not await database.run(saving.mark_in_progress, self.running):
                    self.running.stop()
            case ChatCompleted():
                self.running.usage = event.usage
                self.settled = True
            case ActionRequired():
                self.status = Turn.Status.REQUIRES_ACTION
                self.settled = True
                self._calls = event.tool_calls
                self.running.interrupt = {} if self.wanted() else questions.of_chat(event.question)
                self.running.coze_chat_id = self.running.coze_chat_id or event.chat_id

    async def _large_delta(self, event: MessageDelta) -> None:
        """A delta that is long to render comes in pieces, with everybody else's turn between them."""
        if event.reasoning_content:
            words.think(self.running, event.reasoning_content)
        for start in range(0, len(event.content), words.LARGE):
            self._delta(
                replace(event, content=event.content[start : start + words.LARGE], reasoning_content="")
            )
            self.running.live.flush()
            await asyncio.sleep(0)

    def _delta(self, event: MessageDelta) -> None:
        if event.reasoning_content:
            words.think(self.running, event.reasoning_content)
        if not event.content:
            return
        live = self.running.live
        if event.message_id != self._message_id:
            live.part()
            self._message_id = self.running.answer_coze_id = event.message_id
            self._seen.add(event.message_id)
        words.say(self.running, event.content)

    async def _completed(self, event: MessageCompleted) -> None:
        message = event.message
        if message.type == "follow_up" and len(self.running.suggestions) < 5:
            self.running.suggestions.append(words.storable(message.content)[:200])
        elif message.type == "answer" and message.id not in self._seen:
            # An answer that came without deltas: the whole of it at once.
            await self._large_delta(MessageDelta(message.id, message.content, message.reasoning_content))
