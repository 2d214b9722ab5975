"""A workflow's run on its way: streamed node by node, waited for, or begun for later and looked up until it ends.

A run for later is begun once. Its id is in its row before anything else happens, so whichever process has the turn
looks it up, and none begins it again.
"""

import enum
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.utils import timezone

from conversations.models import Turn
from conversations.turns import failures, outputs, questions, retrying, saving, wishes, words
from conversations.turns.failures import Failure
from conversations.turns.nodes import Nodes
from conversations.turns.running import RunningTurn
from cozechat import database
from cozechat.catalog.models import Assistant
from cozechat.coze.breaker import Breaker
from cozechat.coze.client import CozeClient
from cozechat.coze.errors import (
    BadResponse,
    ConnectionLost,
    CozeError,
    NotFound,
    TimedOut,
    Truncated,
    UpstreamFailed,
)
from cozechat.coze.outputs import RunOutput
from cozechat.coze.polling import Pace, PollsSpent
from cozechat.coze.refusals import AlreadyEnded
from cozechat.coze.run_events import RunDone, RunEvent, RunInterrupted, RunMessage
from cozechat.coze.run_records import Interrupt, RunHistory, RunResult, WorkflowRun
from cozechat.coze.statuses import Status
from cozechat.coze.streams import RunStream
from cozechat.coze.types import Caller

# After these Coze may have run it; after any other it has not.
_NOBODY_KNOWS = (BadResponse, ConnectionLost, TimedOut, Truncated, UpstreamFailed)


class Manner(enum.StrEnum):
    """How Coze is asked; a run that has asked back is resumed as it was begun."""

    STREAMED = "streamed"
    WAITED_FOR = "waited"
    LONG = "long"


class RunFailed(Exception):
    """The turn ends here for a reason that Coze has no code for."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.coze_error or failure.code)
        self.failure = failure


def manner_of(running: RunningTurn) -> Manner:
    """How this turn's run is asked for."""
    waiting = running.begun.turn.answers
    if waiting is not None:
        return Manner(waiting.interrupt["manner"])
    if running.assistant.kind == Assistant.Kind.LONG_WORKFLOW_RUN:
        return Manner.LONG
    return Manner.STREAMED if running.assistant.is_streamed else Manner.WAITED_FOR


