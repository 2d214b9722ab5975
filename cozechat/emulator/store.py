"""What the emulator keeps: conversations and messages, in SQLite."""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cozechat.emulator.documents import Documents

SPOKEN = ("question", "answer")
"""The types that lists and the mind see; the rest belongs to a chat alone."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, account_id TEXT NOT NULL, connector_id TEXT NOT NULL, session_name TEXT, bot_id TEXT,
    name TEXT NOT NULL, meta_data TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    section_id TEXT NOT NULL, default_for TEXT
);
CREATE INDEX IF NOT EXISTS conversations_owner ON conversations (account_id, session_name, bot_id);
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY, conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    section_id TEXT NOT NULL, chat_id TEXT NOT NULL, bot_id TEXT NOT NULL,
    role TEXT NOT NULL, type TEXT NOT NULL, content TEXT NOT NULL, content_type TEXT NOT NULL,
    meta_data TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_place ON messages (conversation_id, id);
CREATE TABLE IF NOT EXISTS canceled_chats (id TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: the unit in which Coze isolates, together with the bot."""

    account_id: str
    connector_id: str
    session_name: str | None


@dataclass(slots=True, kw_only=True)
class Conversation:
    """One thread with its owner; `section_id` changes when the context is cleared."""

    id: str
    account_id: str
    connector_id: str
    session_name: str | None
    bot_id: str | None
    name: str
    meta_data: dict[str, str]
    created_at: int
    updated_at: int
    section_id: str
    default_for: str | None = None


