"""What a call comes to, and the pieces in which it arrives."""

from dataclasses import asdict, dataclass, field
from typing import Any

from cozechat.usage.reserving import CozeIds


@dataclass(frozen=True, slots=True)
class Accepted:
    """Coze has taken the call: from here on it must not be sent a second time."""

    ids: CozeIds


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer, a piece of the thinking before it, or both."""

    content: str = ""
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question that the user might ask next."""

    content: str


@dataclass(slots=True)
class Counts:
    """Tokens as they are shown; estimated ones say so."""

    input: int = 0
    output: int = 0
    is_estimated: bool = False

    def chat(self) -> dict[str, int]:
        """As chat completions name them."""
        total = self.input + self.output
        return {"prompt_tokens": self.input, "completion_tokens": self.output, "total_tokens": total}


@dataclass(slots=True)
class Answer:
    """The whole of it."""

    text: str = ""
    reasoning: str = ""
    counts: Counts = field(default_factory=Counts)
    suggestions: list[str] = field(default_factory=list)
    conversation_id: str = ""
    execute_id: str = ""

    def coze(self) -> dict[str, Any]:
        """What is Coze's own, under one key; clients that do not know it do not see it."""
        own: dict[str, Any] = {
            "follow_ups": self.suggestions,
            "conversation_id": self.conversation_id,
            "execute_id": self.execute_id,
            "usage_estimated": self.counts.is_estimated,
        }
        return {name: value for name, value in own.items() if value}

    def as_json(self) -> dict[str, Any]:
        """To be stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Answer":
        """What `as_json` wrote."""
        return cls(**{**stored, "counts": Counts(**stored["counts"])})
