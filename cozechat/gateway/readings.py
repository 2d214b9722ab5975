"""What Coze's events mean for a call: pieces of the answer, ids and counts; pure."""

from typing import Protocol

from cozechat.coze.meanings import FollowUp
from cozechat.coze.outputs import RunOutput
from cozechat.coze.run_events import RunMessage
from cozechat.coze.run_records import Interrupt
from cozechat.coze.types import (
    ActionRequired,
    ChatCompleted,
    ChatCreated,
    MessageCompleted,
    MessageDelta,
    Usage,
)
from cozechat.gateway.answers import Accepted, Suggestion, Text
from cozechat.gateway.errors import NO_RETRY, Refusal
from cozechat.gateway.outlet import Piece
from cozechat.usage.reserving import CozeIds


class Heard(Protocol):
    """Where ids and counts are kept."""

    chat_id: str
    usage: Usage | None

    @property
    def ids(self) -> CozeIds:
        """Under what Coze knows the call."""
        ...


class ChatReading:
    """Applies the events of one chat."""

    def __init__(self, asking: Heard) -> None:
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


class RunReading:
    """What the nodes of a run put out: messages as they come; the end's output only if no node has spoken."""

    def __init__(self, asking: Heard) -> None:
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
        return [] if self._spoke or not self._end else [Text(RunOutput(self._end).shown)]


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
