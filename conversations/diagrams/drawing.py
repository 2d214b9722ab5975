"""Lines, boxes and words of a diagram; the page's styles give them their colours."""

import html
import unicodedata
from collections.abc import Sequence

Point = tuple[float, float]
LINE = 20.0
_WIDE, _NARROW = 15.0, 8.2


def width_of(text: str) -> float:
    """About how wide a line of words is (px)."""
    return sum(_WIDE if unicodedata.east_asian_width(letter) in "WF" else _NARROW for letter in text)


def plain(text: str) -> str:
    """A label without quotes and line breaks of Mermaid's."""
    text = text.strip().strip('"').replace("<br/>", "\n").replace("<br>", "\n").replace("\\n", "\n")
    return text[:300]


def words(text: str, *, at: Point, name: str = "") -> str:
    """Words centred on a point, each line of them on its own."""
    lines = text.split("\n")
    top = at[1] - (len(lines) - 1) * LINE / 2
    look = f' class="{name}"' if name else ""
    return "".join(
        f'<text{look} x="{at[0]:.1f}" y="{top + LINE * index:.1f}">{html.escape(line)}</text>'
        for index, line in enumerate(lines)
    )


def box(x: float, y: float, *, width: float, height: float, round_by: float = 6, name: str = "box") -> str:
    """A rectangle by its upper left corner."""
    return f'<rect class="{name}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{round_by:.1f}"/>'


def path(points: Sequence[Point], *, name: str = "line") -> str:
    """Straight from point to point."""
    steps = " ".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path class="{name}" d="M{steps}"/>'


def arrow(end: Point, *, start: Point, name: str = "head") -> str:
    """The head of an arrow that ends here and comes from there."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    ux, uy = dx / length * 8, dy / length * 8
    base = (end[0] - ux, end[1] - uy)
    corners = (end, (base[0] - uy / 2, base[1] + ux / 2), (base[0] + uy / 2, base[1] - ux / 2))
    return path([*corners, end], name=name)


def sheet(parts: Sequence[str], *, width: float, height: float, says: str) -> str:
    """The whole picture; `says` is for who cannot see it."""
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return f'<svg {size} role="img" aria-label="{html.escape(says[:300])}">{"".join(parts)}</svg>'
