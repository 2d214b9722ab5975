"""Counts of what was asked of the emulator, so that tests can look."""

from collections import Counter
from typing import Any


class Ledger:
    """Plain tallies; nothing here changes an answer."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.requests: Counter[str] = Counter()
        self.exchanges: Counter[str] = Counter()
        self.exchange_refusals: Counter[str] = Counter()
        self.chats: Counter[str] = Counter()
        self.chats_per_session: Counter[str] = Counter()
        self.refusals: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        self.feedback: dict[str, dict[str, Any]] = {}
        self.abandoned = 0
        self.without_body_session_name = 0
        self.mismatches: list[dict[str, str | None]] = []

    def compare(self, path: str, *, token: str | None, body: str | None) -> None:
        """Notes a body that names another session than its token, or none."""
        if body is None:
            self.without_body_session_name += 1
        elif body != token:
            self.mismatches.append({"path": path, "token": token, "body": body})

    def as_json(self) -> dict[str, Any]:
        return {
            "requests": dict(self.requests),
            "exchanges": dict(self.exchanges),
            "exchange_refusals": dict(self.exchange_refusals),
            "chats": dict(self.chats),
            "chats_per_session": dict(self.chats_per_session),
            "refusals": {str(code): count for code, count in self.refusals.items()},
            "faults": dict(self.faults),
            "feedback": self.feedback,
            "abandoned": self.abandoned,
            "without_body_session_name": self.without_body_session_name,
            "session_name_mismatches": self.mismatches,
        }
