"""One message of an assistant on its way out."""

from dataclasses import dataclass, field

from cozechat.emulator.tokenizer import split_tokens


@dataclass(slots=True, kw_only=True)
class Speech:
    """Streamed in pieces if it is an answer, otherwise said whole."""

    message_id: str
    kind: str = "answer"
    tokens: list[str]
    reasoning: list[str] = field(default_factory=list)

    @property
    def content(self) -> str:
        return "".join(self.tokens)

    @property
    def pieces(self) -> int:
        """How many deltas it takes."""
        return len(self.tokens) + len(self.reasoning) if self.kind == "answer" else 0


def answer(message_id: str, *, text: str, reasoning: str = "") -> Speech:
    return Speech(
        message_id=message_id, tokens=list(split_tokens(text)), reasoning=list(split_tokens(reasoning))
    )


def whole(message_id: str, *, kind: str, content: str) -> Speech:
    return Speech(message_id=message_id, kind=kind, tokens=[content])
