"""What the processes of a site tell each other: small typed messages.

A hint may be lost, doubled or late, and nothing depends on it: the rows are the truth, and `elsewhere` reads them.
"""

import uuid
from dataclasses import asdict, dataclass, fields
from typing import Any, get_origin


@dataclass(frozen=True, slots=True)
class Hint:
    """Something that happened to one user's turns, conversations or log-ins."""

    user: int


@dataclass(frozen=True, slots=True)
class Began(Hint):
    """A turn runs here from now on."""

    turn: uuid.UUID
    conversation: uuid.UUID


@dataclass(frozen=True, slots=True)
class Ended(Hint):
    """A turn has its end in the database; what stands in no row travels along."""

    turn: uuid.UUID
    suggestions: list[str]
    advice: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stop(Hint):
    """The owner wants a turn to stop that runs in another process."""

    turn: uuid.UUID


@dataclass(frozen=True, slots=True)
class Watch(Hint):
    """Somebody here looks at a turn that runs elsewhere, and knows it up to `seq`, `length` characters."""

    turn: uuid.UUID
    seq: int
    length: int


@dataclass(frozen=True, slots=True)
class Text(Hint):
    """What a turn's text was from `start` on at `seq`: for whoever is behind."""

    turn: uuid.UUID
    seq: int
    start: int
    content: str
    breaks: list[int]


@dataclass(frozen=True, slots=True)
class Delta(Hint):
    """A delta as the tabs of its own process saw it; `part`: another answer message begins with it."""

    turn: uuid.UUID
    seq: int
    content: str
    part: bool


@dataclass(frozen=True, slots=True)
class Stepped(Hint):
    """A tool is invoked for a turn, or has ended: as the tabs of its own process see it."""

    turn: uuid.UUID
    step: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Thinking(Hint):
    """What is thought aloud from `start` on; `milliseconds` for how long, or -1 while it goes on."""

    turn: uuid.UUID
    start: int
    content: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class QueueChanged(Hint):
    """A question waits or reads otherwise now: the frame that says so to whoever follows the conversation."""

    conversation: uuid.UUID
    text: str


@dataclass(frozen=True, slots=True)
class Changed(Hint):
    """A conversation has another title, state or place in the list."""

    conversation: uuid.UUID


@dataclass(frozen=True, slots=True)
class Arrived(Hint):
    """A message has come that belongs to no turn."""

    conversation: uuid.UUID
    message: int


@dataclass(frozen=True, slots=True)
class Deleted(Hint):
    """A conversation is gone."""

    conversation: uuid.UUID


@dataclass(frozen=True, slots=True)
class SignedOut(Hint):
    """A log-in has ended: the digest of its session key, or "" for all log-ins of the user."""

    login: str


_KINDS: dict[str, type[Hint]] = {kind.__name__: kind for kind in Hint.__subclasses__()}


def written(hint: Hint) -> dict[str, Any]:
    """The hint as the layer carries it."""
    values = {
        name: str(value) if isinstance(value, uuid.UUID) else value for name, value in asdict(hint).items()
    }
    return {"kind": type(hint).__name__, **values}


def read(data: Any) -> Hint | None:
    """The hint in what came over the layer; None for what this version of the site does not know."""
    try:
        kind = _KINDS[data["kind"]]
        return kind(**{field.name: _value(data[field.name], field.type) for field in fields(kind)})
    except (KeyError, TypeError, ValueError):
        return None


def _value(value: Any, kind: Any) -> Any:
    if kind is uuid.UUID:
        return uuid.UUID(value)
    if not isinstance(value, get_origin(kind) or kind):
        raise TypeError(kind)
    return value