@dataclass(slots=True, kw_only=True)
class Message:
    """One stored utterance."""

    id: str
    conversation_id: str
    section_id: str
    chat_id: str
    bot_id: str
    role: str
    type: str
    content: str
    content_type: str
    meta_data: dict[str, str]
    created_at: int
    updated_at: int
    reasoning_content: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which rows of a list are wanted; `before` and `after` are ids, in the requested order."""

    ascending: bool
    limit: int
    before: str | None = None
    after: str | None = None
    chat_id: str | None = None


class Store:
    """The tables. Every method is one quick statement or two; it all runs on the event loop's thread."""

    def __init__(self, path: Path | None) -> None:
        self._base = sqlite3.connect(path or ":memory:", timeout=20, isolation_level=None)
        self._base.row_factory = sqlite3.Row
        # A crash of this process loses nothing; a crash of the machine may, and nobody minds.
        self._base.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON;")
        self._base.executescript(_SCHEMA)
        self._add_reasoning()
        self.documents = Documents(self._base)

    def _add_reasoning(self) -> None:
        """A column that tables of an earlier version lack."""
        columns = {row["name"] for row in self._base.execute("PRAGMA table_info(messages)")}
        if "reasoning_content" not in columns:
            self._base.execute("ALTER TABLE messages ADD COLUMN reasoning_content TEXT NOT NULL DEFAULT ''")

    def close(self) -> None:
        self._base.close()

    def newest_id(self) -> int:
        query = "SELECT max(id) FROM (SELECT id FROM conversations UNION ALL SELECT id FROM messages)"
        return max(int(self._base.execute(query).fetchone()[0] or 0), self.documents.newest_key())

    def add_conversation(self, conversation: Conversation) -> None:
        row = _row(conversation)
        marks = ",".join(f":{name}" for name in row)
        self._base.execute(f"INSERT INTO conversations ({','.join(row)}) VALUES ({marks})", row)  # noqa: S608

    def conversation(self, conversation_id: str) -> Conversation | None:
        found = self._base.execute("SELECT * FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
        return None if found is None else _conversation(found)

    def default_conversation(self, account_id: str, *, default_for: str) -> Conversation | None:
        query = "SELECT * FROM conversations WHERE account_id = ? AND default_for = ?"
        found = self._base.execute(query, (account_id, default_for)).fetchone()
        return None if found is None else _conversation(found)

    def conversations(self, account_id: str) -> list[Conversation]:
        """All of an account, oldest first; whose they are is the asker's business."""
        query = "SELECT * FROM conversations WHERE account_id = ? ORDER BY id"
        return [_conversation(row) for row in self._base.execute(query, (account_id,))]

    def owned(self, identity: Identity, *, bot_id: str, any_owner: bool = False) -> list[Conversation]:
        query = (
            "SELECT * FROM conversations WHERE account_id = ? AND connector_id = ? AND bot_id = ?"
            " AND (? OR session_name IS ?) ORDER BY created_at, id"
        )
        values = (identity.account_id, identity.connector_id, bot_id, any_owner, identity.session_name)
        return [_conversation(row) for row in self._base.execute(query, values)]

    def named(self, identity: Identity, *, name: str) -> Conversation | None:
        query = (
            "SELECT * FROM conversations WHERE account_id = ? AND connector_id = ? AND session_name IS ?"
            " AND name = ? ORDER BY id LIMIT 1"
        )
        values = (identity.account_id, identity.connector_id, identity.session_name, name)
        found = self._base.execute(query, values).fetchone()
        return None if found is None else _conversation(found)

    def change_conversation(self, conversation: Conversation) -> None:
        query = "UPDATE conversations SET name = ?, section_id = ?, updated_at = ? WHERE id = ?"
        values = (conversation.name, conversation.section_id, conversation.updated_at, conversation.id)
        self._base.execute(query, values)

    def delete_conversation(self, conversation_id: str) -> None:
        self._base.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))

    def add_message(self, message: Message) -> None:
        """Does nothing when the conversation has been deleted meanwhile."""
        row = _row(message)
        marks = ",".join(f":{name}" for name in row)
        query = (
            f"INSERT INTO messages ({','.join(row)}) SELECT {marks}"  # noqa: S608
            " WHERE EXISTS (SELECT 1 FROM conversations WHERE id = :conversation_id)"
        )
        self._base.execute(query, row)

    def message(self, conversation_id: str, *, message_id: str) -> Message | None:
        query = "SELECT * FROM messages WHERE conversation_id = ? AND id = ?"
        found = self._base.execute(query, (conversation_id, message_id)).fetchone()
        return None if found is None else _message(found)

    def change_message(self, message: Message) -> None:
        self._base.execute(
            "UPDATE messages SET content = ?, content_type = ?, meta_data = ?, updated_at = ? WHERE id = ?",
            (
                message.content,
                message.content_type,
                json.dumps(message.meta_data),
                message.updated_at,
                message.id,
            ),
        )

    def delete_message(self, message_id: str) -> None:
        """With an answer go the messages on the way to it."""
        query = (
            "DELETE FROM messages WHERE id = ?1 OR type NOT IN ('question', 'answer') AND chat_id <> ''"
            " AND (conversation_id, chat_id) ="
            " (SELECT conversation_id, chat_id FROM messages WHERE id = ?1 AND type = 'answer')"
        )
        self._base.execute(query, (message_id,))

    def thread(self, conversation: Conversation) -> list[Message]:
        """The current section of a conversation without canceled chats, oldest first."""
        query = (
            "SELECT * FROM messages WHERE conversation_id = ? AND section_id = ? AND type IN (?, ?)"
            " AND chat_id NOT IN (SELECT id FROM canceled_chats) ORDER BY id"
        )
        rows = self._base.execute(query, (conversation.id, conversation.section_id, *SPOKEN))
        return [_message(row) for row in rows]

    def cancel_chat(self, chat_id: str) -> None:
        """Takes a chat out of the context."""
        self._base.execute("INSERT OR IGNORE INTO canceled_chats VALUES (?)", (chat_id,))

    def said_in_chat(self, conversation_id: str, *, chat_id: str) -> list[Message]:
        """All that a chat brought forth, oldest first; not what it was asked."""
        query = (
            "SELECT * FROM messages WHERE conversation_id = ? AND chat_id = ? AND role = 'assistant'"
            " ORDER BY id"
        )
        return [_message(row) for row in self._base.execute(query, (conversation_id, chat_id))]

    def messages(self, conversation_id: str, *, page: Page) -> tuple[list[Message], bool]:
        """One page in the requested order, and whether there are more rows beyond it."""
        # Towards the rows before a cursor we walk against the requested order and turn the page round.
        backwards = page.before is not None and page.after is None
        upwards = page.ascending != backwards
        query, values = _page_query(conversation_id, page=page, upwards=upwards)
        rows = [_message(row) for row in self._base.execute(query, values)]
        more, rows = len(rows) > page.limit, rows[: page.limit]
        return (rows[::-1] if backwards else rows), more


def _page_query(conversation_id: str, *, page: Page, upwards: bool) -> tuple[str, list[Any]]:
    clauses, values = ["conversation_id = ?", "type IN (?, ?)"], [conversation_id, *SPOKEN]
    forward, back = (">", "<") if page.ascending else ("<", ">")
    for sign, cursor in ((forward, page.after), (back, page.before)):
        if cursor is not None:
            clauses.append(f"id {sign} ?")
            values.append(cursor)
    if page.chat_id is not None:
        clauses.append("chat_id = ?")
        values.append(page.chat_id)
    order = "ASC" if upwards else "DESC"
    query = f"SELECT * FROM messages WHERE {' AND '.join(clauses)} ORDER BY id {order} LIMIT ?"  # noqa: S608
    return query, [*values, page.limit + 1]


def _row(record: Conversation | Message) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in record.__slots__}
    row["meta_data"] = json.dumps(record.meta_data)
    return row


def _conversation(row: sqlite3.Row) -> Conversation:
    return Conversation(**{**dict(row), "meta_data": json.loads(row["meta_data"])})


def _message(row: sqlite3.Row) -> Message:
    return Message(**{**dict(row), "meta_data": json.loads(row["meta_data"])})
