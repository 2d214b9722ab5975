"""What one tab shows of one answer: the page's rules, with every breach written down instead of hidden."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

ENDS = {"completed", "failed", "canceled", "interrupted", "requires_action"}


def utf16(text: str) -> int:
    """A text's length as a browser counts it."""
    return len(text.encode("utf-16-le", errors="replace")) // 2


@dataclass(slots=True)
class Tally:
    """What all tabs counted together, and what must not have happened, in words."""

    counts: Counter[str] = field(default_factory=Counter)
    breaches: dict[str, list[str]] = field(default_factory=dict)

    def breach(self, kind: str, what: str) -> None:
        """Note one; the first few of a kind are kept in words."""
        self.counts[kind] += 1
        self.breaches.setdefault(kind, [])
        if len(self.breaches[kind]) < 5:
            self.breaches[kind].append(what)


class Shown:
    """One answer in one tab. `take` returns True when the tab has to ask for everything once more."""

    def __init__(self, turn: str, *, tally: Tally) -> None:
        self.turn = turn
        self.text = ""
        self.seq = 0
        self.ended = ""
        self.syncing = False
        # How often its end was heard on this connection, and was asked for by anybody of this user.
        self.heard = 0
        self.asked_for = 0
        self._tally = tally
        self._parts: list[str] = []

    def reconnected(self) -> None:
        """A new connection: what comes on it is counted anew."""
        self.heard, self.syncing, self._parts = 0, False, []

    def take(self, frame: dict[str, Any]) -> bool:
        """One frame of this turn."""
        kind = frame["type"].removeprefix("turn.")
        if kind == "delta":
            return self._delta(frame)
        if kind == "sync":
            self._sync(frame)
            return False
        return self._end(frame, kind=kind) if kind in ENDS else False

    def _delta(self, frame: dict[str, Any]) -> bool:
        count = self._tally.counts
        count["deltas"] += 1
        if self.syncing:
            return False
        if frame["seq"] <= self.seq:
            count["repeated deltas suppressed"] += 1
            return False
        if self.ended:
            self._tally.breach("after the end", f"{self.turn}: delta {frame['seq']} after {self.ended}")
            return False
        if frame["seq"] > self.seq + 1:
            count["gaps"] += 1
            return True
        self.text += frame["content"]
        self.seq = frame["seq"]
        return False

    def _sync(self, frame: dict[str, Any]) -> None:
        self._parts = [*([] if frame["offset"] == 0 else self._parts), frame["content"]]
        if not frame["last"]:
            return
        text = "".join(self._parts)
        self._tally.counts["syncs"] += 1
        self.replace(text, why="sync")
        self.seq, self.syncing = frame["seq"], False

    def replace(self, text: str, *, why: str) -> None:
        """Another text of the same answer: more of it or, after a crash, less; never something else."""
        if not (text.startswith(self.text) or self.text.startswith(text)):
            self._tally.breach("rewritten", f"{self.turn}: a {why} says something else")
        if self.ended and text != self.text:
            self._tally.breach("rewritten", f"{self.turn}: a {why} after the end differs")
        self.text = text

    def _end(self, frame: dict[str, Any], *, kind: str) -> bool:
        self.heard += 1
        if self.ended and kind != self.ended:
            self._tally.breach("double ends", f"{self.turn}: {kind} after {self.ended}")
        if self.heard > 1 + self.asked_for:
            self._tally.breach("double ends", f"{self.turn}: {kind} heard {self.heard} times")
        if self.ended or self.syncing:
            return False
        if frame["seq"] != self.seq or frame["length"] != utf16(self.text):
            # What was kept is not what this tab saw, as after a crash: everything once more.
            self._tally.counts["ends that needed a look"] += 1
            return True
        self.ended = kind
        return False
