"""Asks Coze and tells what it says, piece by piece: a chat workflow, a bot, a run, a long run."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from accounts.models import User
from cozechat.coze.chat_records import BotChat
from cozechat.coze.client import ChatStream, CozeClient
from cozechat.coze.parts import Content
from cozechat.coze.polling import USUAL, Pace
from cozechat.coze.run_events import RunDone, RunInterrupted, RunMessage
from cozechat.coze.run_records import Interrupt, RunResult, WorkflowRun
from cozechat.coze.streams import RunStream
from cozechat.coze.types import (
    Caller,
    Usage,
    WorkflowChat,
)
from cozechat.gateway.answers import Accepted, Text
from cozechat.gateway.attachments import content_of
from cozechat.gateway.models import Interruption
from cozechat.gateway.outlet import Piece
from cozechat.gateway.questions import Question
from cozechat.gateway.readings import ChatReading, RunReading, interrupted
from cozechat.gateway.routes import Manner, Route
from cozechat.usage.reserving import CozeIds


async def _nothing() -> None:
    """What stops a call that has nothing open."""


@dataclass(slots=True)
class Asking:
    """One question on its way through Coze; `stop` ends the reading early, from any task."""

    client: CozeClient
    caller: Caller
    user: User
    route: Route
    question: Question
    conversation_id: str = ""
    streams: bool = True
    interruption: Interruption | None = None
    pace: Pace = USUAL
    stopped: bool = False
    # From here on Coze may have begun, whether or not it has said so.
    posted: bool = False
    usage: Usage | None = None
    chat_id: str = ""
    execute_id: str = ""
    log_id: str = ""
    stop_reading: Callable[[], Awaitable[None]] = field(default=_nothing)

    async def stop(self) -> None:
        """Nobody waits for more; of a chat that is not known by its id yet, the id is."""
        self.stopped = True
        if self.chat_id or not self.route.manner.is_chat:
            await self.stop_reading()

    def pieces(self) -> AsyncGenerator[Piece, None]:
        """What Coze says. Raises CozeError and Refusal."""
        match self.route.manner:
            case Manner.CHAT | Manner.BOT:
                return self._chat()
            case Manner.RUN:
                self.posted = True
                return self._streamed_run() if self.streams else self._run()
            case Manner.LONG_RUN:
                self.posted = True
                return self._long_run()

    @property
    def cost_is_open(self) -> bool:
        """Whether Coze can be asked what this has cost, and has not said it."""
        return self.usage is None and bool(self.chat_id or self.execute_id)

    @property
    def ids(self) -> CozeIds:
        """Under what Coze knows the call."""
        return CozeIds(
            coze_chat_id=self.chat_id,
            coze_conversation_id=self.conversation_id,
            execute_id=self.execute_id,
            log_id=self.log_id,
        )

    async def _chat(self) -> AsyncGenerator[Piece, None]:
        opening = await self._open_chat()
        if self.stopped:
            return
        self.posted = True
        async with opening as stream:
            self.log_id, self.stop_reading = stream.log_id, stream.aclose
            reading = ChatReading(self)
            async for event in stream:
                # Its first event says under what id it can be cancelled, and that it costs something.
                for piece in reading.take(event):
                    yield piece
                if reading.settled or self._is_enough:
                    break

    @property
    def _is_enough(self) -> bool:
        return self.stopped and bool(self.chat_id)

    async def _open_chat(self) -> AbstractAsyncContextManager[ChatStream]:
        question, route = self.question, self.route
        if route.manner is Manner.CHAT:
            chat = WorkflowChat(
                workflow_id=route.workflow_id,
                question=question.asked.text,
                conversation_id=self.conversation_id,
                app_id=route.coze_app_id or None,
                bot_id=route.bot_id or None,
                history=tuple((said.role, said.text) for said in question.history),
                parameters={**question.variables, **question.parameters} or None,
                ext={"user_id": self.caller.session_name},
            )
            return self.client.chats.workflow(self.caller, chat)
        bot = BotChat(
            bot_id=route.bot_id,
            question=await content_of(question.asked, client=self.client, caller=self.caller),
            conversation_id=self.conversation_id,
            history=await self._history(),
            parameters=question.parameters or None,
            custom_variables=question.variables or None,
        )
        return self.client.chats.stream(self.caller, bot)

    async def _history(self) -> tuple[tuple[str, Content], ...]:
        earlier = [
            (said.role, await content_of(said, client=self.client, caller=self.caller))
            for said in self.question.history
        ]
        return tuple(earlier)

    def _workflow_run(self) -> WorkflowRun:
        route = self.route
        return WorkflowRun(
            workflow_id=route.workflow_id,
            parameters=self.question.parameters,
            app_id=route.coze_app_id or None,
            bot_id=route.bot_id or None,
            drop_empty=route.manners.drops_empty,
        )

    async def _result(self) -> RunResult:
        """A run from its beginning, or from where it waits for the answer that is the question here."""
        runs, waiting = self.client.runs, self._waiting
        if waiting is None:
            return await runs.run(self.caller, self._workflow_run())
        answer = self.question.asked.text
        return await runs.resume(self.caller, self.route.workflow_id, interrupt=waiting, answer=answer)

    def _open_run(self) -> AbstractAsyncContextManager[RunStream]:
        runs, waiting = self.client.runs, self._waiting
        if waiting is None:
            return runs.stream(self.caller, self._workflow_run())
        answer = self.question.asked.text
        return runs.stream_resume(self.caller, self.route.workflow_id, interrupt=waiting, answer=answer)

    @property
    def _waiting(self) -> Interrupt | None:
        found = self.interruption
        return None if found is None else Interrupt(event_id=found.event_id, kind=found.kind)

    async def _run(self) -> AsyncGenerator[Piece, None]:
        result = await self._result()
        self.execute_id, self.usage = result.execute_id, result.usage
        yield Accepted(self.ids)
        if result.interrupt is not None:
            raise interrupted(result.interrupt, execute_id=self.execute_id)
        yield Text(result.output.shown)

    async def _streamed_run(self) -> AsyncGenerator[Piece, None]:
        async with self._open_run() as stream:
            self.log_id, self.stop_reading = stream.log_id, stream.aclose
            yield Accepted(self.ids)
            reading = RunReading(self)
            async for event in stream:
                match event:
                    case RunMessage():
                        for text in reading.message(event):
                            yield text
                    case RunInterrupted():
                        raise interrupted(event.interrupt, execute_id=self.execute_id)
                    case RunDone():
                        self.execute_id = event.execute_id
                        yield Accepted(self.ids)
                        break
            for text in reading.output():
                yield text
        await self._look_up_usage()

    async def _look_up_usage(self) -> None:
        """A stream need not say what it cost; the run's history does, if it can be had."""
        if self.usage is None and self.execute_id:
            self.usage = await self.client.runs.usage(self.caller, self.route.workflow_id, self.execute_id)

    async def _long_run(self) -> AsyncGenerator[Piece, None]:
        if self.interruption is not None:
            resumed = await self._result()
            self.execute_id = resumed.execute_id or self.interruption.execute_id
        else:
            self.execute_id = (await self.client.runs.start(self.caller, self._workflow_run())).execute_id
        yield Accepted(self.ids)
        polling = self.client.runs.until_ended(
            self.caller, self.route.workflow_id, self.execute_id, pace=self.pace
        )
        self.stop_reading = polling.aclose
        history = await polling.last()
        self.usage = history.usage
        if history.interrupt is not None:
            raise interrupted(history.interrupt, execute_id=self.execute_id)
        if history.error is not None:
            raise history.error
        yield Text(history.output.shown)
