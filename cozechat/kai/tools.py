"""A tool as its server describes it, and the outcome of a call as text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cozechat.kai.errors import TooLarge, ToolFailed

# What of an outcome goes to Coze (bytes of UTF-8).
OUTPUT_LIMIT = 64 * 1024
# Names and descriptions come from elsewhere and end in our database.
_NAME, _TITLE, _DESCRIPTION, _SCHEMA = 128, 200, 2_000, 16 * 1024


@dataclass(frozen=True, slots=True)
class Tool:
    """What a server offers: `schema` is the JSON schema of its payload."""

    name: str
    title: str = ""
    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)


def described(tool: Any) -> Tool | None:
    """The server's record of a tool; None for one whose name nobody could write down."""
    if not tool.name or len(tool.name) > _NAME or not tool.name.isprintable():
        return None
    return Tool(
        tool.name,
        title=_line(tool.title)[:_TITLE],
        description=_line(tool.description)[:_DESCRIPTION],
        schema=_schema(tool.input_schema),
    )


def _line(text: str | None) -> str:
    """Without what a database cannot hold."""
    return (text or "").replace("\x00", "").encode(errors="replace").decode()


def _schema(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        written = json.dumps(schema, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return {}
    return schema if len(written) <= _SCHEMA and b"\\u0000" not in written else {}


def outcome(result: Any, *, limit: int = OUTPUT_LIMIT) -> str:
    """What came of a call, as the text of one JSON object.

    Raises ToolFailed for a result that says so, and TooLarge.
    """
    words = "\n".join(_words(block) for block in result.content or ())
    if result.is_error:
        raise ToolFailed(words.strip() or "The tool failed without a reason.")
    text = _json(result.structured_content if result.structured_content is not None else _parsed(words))
    size = len(text.encode())
    if size > limit:
        raise TooLarge(f"The outcome is {size} bytes long; at most {limit} are taken. Ask for less.")
    return text


def _words(block: Any) -> str:
    return block.text if block.type == "text" else f"[{block.type}]"


def _parsed(words: str) -> dict[str, Any]:
    try:
        value = json.loads(words)
    except (ValueError, RecursionError):
        value = words
    return value if isinstance(value, dict) else {"result": value}


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    # Half characters cannot be encoded.
    return text.encode(errors="replace").decode()
