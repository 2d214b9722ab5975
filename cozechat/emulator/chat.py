"""A chat as Coze describes it: one question and its answer, with its status."""

from dataclasses import asdict, dataclass, field
from typing import Any

from cozechat.emulator.documents import Documents

KIND = "chat"
UNFINISHED = ("created", "in_progress")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one chat, in Coze's names."""

    input_count: int = 0
    output_count: int = 0

    def as_json(self) -> dict[str, int]:
        total = self.input_count + self.output_count
        return {"token_count": total, "output_count": self.output_count, "input_count": self.input_count}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a chat waits for: a tool's output, or a reply to a question."""

    id: str
    name: str
    arguments: str
    type: str = "function"

    def as_json(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": self.type, "function": function}


@dataclass(slots=True, kw_only=True)
class Chat:
    """One chat; `bot_id` is empty for a chatflow of an app, and then it is not shown."""

    id: str
    conversation_id: str
    section_id: str
    bot_id: str
    created_at: int
    assistant_id: str
    """The bot or workflow that answers."""
    saves_history: bool = True
    meta_data: dict[str, str] = field(default_factory=dict)
    status: str = "created"
    completed_at: int | None = None
    failed_at: int | None = None
    error_code: int = 0
    error_msg: str = ""
    usage: Usage = Usage()
    waits_for: list[ToolCall] = field(default_factory=list)

    def complete(self, usage: Usage, *, at: int) -> None:
        self.status, self.usage, self.completed_at = "completed", usage, at

    def fail(self, code: int, *, msg: str, at: int) -> None:
        self.status, self.error_code, self.error_msg = "failed", code, msg
        self.completed_at = self.failed_at = at

    def require(self, calls: list[ToolCall], *, at: int) -> None:
        self.status, self.waits_for, self.completed_at = "requires_action", calls, at

    def resume(self) -> None:
        self.status, self.waits_for, self.completed_at = "in_progress", [], None

    def cancel(self, *, at: int) -> None:
        self.status, self.completed_at = "canceled", at

    def as_json(self, *, shows_bot: bool = True) -> dict[str, Any]:
        """With the keys and their order as seen on the wire."""
        times = {"completed_at": self.completed_at, "failed_at": self.failed_at}
        shown: dict[str, Any] = {
            "id": self.id,
            "conversation_id": self.conversation_id,
            **({"bot_id": self.bot_id} if shows_bot and self.bot_id else {}),
            "created_at": self.created_at,
            **{name: time for name, time in times.items() if time is not None},
            "last_error": {"code": self.error_code, "msg": self.error_msg},
            "status": self.status,
            "usage": self.usage.as_json(),
            "section_id": self.section_id,
        }
        if self.waits_for:
            calls = [call.as_json() for call in self.waits_for]
            shown["required_action"] = {
                "type": "submit_tool_outputs",
                "submit_tool_outputs": {"tool_calls": calls},
            }
        return shown


def save(documents: Documents, chat: Chat) -> None:
    documents.put(KIND, chat.id, asdict(chat))


def load(documents: Documents, chat_id: str) -> Chat | None:
    found = documents.get(KIND, chat_id)
    return None if found is None else _chat(found)


def _chat(body: dict[str, Any]) -> Chat:
    calls = [ToolCall(**call) for call in body["waits_for"]]
    return Chat(**{**body, "usage": Usage(**body["usage"]), "waits_for": calls})


def end_orphans(documents: Documents, *, at: int) -> None:
    """Chats that were running when their emulator ended have failed."""
    for body in documents.having(KIND, field="status", values=UNFINISHED):
        chat = _chat(body)
        chat.fail(5000, msg="the service was restarted", at=at)
        save(documents, chat)
