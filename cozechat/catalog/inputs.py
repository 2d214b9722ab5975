"""The inputs that a workflow run is given: how they are declared, and what a person's values for them come to. Pure.

An administrator declares a list of objects: `name` and `type` in each, and where it helps `label`, `help`, `required`,
`default`, and for a choice `choices`.
"""

import enum
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

MOST, LONGEST_LABEL, LONGEST_HELP = 50, 100, 300
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
_KEYS = {"name", "type", "label", "help", "required", "default", "choices"}
_LINE, _TEXT, _ITEMS = 2_000, 32_768, 200
# Beyond this a browser's number is no longer the one that was meant.
_LARGEST = 2**53 - 1


class Type(enum.StrEnum):
    """What kind of value an input takes."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    LIST = "list"
    OBJECT = "object"
    FILE = "file"


TEXTS = (Type.TEXT, Type.LONG_TEXT)


class BadDeclaration(ValueError):
    """A list of inputs that cannot be; the argument says which and why, for an administrator."""


class BadValues(ValueError):
    """Values that do not fit: `problems` are sentences by the names of the inputs."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(", ".join(problems))
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One declared input."""

    name: str
    type: Type
    label: str = ""
    help: str = ""
    is_required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What a person reads."""
        return self.label or self.name

    def described(self) -> dict[str, Any]:
        """As it is declared, and as a page reads it."""
        return {
            "name": self.name,
            "type": self.type.value,
            "label": self.title,
            "help": self.help,
            "required": self.is_required,
            "default": self.default,
            "choices": list(self.choices),
        }


def declared(listed: Any) -> tuple[Input, ...]:
    """The inputs of a declaration. Raises BadDeclaration."""
    if not isinstance(listed, list) or len(listed) > MOST:
        raise BadDeclaration(_("Write a list of at most %(count)d objects.") % {"count": MOST})
    found: list[Input] = []
    for place, row in enumerate(listed, 1):
        each = _declared(row, where=_("Input %(place)d") % {"place": place})
        if any(other.name == each.name for other in found):
            raise BadDeclaration(_("The name “%(name)s” stands twice.") % {"name": each.name})
        found.append(each)
    return tuple(found)


def known(listed: Any) -> tuple[Input, ...]:
    """The same where a row may be older than its check: nothing for what cannot be."""
    try:
        return declared(listed)
    except BadDeclaration:
        return ()


def _declared(row: Any, *, where: str) -> Input:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str) or not _NAME.match(row["name"]):
        raise BadDeclaration(
            _("%(where)s: an object with a “name” of letters, digits and _ is needed.") % {"where": where}
        )
    where = f"{where} ({row['name']})"
    unknown = sorted(map(str, row.keys() - _KEYS))
    if unknown:
        raise BadDeclaration(
            _("%(where)s: “%(key)s” is not known.") % {"where": where, "key": unknown[0][:40]}
        )
    if row.get("type") not in list(Type):
        types = ", ".join(Type)
        raise BadDeclaration(_("%(where)s: “type” is one of %(types)s.") % {"where": where, "types": types})
    each = Input(
        name=row["name"],
        type=Type(row["type"]),
        label=_words(row, "label", longest=LONGEST_LABEL, where=where),
        help=_words(row, "help", longest=LONGEST_HELP, where=where),
        is_required=_flag(row, where=where),
        choices=_choices(row, where=where),
        default=row.get("default"),
    )
    _check_default(each, where=where)
    return each


def _words(row: Mapping[str, Any], key: str, *, longest: int, where: str) -> str:
    value = row.get(key, "")
    if not isinstance(value, str) or len(value) > longest:
        text = _("%(where)s: “%(key)s” is a text of at most %(count)d characters.")
        raise BadDeclaration(text % {"where": where, "key": key, "count": longest})
    return value.strip()


def _flag(row: Mapping[str, Any], *, where: str) -> bool:
    value = row.get("required", False)
    if not isinstance(value, bool):
        raise BadDeclaration(_("%(where)s: “required” is true or false.") % {"where": where})
    return value


