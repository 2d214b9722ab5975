"""What a chat wants done by its caller, and what comes of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that a bot uses or wants used (`function`), or a question to its user (`reply_message`).

    `arguments` is JSON text; an empty `id` means that nothing is to be done.
    """

    id: str
    name: str
    arguments: str
    type: str = "function"


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What came of the tool call `call_id`: mostly JSON text."""

    call_id: str
    output: str
