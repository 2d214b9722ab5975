"""How much of a Markdown text is parsed at once: enough for whole blocks, never so much that others wait."""

import re
from collections.abc import Iterable

# In units of about 10 µs, what the heaviest texts found cost: one portion holds up the event loop for 0.15 s.
HEAVIEST = 15_000
_SHORT = 8_000
_LINE_COSTS, _CELL_COSTS, _LETTERS_A_UNIT = 6, 3, 15
_COSTS = (
    (1, re.compile(r"[\](){}!*_~`<>&|\\#+=\-^']")),
    (2, re.compile(r"[\[$]")),
    (5, re.compile(r"\.(?=\w)|:(?=/)|@")),
)
_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\n|\r|\Z)")
_TABLE_RULE = re.compile(r"[ \t>]*+[|:\-][ \t|:\-]*+\Z")
_FENCE = re.compile(
    r"(?:[ \t]*+(?:\r\n|\n|\r))*+ {0,3}(?:(`{3,}+)[^`\r\n]*+|(~{3,}+)[^\r\n]*+)(?:\r\n|\n|\r)"
)


class _Weights:
    """Weighs lines one after another; a formula or a wide table makes those behind it heavier."""

    def __init__(self) -> None:
        self._columns = 0
        self._letters = _LETTERS_A_UNIT

    def of(self, line: str) -> int:
        if "$" in line:
            self._letters = 1
        plain = line.strip()
        if not plain:
            self._columns = 0
        elif "-" in plain and "|" in plain and _TABLE_RULE.match(plain):
            self._columns = plain.count("|")
        marks = sum(units * len(pattern.findall(line)) for units, pattern in _COSTS)
        return _LINE_COSTS + _CELL_COSTS * self._columns + len(line) // self._letters + marks


def light_length(text: str) -> int:
    """The length of the longest run of lines at the text's beginning that can be parsed at once."""
    weights, total, position = _Weights(), 0, 0
    while position < len(text):
        found = _LINE.match(text, position)
        line = found.group() if found else ""
        total += weights.of(line)
        if total > HEAVIEST:
            break
        position += len(line)
    return position


def first_line_length(text: str) -> int:
    """The length of the first line with its end; 0 while the line has none."""
    found = _LINE.match(text)
    line = found.group() if found else ""
    return len(line) if line.endswith(("\n", "\r")) and not _may_go_on(text, len(line)) else 0


def fence_closing(text: str, start: int = 0) -> re.Pattern[str] | None:
    """What closes the fence that begins at `start`; None if something else does."""
    opening = _FENCE.match(text, start)
    if opening is None:
        return None
    marker = opening.group(1) or opening.group(2)
    return re.compile(rf"(?:(?<=\n)|(?<=\r)) {{0,3}}{marker[0]}{{{len(marker)},}}+[ \t]*+(?:\r\n|\n|\r)")


def fences_length(text: str) -> int:
    """The length of the fenced blocks that the text begins with, a few kB at most unless one is longer; 0 if open."""
    length = 0
    while length < _SHORT and (closing := fence_closing(text, length)):
        opening = _FENCE.match(text, length)
        found = closing.search(text, opening.end()) if opening else None
        if found is None or _may_go_on(text, found.end()):
            break
        length = found.end()
    return length


def last_beginning(text: str, lines: Iterable[int]) -> tuple[int, int]:
    """The first of these lines (counted from 0) that a blank one stands before, and its offset; or 0, 0.

    Only there can nothing that is still to come make a block part of the one before. An unfinished last line
    of digits may yet turn out as the next item of a list.
    """
    found = [line for line in _LINE.finditer(text) if line.group()]
    for number in lines:
        if 0 < number < len(found) and not found[number - 1].group().strip():
            line = found[number].group()
            if not (line.strip().isdigit() and not line.endswith(("\n", "\r"))):
                return number, found[number].start()
    return 0, 0


def _may_go_on(text: str, end: int) -> bool:
    """Whether a line end may be one half of a CR LF whose other half is still to come."""
    return end == len(text) and text.endswith("\r")
