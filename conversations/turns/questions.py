"""Questions that runs and chats ask back: kept with their turn, answered once, and shown as a form."""

import json
from typing import Any

from conversations.models import Branch, Conversation, Turn
from conversations.text import clean
from cozechat.catalog.inputs import MOST, Input, Type, read
from cozechat.coze.interrupts import WantedInput, asked_back, words_and_options
from cozechat.coze.run_records import Interrupt

# Coze's types of a parameter as ours; whatever is a file there is one here.
_TYPES = {
    "string": Type.TEXT,
    "integer": Type.INTEGER,
    "number": Type.NUMBER,
    "float": Type.NUMBER,
    "boolean": Type.BOOLEAN,
    "array": Type.LIST,
    "list": Type.LIST,
    "object": Type.OBJECT,
}
_FILES = {
    "image",
    "file",
    "audio",
    "video",
    "doc",
    "docx",
    "pdf",
    "excel",
    "ppt",
    "txt",
    "code",
    "zip",
    "svg",
    "voice",
}
_LONGEST, _LONGEST_OPTION = 4_000, 200


def of_run(interrupt: Interrupt, *, manner: str) -> dict[str, Any]:
    """The interrupt of a run as its turn keeps it."""
    asked = asked_back(interrupt)
    inputs = [_input(each).described() for each in asked.inputs[:MOST]]
    return {
        "event_id": interrupt.event_id[:200],
        "kind": interrupt.kind,
        "manner": manner,
        "node": clean(interrupt.node_title)[:200],
        "inputs": inputs,
        **_said(asked.question, asked.options),
    }


def of_chat(question: str) -> dict[str, Any]:
    """The question in which a chat has ended."""
    return {"inputs": [], **_said(*words_and_options(question))}


def _said(question: str, options: tuple[str, ...]) -> dict[str, Any]:
    kept = [clean(option)[:_LONGEST_OPTION] for option in options]
    return {"question": clean(question)[:_LONGEST], "options": kept}


def _input(wanted: WantedInput) -> Input:
    kind = _TYPES.get(wanted.type, Type.FILE if wanted.type in _FILES else Type.TEXT)
    return Input(
        name=clean(wanted.name)[:64],
        type=kind,
        help=clean(wanted.description)[:300],
        is_required=wanted.is_required,
        default=_default(kind, clean(wanted.default)[:2_000]),
    )


def _default(kind: Type, text: str) -> Any:
    """Coze writes every default as a text; what does not fit its type is none."""
    try:
        value = text if kind in (Type.TEXT, Type.FILE) else json.loads(text or "null")
        return read((Input(name="value", type=kind),), {"value": value}).get("value")
    except ValueError:
        return None


def inputs_of(turn: Turn) -> tuple[Input, ...]:
    """The typed values that its question wants; none where words are the answer."""
    found = []
    for row in turn.interrupt.get("inputs", ()):
        help_text, default = str(row["help"]), row["default"]
        found.append(
            Input(
                name=row["name"],
                type=Type(row["type"]),
                help=help_text,
                is_required=row["required"],
                default=default,
            )
        )
    return tuple(found)


def shown(turn: Turn) -> dict[str, Any] | None:
    """`{question, options, inputs, state}` for a page; None for a turn that asks nothing back."""
    if not turn.interrupt_state:
        return None
    kept = turn.interrupt
    said = {
        name: kept.get(name, empty) for name, empty in (("question", ""), ("options", []), ("inputs", []))
    }
    return {**said, "state": turn.interrupt_state}


def waiting_on(branch: Branch | None, *, conversation: Conversation) -> Turn | None:
    """The newest question on a line of a conversation that waits for its answer."""
    here = conversation.turns.asking_back().filter(branch=branch)
    return here.order_by("-ended_at", "-pk").first()


def settle(turn: Turn) -> None:
    """Coze has taken what this turn says: the question that it answers is answered, others on its line are over."""
    waiting = Turn.objects.asking_back().filter(conversation_id=turn.conversation_id)
    if turn.answers_id:
        waiting.filter(pk=turn.answers_id).update(interrupt_state=Turn.Interrupt.ANSWERED)
    waiting.filter(branch=turn.branch_id).update(interrupt_state=Turn.Interrupt.OVER)


def close(turn_id: Any) -> None:
    """Nobody waits for an answer to this one any more."""
    Turn.objects.asking_back().filter(pk=turn_id).update(interrupt_state=Turn.Interrupt.OVER)
