"""Messages as callers bring them (Coze's EnterMessage)."""

from collections.abc import Mapping
from dataclasses import dataclass

from cozechat.emulator.fields import Fields
from cozechat.emulator.refusals import Refusal, bad_parameter

ROLES = ("user", "assistant")
CONTENT_TYPES = ("text", "object_string")
# Which role may say which type; the tool types need a history that is not saved, the rest only Coze sends.
TYPES = {"question": ("user",), "answer": ("assistant",)}
TOOL_TYPES = {"function_call": ("assistant",), "tool_output": ROLES, "tool_response": ROLES}
Types = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One utterance, checked."""

    role: str
    type: str
    content: str
    content_type: str
    meta_data: dict[str, str]


def read_entry(fields: Fields, *, types: Types | None = None) -> Entry:
    """JavaScript leaves `type` out, cozepy sends it with a dozen nulls: both are welcome."""
    role = fields.required("role")
    if role not in ROLES:
        raise bad_parameter("role")
    content = fields.text("content")
    if content is None:
        raise bad_parameter("content", why="is required")
    kind = fields.identifier("type") or ("question" if role == "user" else "answer")
    if role not in {**TYPES, **(types or {})}.get(kind, ()):
        raise bad_parameter("type", why=f"must not be {kind} for the role {role}")
    content_type = fields.choice("content_type", among=CONTENT_TYPES, default="text")
    return Entry(role, kind, content, content_type, fields.meta_data() or {})


def read_entries(fields: Fields, *, name: str, most: int, types: Types | None = None) -> list[Entry]:
    rows = fields.rows(name) or []
    if len(rows) > most:
        raise Refusal(4004, f"{name} exceeds its limit of {most}")
    return [read_entry(row, types=types) for row in rows]
