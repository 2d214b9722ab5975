"""Paths through the lines of a conversation: from its first message to the end of one of them.

A path is a range of ids on each of its lines, so its messages are found by an index, however many turns it has.
"""

import uuid
from collections.abc import Iterator, Mapping
from typing import NamedTuple

Line = uuid.UUID | None


class Reach(NamedTuple):
    """What belongs to a path of one line (None: the main one): the messages before an id, or (None) all of them."""

    line: Line
    before: int | None


# From the end to the beginning.
Path = tuple[Reach, ...]
MAIN: Path = (Reach(None, None),)


class Lines:
    """How the lines of one conversation leave each other: each with the line that it leaves, and before which message."""

    def __init__(self, leaving: Mapping[uuid.UUID, tuple[Line, int]]) -> None:
        self._leaving = leaving

    def __iter__(self) -> Iterator[Line]:
        yield None
        yield from self._leaving

    def path(self, line: Line) -> Path:
        """What leads to the end of a line."""
        reaches, before = [Reach(line, None)], None
        while line is not None:
            line, left = self._leaving[line]
            before = left if before is None else min(before, left)
            reaches.append(Reach(line, before))
        return tuple(reaches)

    def holding(self, line: Line, *, message_id: int) -> list[Line]:
        """The lines whose paths go through a message of `line`."""
        return [each for each in self if holds(self.path(each), line, message_id=message_id)]


def holds(path: Path, line: Line, *, message_id: int) -> bool:
    """Whether a path goes through a message of a line."""
    return any(each == line and (before is None or message_id < before) for each, before in path)