def _choices(row: Mapping[str, Any], *, where: str) -> tuple[str, ...]:
    value = row.get("choices", [])
    is_texts = isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value)
    is_choice = row["type"] == Type.CHOICE
    if not is_texts or len(value) > _ITEMS or len(set(value)) < len(value) or is_choice != bool(value):
        text = _("%(where)s: a choice, and nothing else, has “choices”: a list of different texts.")
        raise BadDeclaration(text % {"where": where})
    return tuple(value)


def _check_default(each: Input, *, where: str) -> None:
    if each.default in (None, "", [], {}):
        return
    try:
        _READERS[each.type](each, each.default)
    except ValueError as error:
        text = _("%(where)s: the default does not fit. %(reason)s")
        raise BadDeclaration(text % {"where": where, "reason": error}) from None


def read(inputs: Sequence[Input], values: Mapping[str, Any]) -> dict[str, Any]:
    """A person's values as they are sent to Coze, in the order of the declaration; what is empty is left out.

    Raises BadValues with all that is wrong.
    """
    names = {each.name for each in inputs}
    problems = {str(name)[:64]: _("There is no such input.") for name in values.keys() - names}
    found: dict[str, Any] = {}
    for each in inputs:
        value = values.get(each.name)
        if isinstance(value, str) and each.type != Type.LONG_TEXT:
            value = value.strip()
        if value in (None, "", [], {}) or (isinstance(value, str) and not value.strip()):
            if each.is_required:
                problems[each.name] = _("This is needed.")
            continue
        try:
            found[each.name] = _READERS[each.type](each, value)
        except ValueError as error:
            problems[each.name] = str(error)
    if problems:
        raise BadValues(problems)
    return found


def written(inputs: Sequence[Input], values: Mapping[str, Any]) -> str:
    """The values as a person reads them: a line each."""
    return "\n".join(f"{each.title}: {_written(values[each.name])}" for each in inputs if each.name in values)


def summed_up(inputs: Sequence[Input], values: Mapping[str, Any]) -> str:
    """The values without their names, for a title."""
    return " · ".join(_written(values[each.name]) for each in inputs if each.name in values)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def first_text(inputs: Iterable[Input]) -> Input | None:
    """The input that words alone are for: a text that is needed, else any text."""
    texts = [each for each in inputs if each.type in TEXTS]
    return next((each for each in texts if each.is_required), texts[0] if texts else None)


def _text(each: Input, value: Any) -> str:
    longest = _TEXT if each.type == Type.LONG_TEXT else _LINE
    if not isinstance(value, str):
        raise ValueError(_("Write a text."))
    if len(value) > longest:
        raise ValueError(_("At most %(count)d characters.") % {"count": longest})
    return value


def _number(_each: Input, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(_("Write a number."))
    if abs(value) > _LARGEST or not math.isfinite(value):
        raise ValueError(_("This number is too large."))
    return value


def _integer(each: Input, value: Any) -> int:
    number = _number(each, value)
    if number != int(number):
        raise ValueError(_("Write a whole number."))
    return int(number)


def _boolean(_each: Input, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(_("Choose yes or no."))
    return value


def _choice(each: Input, value: Any) -> str:
    if value not in each.choices:
        raise ValueError(_("Choose one of what is offered."))
    return str(value)


def _list(_each: Input, value: Any) -> list[Any]:
    plain = isinstance(value, list) and all(isinstance(item, str | int | float) for item in value)
    if not plain:
        raise ValueError(_("Write a list."))
    if len(value) > _ITEMS:
        raise ValueError(_("At most %(count)d items.") % {"count": _ITEMS})
    return list(value)


def _object(_each: Input, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(_("Write an object in JSON: {…}"))
    return value


def _file(_each: Input, value: Any) -> str:
    """Coze takes files by their address; an id would be good for anybody who knows it."""
    if not isinstance(value, str) or len(value) > _LINE:
        raise ValueError(_("Write the address of a file."))
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(_("Write an address that begins with https://"))
    return value


_READERS: dict[Type, Callable[[Input, Any], Any]] = {
    Type.TEXT: _text,
    Type.LONG_TEXT: _text,
    Type.NUMBER: _number,
    Type.INTEGER: _integer,
    Type.BOOLEAN: _boolean,
    Type.CHOICE: _choice,
    Type.LIST: _list,
    Type.OBJECT: _object,
    Type.FILE: _file,
}
