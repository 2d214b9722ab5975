"""Asks Coze and tells what it says, piece by piece: a chat workflow, a bot, a run, a long run."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from accounts.models import User
from cozechat.coze.chat_records import BotChat
from cozechat.coze.client import ChatStream, CozeClient
from cozechat.coze.errors import CozeError
from cozechat.coze.meanings import FollowUp
from cozechat.coze.outputs import RunOutput
from cozechat.coze.parts import Content
from cozechat.coze.polling import USUAL, Pace
from cozechat.coze.run_events import RunDone, RunInterrupted, RunMessage
from cozechat.coze.run_records import Interrupt, WorkflowRun
from cozechat.coze.types import (
    ActionRequired,
    Caller,
    ChatCompleted,
    ChatCreated,
    MessageCompleted,
    MessageDelta,
    Usage,
    WorkflowChat,
)
from cozechat.gateway.answers import Accepted, Suggestion, Text
from cozechat.gateway.attachments import content_of
from cozechat.gateway.errors import NO_RETRY, Refusal
from cozechat.gateway.outlet import Piece
from cozechat.gateway.questions import Question
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
    pace: Pace = USUAL
    stopped: bool = False
    usage: Usage | None = None
    chat_id: str = ""
    execute_id: str = ""
    log_id: str = ""
    stop_reading: Callable[[], Awaitable[None]] = field(default=_nothing)

    async def stop(self) -> None:
        """Nobody waits for more."""
        self.stopped = True
        await self.stop_reading()

    def pieces(self) -> AsyncGenerator[Piece, None]:
        """What Coze says. Raises CozeError and Refusal."""
        match self.route.manner:
            case Manner.CHAT | Manner.BOT:
                return self._chat()
            case Manner.RUN:
                return self._streamed_run() if self.streams else self._run()
            case Manner.LONG_RUN:
                return self._long_run()

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
        async with await self._open_chat() as stream:
            self.log_id, self.stop_reading = stream.log_id, stream.aclose
            reading = _ChatReading(self)
            async for event in stream:
                if self.stopped:
                    break
                for piece in reading.take(event):
                    yield piece
                if reading.settled:
                    break

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

    async def _run(self) -> AsyncGenerator[Piece, None]:
        result = await self.client.runs.run(self.caller, self._workflow_run())
        self.execute_id, self.usage = result.execute_id, result.usage
        yield Accepted(self.ids)
        if result.interrupt is not None:
            raise interrupted(result.interrupt, execute_id=self.execute_id)
        yield Text(shown(result.output))

    async def _streamed_run(self) -> AsyncGenerator[Piece, None]:
        async with self.client.runs.stream(self.caller, self._workflow_run()) as stream:
            self.log_id, self.stop_reading = stream.log_id, stream.aclose
            yield Accepted(self.ids)
            reading = _RunReading(self)
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
        if self.usage is not None or not self.execute_id:
            return
        try:
            found = await self.client.runs.history(self.caller, self.route.workflow_id, self.execute_id)
        except CozeError:
            return
        self.usage = found.usage

    async def _long_run(self) -> AsyncGenerator[Piece, None]:
        started = await self.client.runs.start(self.caller, self._workflow_run())
        self.execute_id = started.execute_id
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
        yield Text(shown(history.output))


class _ChatReading:
    """Applies the events of one chat."""

    def __init__(self, asking: Asking) -> None:
        self.settled = False
        self._asking = asking
        self._seen: set[str] = set()
        self._last = ""

    def take(self, event: object) -> list[Piece]:
        """What one event adds."""
        match event:
            case ChatCreated():
                self._asking.chat_id = event.chat_id
                return [Accepted(self._asking.ids)]
            case MessageDelta():
                return self._text(event.message_id, content=event.content, reasoning=event.reasoning_content)
            case FollowUp():
                return [Suggestion(event.message.content)]
            case MessageCompleted() if event.message.type == "answer" and event.message.id not in self._seen:
                return self._text(event.message.id, content=event.message.content, reasoning="")
            case ChatCompleted():
                self._asking.usage, self.settled = event.usage, True
            case ActionRequired():
                self.settled = True
                return self._question(event)
        return []

    def _text(self, message_id: str, *, content: str, reasoning: str) -> list[Piece]:
        """Several answers are told apart by an empty line."""
        if not content and not reasoning:
            return []
        if content and self._last not in ("", message_id):
            content = f"\n\n{content}"
        self._last = message_id if content else self._last
        self._seen.add(message_id)
        return [Text(content, reasoning)]

    def _question(self, event: ActionRequired) -> list[Piece]:
        """A question of the flow is its answer, for now; a tool of the client's is none that we could offer."""
        if any(call.type == "function" for call in event.tool_calls):
            message = "The bot wants a tool of its caller's, which this API does not pass on."
            raise Refusal(502, "tool_required", message, headers=NO_RETRY)
        said = bool(self._seen) or not event.question
        return [] if said else [Text(event.question)]


class _RunReading:
    """What the nodes of a run put out: messages as they come; the end's output only if no node has spoken."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._spoke = False
        self._end = ""

    def message(self, event: RunMessage) -> list[Piece]:
        """A piece of a node's output."""
        if event.usage is not None:
            self._asking.usage = event.usage
        if event.node_title.lower() == "end":
            self._end += event.content
            return []
        self._spoke = self._spoke or bool(event.content)
        return [Text(event.content)] if event.content else []

    def output(self) -> list[Piece]:
        """The end's output, for a workflow whose nodes are silent."""
        return [] if self._spoke or not self._end else [Text(shown(RunOutput(self._end)))]


def shown(output: RunOutput) -> str:
    """A run's output as text: the only value of its object if that is a text, else the JSON as it came."""
    value = output.value
    if isinstance(value, dict) and len(value) == 1:
        (only,) = value.values()
        if isinstance(only, str):
            return only
    return value if isinstance(value, str) else output.text


def interrupted(interrupt: Interrupt, *, execute_id: str) -> Refusal:
    """The run waits for an answer: an error that carries all that is needed to give it."""
    coze = {
        "event_id": interrupt.event_id,
        "interrupt_type": interrupt.kind,
        "question": interrupt.question,
        "execute_id": execute_id,
    }
    message = f"The workflow waits for an answer: {interrupt.question[:300]}"
    return Refusal(502, "workflow_interrupted", message, headers=NO_RETRY, coze=coze)
