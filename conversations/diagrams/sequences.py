"""Sequences: who says what to whom, from top to bottom."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from conversations.diagrams.drawing import LINE, arrow, box, path, plain, sheet, width_of, words

_MOST_PEOPLE, _MOST_LINES = 12, 80
_WHO = re.compile(r"(?:participant|actor)\s+(?P<id>[\w.]+)(?:\s+as\s+(?P<name>.{1,100}))?")
_SAID = re.compile(
    r"(?P<one>[\w.]+)\s*(?P<line>--?)(?P<head>>>|>|x|\))\s*[+-]?(?P<other>[\w.]+)\s*:\s*(?P<text>.{0,300})"
)
_NOTE = re.compile(
    r"[Nn]ote\s+(?:over|right of|left of)\s+(?P<one>[\w.]+)(?:\s*,\s*(?P<other>[\w.]+))?\s*:\s*(?P<text>.{1,300})"
)
_IGNORED = re.compile(r"(?:autonumber|activate|deactivate)\b")


@dataclass(slots=True)
class _Talk:
    """Who there is, and what happens: (kind, one, other, text)."""

    people: dict[str, str] = field(default_factory=dict)
    lines: list[tuple[str, str, str, str]] = field(default_factory=list)


def draw(lines: Iterable[str]) -> str | None:
    """The SVG, or None."""
    talk = _Talk()
    for line in lines:
        if not _read(talk, line) or len(talk.people) > _MOST_PEOPLE or len(talk.lines) > _MOST_LINES:
            return None
    return _drawn(talk) if talk.people else None


def _read(talk: _Talk, line: str) -> bool:
    if _IGNORED.match(line):
        return True
    if who := _WHO.fullmatch(line):
        talk.people[who["id"]] = plain(who["name"] or who["id"])
        return True
    said, note = _SAID.fullmatch(line), _NOTE.fullmatch(line)
    found = said or note
    if found is None:
        return False
    one, other = found["one"], found["other"] or found["one"]
    for name in (one, other):
        talk.people.setdefault(name, name)
    kind = "note" if note else "dashed" if found["line"] == "--" else "line"
    talk.lines.append((kind, one, other, plain(found["text"])))
    return True


def _drawn(talk: _Talk) -> str:
    said = max((width_of(text) for _kind, one, other, text in talk.lines if one != other), default=0.0)
    apart = max(120.0, min(320.0, said + 32), *(width_of(name) + 48 for name in talk.people.values()))
    at = {name: apart * (place + 0.5) for place, name in enumerate(talk.people)}
    width, y = apart * len(talk.people), 72.0
    parts: list[str] = []
    for kind, one, other, text in talk.lines:
        parts += _line(kind, at[one], at[other], text=text, y=y)
        y += 48
    lives = [path([(x, 46), (x, y - 8)], name="life") for x in at.values()]
    heads = [
        box(at[name] - width_of(label) / 2 - 14, 10, width=width_of(label) + 28, height=36)
        + words(label, at=(at[name], 28))
        for name, label in talk.people.items()
    ]
    says = "; ".join(
        f"{talk.people[one]} → {talk.people[other]}: {text}" for _kind, one, other, text in talk.lines
    )
    return sheet([*lives, *parts, *heads], width=width, height=y + 4, says=says)


def _line(kind: str, x0: float, x1: float, *, text: str, y: float) -> list[str]:
    if kind == "note":
        broad = max(width_of(text) + 24, abs(x1 - x0) + 40)
        left = (x0 + x1) / 2 - broad / 2
        return [
            box(left, y - 14, width=broad, height=32, name="note"),
            words(text, at=((x0 + x1) / 2, y + 2)),
        ]
    if x0 == x1:
        ways = [(x0, y), (x0 + 36, y), (x0 + 36, y + 16), (x0 + 2, y + 16)]
        label = words(text, at=(x0 + 48 + width_of(text) / 2, y + LINE / 2))
        return [path(ways, name=kind), arrow(ways[-1], start=ways[-2]), label]
    return [
        path([(x0, y + 10), (x1, y + 10)], name=kind),
        arrow((x1, y + 10), start=(x0, y + 10)),
        words(text, at=((x0 + x1) / 2, y - 2)),
    ]
