"""What a question comes to for whom it is asked: words, the values of a form, an answer, or another look at a run."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from conversations.frames import Refused, TurnStart
from conversations.models import Conversation, Message, Turn
from conversations.turns import questions
from cozechat.catalog import inputs
from cozechat.catalog.inputs import BadValues, Input
from cozechat.catalog.models import Assistant


@dataclass(frozen=True, slots=True)
class Wish:
    """A question as its turn keeps it; `execute_id`: of a run that has begun already and is looked up again."""

    content: str
    # What a conversation that it begins is called, where its words are a form's.
    title: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    answers: Turn | None = None
    execute_id: str = ""


def of(frame: TurnStart, *, conversation: Conversation, is_new: bool, replaced: Turn | None = None) -> Wish:
    """`replaced`: the turn in whose place it is asked.

    Raises Refused: empty, not_found (what is answered or looked up), bad_parameters with a sentence a field.
    """
    if is_new and (frame.look_up or frame.answers):
        raise Refused("not_found", _("This turn does not exist."), client_id=str(frame.client_id))
    if frame.look_up is not None:
        return _look_up(frame, conversation)
    assistant = conversation.assistant
    if replaced is not None and frame.regenerates:
        return _once_more(replaced, assistant=assistant, frame=frame)
    waiting = None if is_new else _waiting(frame, conversation, replaced=replaced)
    if waiting is not None:
        return _answer(frame, waiting=waiting)
    if assistant.is_run:
        return _run(frame, assistant)
    return Wish(_words(frame), parameters=frame.parameters)


def _once_more(replaced: Turn, *, assistant: Assistant, frame: TurnStart) -> Wish:
    """What another turn asked. A run was given its answer once: it can be given again only if it was not taken."""
    answers = _still_asked(replaced)
    if assistant.is_run and replaced.answers_id and answers is None:
        text = _("An answer to a question of the run is given once. Start a new run.")
        raise Refused("not_found", text, client_id=str(frame.client_id))
    content = replaced.messages.values_list("content", flat=True).get(role=Message.Role.USER)
    return Wish(content, parameters=replaced.parameters, answers=answers)


def _still_asked(replaced: Turn) -> Turn | None:
    waiting = replaced.answers
    return waiting if waiting and waiting.interrupt_state == Turn.Interrupt.OPEN else None


def _words(frame: TurnStart) -> str:
    if not frame.content:
        raise Refused("empty", _("There is nothing to send."), client_id=str(frame.client_id))
    return frame.content


def _look_up(frame: TurnStart, conversation: Conversation) -> Wish:
    """Only a long run goes on by itself, and only one whose end was not seen is worth a look."""
    found = conversation.turns.kept().filter(pk=str(frame.look_up)).first()
    if found is None or not can_be_looked_up(found, assistant=conversation.assistant):
        raise Refused("not_found", _("This turn does not exist."), client_id=str(frame.client_id))
    if _is_seen(found):
        text = _("This run is looked up already, or its end was seen below.")
        raise Refused("not_found", text, client_id=str(frame.client_id))
    return Wish(_("Look the run up again."), execute_id=found.execute_id)


def _is_seen(turn: Turn) -> bool:
    """Whether somebody looks at its run, or has seen the end of it: that is paid for once."""
    again = Turn.objects.filter(conversation=turn.conversation_id, execute_id=turn.execute_id)
    seen = (*Turn.OPEN, Turn.Status.COMPLETED, Turn.Status.REQUIRES_ACTION)
    return again.filter(status__in=seen).exists()


def can_be_looked_up(turn: Turn, *, assistant: Assistant) -> bool:
    """Whether Coze may know more of its run than we do."""
    ended = (Turn.Status.FAILED, Turn.Status.CANCELED, Turn.Status.INTERRUPTED)
    is_long = assistant.kind == Assistant.Kind.LONG_WORKFLOW_RUN
    return bool(turn.execute_id and is_long and turn.status in ended)


def run_of(turn: Turn, *, assistant: Assistant) -> dict[str, Any] | None:
    """`{execute_id, look_up}` of a run that Coze has named: whether looking it up again may tell more."""
    if not turn.execute_id:
        return None
    return {
        "execute_id": turn.execute_id,
        "look_up": can_be_looked_up(turn, assistant=assistant),
    }


def _waiting(frame: TurnStart, conversation: Conversation, *, replaced: Turn | None) -> Turn | None:
    """What this answers: the named question, else the one that waits, unless a form begins something new."""
    if replaced is not None:
        return _still_asked(replaced)
    if frame.answers is None:
        begins_anew = conversation.assistant.is_run and frame.fills_form
        return None if begins_anew else questions.waiting_on(conversation.branch, conversation=conversation)
    here = conversation.turns.asking_back().filter(branch=conversation.branch)
    found = here.filter(pk=frame.answers).first()
    if found is None:
        text = _("This question does not wait for an answer any more.")
        raise Refused("not_found", text, client_id=str(frame.client_id))
    return found


def _answer(frame: TurnStart, *, waiting: Turn) -> Wish:
    """Words, or the values of the inputs that are wanted."""
    wanted = questions.inputs_of(waiting)
    if not (wanted and frame.fills_form):
        return Wish(_words(frame), answers=waiting)
    values = _read(wanted, frame.parameters, frame=frame)
    return Wish(inputs.written(wanted, values) or "–", parameters=values, answers=waiting)


def _run(frame: TurnStart, assistant: Assistant) -> Wish:
    """Words alone are the text that is wanted; they are sent as such when the run begins."""
    wanted = assistant.wanted
    if not frame.fills_form:
        _read(wanted, _as_values(_words(frame), wanted), frame=frame)
        return Wish(frame.content)
    values = dict(frame.parameters)
    if frame.content and not values:
        values = _as_values(frame.content, wanted)
    values = _read(wanted, values, frame=frame)
    if assistant.takes_words:
        return Wish(str(next(iter(values.values()))), parameters=values)
    title = inputs.summed_up(wanted, values) or assistant.name
    return Wish(inputs.written(wanted, values) or "–", title=title, parameters=values)


def _as_values(words: str, wanted: tuple[Input, ...]) -> dict[str, Any]:
    text = inputs.first_text(wanted)
    return {} if text is None else {text.name: words}


def _read(wanted: tuple[Input, ...], values: dict[str, Any], *, frame: TurnStart) -> dict[str, Any]:
    try:
        return inputs.read(wanted, values)
    except BadValues as error:
        text = _("Some values do not fit. Look at the form.")
        advice = {"fields": error.problems}
        raise Refused("bad_parameters", text, client_id=str(frame.client_id), advice=advice) from None


def parameters_of(turn: Turn, *, words: str, assistant: Assistant) -> dict[str, Any]:
    """What a run is given."""
    return dict(turn.parameters) or _as_values(words, assistant.wanted)


def reply_of(turn: Turn, *, words: str) -> str:
    """What an interrupted run is given: words, or typed values as JSON."""
    return json.dumps(turn.parameters, ensure_ascii=False) if turn.parameters else words


def link(turn: Turn, *, conversation: Conversation) -> None:
    """What has waited in the queue begins: it may answer what was asked meanwhile."""
    if turn.answers_id or turn.execute_id or (conversation.assistant.is_run and turn.parameters):
        return
    turn.answers = questions.waiting_on(turn.branch, conversation=conversation)
    if turn.answers is not None:
        turn.save(update_fields=["answers"])
