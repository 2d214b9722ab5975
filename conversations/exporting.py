"""A conversation as a file that its owner keeps."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conversations.models import Message
from conversations.turns import describe_conversation, newest_messages

# More than any person scrolls through; a longer conversation is exported from its end.
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file for download."""

    name: str
    content_type: str
    content: str


def as_json(conversation: Any) -> ExportedFile:
    """Everything, for a program."""
    messages, _older = newest_messages(conversation, limit=_MOST)
    for message in messages:
        message.pop("html")
    data = {"version": 1, "conversation": describe_conversation(conversation), "messages": messages}
    text = json.dumps(data, ensure_ascii=False, indent=2)
    return ExportedFile(f"{conversation.pk}.json", "application/json", text)


def as_markdown(conversation: Any) -> ExportedFile:
    """For a person to read."""
    lines = [f"# {conversation.title}", ""]
    messages, _older = newest_messages(conversation, limit=_MOST)
    for message in messages:
        who = Message.Role(message["role"]).label
        lines += [f"## {who} · {message['created_at'][:16].replace('T', ' ')}", "", message["content"], ""]
    return ExportedFile(f"{conversation.pk}.md", "text/markdown; charset=utf-8", "\n".join(lines))


FORMATS: dict[str, Callable[[Any], ExportedFile]] = {"markdown": as_markdown, "json": as_json}