class Execution:
    """One run, as far as it has come."""

    def __init__(self, running: RunningTurn, *, client: CozeClient, caller: Caller) -> None:
        self.running, self.client, self.caller = running, client, caller
        self.nodes = Nodes(running)
        self._manner = manner_of(running)
        self._waiting = running.begun.turn.answers
        self._speaker = ""
        self._end = ""

    async def go(self, sign_in: Breaker) -> Turn.Status:
        """The status that the turn ends with. Raises CozeError, RunFailed, AnswerTooLong."""
        if self.running.stopped:
            return Turn.Status.CANCELED
        try:
            return await self._go(sign_in)
        except CozeError as error:
            self.running.posted = isinstance(error, _NOBODY_KNOWS)
            if not retrying.may_ask_again(self.running):
                await self.nodes.fail()
            raise

    async def _go(self, sign_in: Breaker) -> Turn.Status:
        if self.running.execute_id:
            return await self._look_on()
        self.running.posted = True
        async with self._answerable():
            if self._manner is Manner.STREAMED:
                return await self._stream(sign_in)
            if self._manner is Manner.WAITED_FOR:
                result = await self._result()
                sign_in.succeeded()
                return await self._finish(result)
            await self._begin()
            sign_in.succeeded()
        return await self._look_on()

    @asynccontextmanager
    async def _answerable(self) -> AsyncIterator[None]:
        """A refusal to go on with what was interrupted closes the question: nobody waits for its answer."""
        try:
            yield
        except (AlreadyEnded, NotFound) as error:
            if self._waiting is None or self.running.accepted:
                raise
            await database.run(questions.close, self._waiting.pk)
            raise RunFailed(replace(failures.from_coze(error), code=failures.RUN_OVER)) from error

    async def _taken(self) -> None:
        """Coze has it: so it stands in the row, before anything else happens."""
        running = self.running
        running.accepted = True
        running.run_began_at = running.run_began_at or timezone.now()
        if not await database.run(saving.mark_in_progress, running):
            running.stop()

    # What is asked

    def _run(self) -> WorkflowRun:
        assistant, begun = self.running.assistant, self.running.begun
        return WorkflowRun(
            workflow_id=assistant.workflow_id,
            parameters=wishes.parameters_of(begun.turn, words=begun.question.content, assistant=assistant),
            app_id=assistant.coze_app_id or None,
            bot_id=assistant.bot_id or None,
        )

    def _resumption(self) -> dict[str, Any]:
        """The answer to what the run has asked back."""
        assert self._waiting is not None  # noqa: S101 - only an answer asks for it
        kept, begun = self._waiting.interrupt, self.running.begun
        return {
            "workflow_id": self.running.assistant.workflow_id,
            "interrupt": Interrupt(event_id=kept["event_id"], kind=kept["kind"]),
            "answer": wishes.reply_of(begun.turn, words=begun.question.content),
        }

    # Waited for

    async def _result(self) -> RunResult:
        runs = self.client.runs
        if self._waiting is None:
            return await runs.run(self.caller, self._run())
        return await runs.resume(self.caller, **self._resumption())

    async def _finish(self, result: RunResult) -> Turn.Status:
        running = self.running
        running.execute_id, running.usage = result.execute_id, result.usage
        await self._taken()
        if result.interrupt is not None:
            return await self._asks(result.interrupt)
        return await self._put_out(result.output)

    async def _put_out(self, output: RunOutput) -> Turn.Status:
        """The whole of the output at once, unless the process before this one has said it already."""
        running, text = self.running, outputs.as_markdown(output)
        if running.stopped:
            return Turn.Status.CANCELED
        if running.live.text != words.storable(text):
            if running.live.length:
                running.live.part()
            await words.say_much(running, text)
        return Turn.Status.COMPLETED

    async def _asks(self, interrupt: Interrupt) -> Turn.Status:
        """The run waits for a person: what it wants to know is kept with the turn."""
        running = self.running
        running.interrupt = questions.of_run(interrupt, manner=self._manner)
        running.execute_id = running.execute_id or interrupt.event_id.partition("/")[0][:64]
        await self.nodes.asks(interrupt.node_title)
        question = running.interrupt["question"]
        if question and not running.live.length:
            words.say(running, words.storable(question))
        return Turn.Status.REQUIRES_ACTION

    # Later

    async def _begin(self) -> None:
        """Begin a run that goes on by itself, or let one go on that has asked back; once."""
        runs = self.client.runs
        if self._waiting is None:
            execute_id = (await runs.start(self.caller, self._run())).execute_id
        else:
            result = await runs.resume(self.caller, **self._resumption())
            execute_id = result.execute_id or self._waiting.execute_id
        self.running.execute_id = execute_id[:64]
        await self._taken()

    async def _look_on(self) -> Turn.Status:
        """Look the run up until it has ended, as often as is left of what it may take. Raises RunFailed."""
        running = self.running
        await self._taken()
        await self.nodes.load()
        polling = self.client.runs.until_ended(
            self.caller, running.assistant.workflow_id, running.execute_id, pace=self._pace()
        )
        running.stream = polling
        try:
            async for history in polling:
                if running.stopped:
                    break
                await self.nodes.look_at(history.nodes)
                if history.status.ended:
                    return await self._ended(history)
        except PollsSpent as error:
            raise RunFailed(replace(failures.from_coze(error), code=failures.STILL_RUNNING)) from error
        return Turn.Status.CANCELED

    def _pace(self) -> Pace:
        """One look at least, even if the site was away for longer than a run may take."""
        interval, attempts = settings.TURN_POLL_SECONDS, settings.TURN_POLLS
        began = self.running.run_began_at or timezone.now()
        gone = (timezone.now() - began).total_seconds()
        return Pace(interval=interval, attempts=max(1, attempts - int(gone / interval)))

    async def _ended(self, history: RunHistory) -> Turn.Status:
        running = self.running
        running.log_id, running.usage = history.log_id, history.usage
        if history.error is not None:
            await self.nodes.fail()
            raise RunFailed(failures.from_coze(history.error))
        if history.interrupt is not None and history.status is Status.REQUIRES_ACTION:
            return await self._asks(history.interrupt)
        if history.status is Status.CANCELED:
            return Turn.Status.CANCELED
        return await self._put_out(history.output)

    # Streamed

    async def _stream(self, sign_in: Breaker) -> Turn.Status:
        running = self.running
        async with self._opened() as stream:
            sign_in.succeeded()
            running.log_id, running.stream = stream.log_id, stream
            await self._taken()
            status = await self._read(stream)
        if status is Turn.Status.COMPLETED and running.usage is None and running.execute_id:
            workflow_id = running.assistant.workflow_id
            running.usage = await self.client.runs.usage(self.caller, workflow_id, running.execute_id)
        return status

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[RunStream]:
        runs = self.client.runs
        if self._waiting is None:
            opening = runs.stream(self.caller, self._run())
        else:
            opening = runs.stream_resume(self.caller, **self._resumption())
        async with opening as stream:
            yield stream

    async def _read(self, stream: AsyncIterator[RunEvent]) -> Turn.Status:
        async for event in stream:
            if self.running.stopped:
                break
            match event:
                case RunMessage():
                    await self._message(event)
                case RunInterrupted():
                    return await self._asks(event.interrupt)
                case RunDone():
                    self.running.execute_id = event.execute_id[:64]
                    return await self._done()
        return Turn.Status.CANCELED

    async def _message(self, message: RunMessage) -> None:
        """What a node puts out is the answer; what the end node says stands for it where all others are silent."""
        is_end = message.node_title.lower() == "end"
        await self.nodes.spoke(message, is_end=is_end)
        if message.usage is not None:
            self.running.usage = message.usage
        if is_end:
            self._end += message.content
        elif message.content:
            speaker = message.node_execute_uuid or message.node_title
            if self._speaker not in ("", speaker):
                self.running.live.part()
            self._speaker = speaker
            await words.say_much(self.running, message.content)

    async def _done(self) -> Turn.Status:
        if self._speaker or not self._end:
            return Turn.Status.COMPLETED
        return await self._put_out(RunOutput(self._end))
