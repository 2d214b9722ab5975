"""A request in Coze's form: which messages travel, what becomes of system messages, pictures and inputs; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cozechat.gateway.errors import unsupported
from cozechat.gateway.messages import Said
from cozechat.gateway.models.manners import Manners
from cozechat.gateway.requests import Asked
from cozechat.gateway.routes import Manner, Route
from cozechat.usage.estimating import weight

# How many messages Coze takes at once; older ones stay behind.
MOST_MESSAGES = {Manner.CHAT: 50, Manner.BOT: 100}
SystemMessages = Manners.SystemMessages


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent to Coze."""

    asked: Said
    history: tuple[Said, ...]
    parameters: Mapping[str, Any]
    variables: Mapping[str, str]
    ignored: tuple[str, ...]

    @property
    def weight(self) -> int:
        """How much is sent: all that the estimate of its tokens goes by."""
        texts = [said.text for said in (*self.history, self.asked)]
        values = [*map(str, self.parameters.values()), *self.variables.values()]
        return sum(map(weight, [*texts, *values]))


def question_for(route: Route, *, asked: Asked, sticky: bool) -> Question:
    """The question of a call. Raises Refusal for what the route cannot pass on."""
    if route.manner.is_chat:
        return _chat(route, asked=asked, sticky=sticky)
    return _run(route, asked=asked)


def _chat(route: Route, *, asked: Asked, sticky: bool) -> Question:
    """In a conversation that goes on, Coze knows what was said before; else the client's history travels."""
    spoken = [said for said in asked.messages[: asked.question_at + 1] if said.role != "system"]
    behind = len(asked.messages) - 1 - asked.question_at
    ignored = [*asked.ignored, *(["messages.after_question"] if behind else [])]
    history, question = ([], spoken[-1]) if sticky else (spoken[:-1], spoken[-1])
    most = MOST_MESSAGES[route.manner] - 1
    if len(history) > most:
        ignored.append(f"messages[:{len(history) - most}]")
        history = history[-most:]
    if route.manner is Manner.CHAT and any(said.attachments for said in (*history, question)):
        raise unsupported("This model takes text only.", param="messages")
    variables: dict[str, str] = {}
    if asked.system:
        history, question, variables = _with_system(
            asked.system, route=route, history=history, question=question
        )
    return Question(question, tuple(history), dict(asked.parameters), variables, tuple(ignored))


def _with_system(
    system: str, *, route: Route, history: list[Said], question: Said
) -> tuple[list[Said], Said, dict[str, str]]:
    """Coze knows users and assistants only: the route says where a system message goes."""
    manners = route.manners
    if manners.system_messages == SystemMessages.REJECT:
        raise unsupported("This model takes no system messages.", param="messages")
    if manners.system_messages == SystemMessages.VARIABLE:
        return history, question, {manners.system_variable: system}
    spoken = [*history, question]
    first = next(at for at, said in enumerate(spoken) if said.role == "user")
    before = spoken[first]
    text = f"[System]\n{system}\n\n[User]\n{before.text}"
    spoken[first] = Said(before.role, text, before.attachments)
    return spoken[:-1], spoken[-1], {}


def _run(route: Route, *, asked: Asked) -> Question:
    """A run has inputs: the question is one, what the client names itself wins over it."""
    if asked.question.attachments:
        raise unsupported("A workflow takes text and 'workflow_parameters' only.", param="messages")
    if asked.resume is not None:
        # The run has its inputs; what it waits for is one text.
        beside = ["workflow_parameters"] if asked.parameters else []
        return Question(asked.question, (), {}, {}, (*asked.ignored, *beside))
    parameters: dict[str, Any] = {route.input_name: asked.question.text}
    ignored = list(asked.ignored)
    others = [said.role for said in asked.messages if said is not asked.question]
    if "system" in others:
        if route.manners.system_messages == SystemMessages.REJECT:
            raise unsupported("This model takes no system messages.", param="messages")
        if route.manners.system_messages == SystemMessages.VARIABLE:
            parameters[route.manners.system_variable] = asked.system
        else:
            ignored.append("messages.system")
    if set(others) - {"system"}:
        ignored.append("messages.history")
    return Question(asked.question, (), parameters | dict(asked.parameters), {}, tuple(ignored))
