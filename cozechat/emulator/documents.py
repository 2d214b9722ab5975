"""Whatever is kept whole under a key: chats, workflow runs, files, variables."""

import json
import sqlite3
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
"""


class Documents:
    """JSON objects by kind and key, in the store's own database."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base
        self._base.executescript(_SCHEMA)

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        query = "SELECT body FROM documents WHERE kind = ? AND key = ?"
        found = self._base.execute(query, (kind, key)).fetchone()
        return None if found is None else json.loads(found["body"])

    def put(self, kind: str, key: str, body: dict[str, Any]) -> None:
        query = "INSERT OR REPLACE INTO documents (kind, key, body) VALUES (?, ?, ?)"
        self._base.execute(query, (kind, key, json.dumps(body)))

    def having(self, kind: str, *, field: str, values: tuple[str, ...]) -> list[dict[str, Any]]:
        marks = ",".join("?" * len(values))
        query = f"SELECT body FROM documents WHERE kind = ? AND json_extract(body, ?) IN ({marks})"  # noqa: S608
        rows = self._base.execute(query, (kind, f"$.{field}", *values))
        return [json.loads(row["body"]) for row in rows]

    def newest_key(self) -> int:
        """The largest key that is an id."""
        query = "SELECT max(key) FROM documents WHERE kind IN ('chat', 'execution', 'file')"
        return int(self._base.execute(query).fetchone()[0] or 0)
