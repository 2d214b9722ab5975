"""What a run waits for, in the forms that Coze has for it: words, options to choose from, inputs with types."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cozechat.coze.outputs import RunOutput
from cozechat.coze.run_records import Interrupt
from cozechat.coze.types import as_object, as_text

# Nobody chooses among more, and nobody fills in more.
MOST_OPTIONS, MOST_INPUTS = 50, 50


@dataclass(frozen=True, slots=True)
class WantedInput:
    """One value that an input node wants; `type` is Coze's word (string, integer, array, image …)."""

    name: str
    type: str
    is_required: bool = False
    description: str = ""
    default: str = ""


@dataclass(frozen=True, slots=True)
class AskedBack:
    """The question of an interrupt, with what may be chosen or has to be filled in."""

    question: str
    options: tuple[str, ...] = ()
    inputs: tuple[WantedInput, ...] = ()


def asked_back(interrupt: Interrupt) -> AskedBack:
    """Read an interrupt.

    `required_parameters` is documented; options come as the `content` of a message of the type "option", as text or
    as an object, alone or as the last of `messages` (the open-source Coze).
    """
    question, options = words_and_options(interrupt.data)
    inputs = tuple(_inputs(interrupt))
    return AskedBack("" if inputs and question == _content(interrupt.data) else question, options, inputs)


def words_and_options(text: str) -> tuple[str, tuple[str, ...]]:
    """The words of a question and what it offers; text without JSON in it is the words."""
    value = RunOutput(text).value
    if isinstance(value, dict) and isinstance(value.get("messages"), list) and value["messages"]:
        value = value["messages"][-1]
    for _level in range(3):
        if isinstance(value, str):
            inner = RunOutput(value).value
            if not isinstance(inner, dict):
                return value, ()
            value = inner
        if not isinstance(value, dict):
            break
        if isinstance(value.get("options"), list):
            return as_text(value.get("question")), tuple(_options(value["options"]))
        if "content" not in value:
            break
        value = value["content"]
    return (value if isinstance(value, str) else text), ()


def _options(listed: list[Any]) -> Iterator[str]:
    for option in listed[:MOST_OPTIONS]:
        name = option if isinstance(option, str) else as_text(as_object(option).get("name"))
        if name:
            yield name


def _content(text: str) -> str:
    """The `content` in an interrupt's data: for an input node, a list of what is wanted."""
    return as_text(as_object(RunOutput(text).value).get("content"))


def _inputs(interrupt: Interrupt) -> Iterator[WantedInput]:
    wanted = as_object(interrupt.required_parameters)
    found: list[tuple[str, Any]] = list(wanted.items())
    if not found and interrupt.kind == 5:
        listed = RunOutput(_content(interrupt.data)).value
        rows = [as_object(each) for each in listed] if isinstance(listed, list) else []
        found = [(as_text(row.get("name")), row) for row in rows]
    for name, definition in found[:MOST_INPUTS]:
        if name:
            yield _input(name, as_object(definition))


def _input(name: str, definition: Mapping[str, Any]) -> WantedInput:
    return WantedInput(
        name=name,
        type=as_text(definition.get("type")) or "string",
        is_required=definition.get("required") is True,
        description=as_text(definition.get("description")),
        default=as_text(definition.get("default_value")),
    )
