"""Pies: shares of a whole, with what each is."""

import math
import re
from collections.abc import Iterable

from conversations.diagrams.drawing import plain, sheet, width_of, words

_MOST = 12
_TITLE = re.compile(r"(?:showData\s*)?(?:title\s+(?P<title>.{1,200}))?")
_SLICE = re.compile(r'"(?P<name>[^"]{1,100})"\s*:\s*(?P<size>\d{1,12}(?:\.\d{1,6})?)')


def draw(head: str, lines: Iterable[str]) -> str | None:
    """The SVG, or None."""
    lines = list(lines)
    if lines and lines[0].startswith("title "):
        head = lines.pop(0)
    title = _TITLE.fullmatch(head.strip())
    found = [_SLICE.fullmatch(line) for line in lines]
    slices = [(plain(each["name"]), float(each["size"])) for each in found if each]
    total = sum(size for _name, size in slices)
    if title is None or len(slices) != len(found) or not 0 < len(slices) <= _MOST or not total:
        return None
    return _drawn(plain(title["title"] or ""), slices, total=total)


def _drawn(title: str, slices: list[tuple[str, float]], *, total: float) -> str:
    parts = [words(title, at=(150, 18))] if title else []
    top, turned = (150.0 if title else 130.0), 0.0
    for number, (name, size) in enumerate(slices):
        share = size / total
        parts.append(_slice(turned, share, number=number, top=top))
        turned += share
        y = top - len(slices) * 12 + number * 24
        label = f"{name} {share:.0%}"
        parts.append(
            f'<rect class="share s{number % 6}" x="290" y="{y - 7:.0f}" width="14" height="14" rx="3"/>'
        )
        parts.append(words(label, at=(314 + width_of(label) / 2, y + 1)))
    broad = 330 + max(width_of(name) + 50 for name, _size in slices)
    says = ", ".join(f"{name} {size / total:.0%}" for name, size in slices)
    return sheet(parts, width=broad, height=top + 130, says=f"{title}: {says}" if title else says)


def _slice(turned: float, share: float, *, number: int, top: float) -> str:
    share = min(share, 0.9999)
    ends = [
        (150 + 110 * math.sin(2 * math.pi * at), top - 110 * math.cos(2 * math.pi * at))
        for at in (turned, turned + share)
    ]
    (x0, y0), (x1, y1) = ends
    large = int(share > 0.5)
    way = f"M150 {top:.1f}L{x0:.1f} {y0:.1f}A110 110 0 {large} 1 {x1:.1f} {y1:.1f}Z"
    return f'<path class="share s{number % 6}" d="{way}"/>'
