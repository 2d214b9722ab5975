"""Flowcharts: nodes in ranks along the arrows, in the direction that is asked for."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from conversations.diagrams.drawing import LINE, Point, arrow, box, path, plain, sheet, width_of, words

_MOST_NODES, _MOST_EDGES = 60, 120
_GAP, _RANK_GAP, _MARGIN = 28.0, 56.0, 12.0
_NODE = re.compile(
    r"(?P<id>[\w.]+(?:-[\w.]+)*)\s*(?:\(\((?P<circle>[^()]{1,300})\)\)|\[\((?P<store>[^()\[\]]{1,300})\)\]"
    r"|\(\[(?P<pill>[^()\[\]]{1,300})\]\)|\((?P<round>[^()]{1,300})\)|\[(?P<box>\"[^\"]{0,300}\"|[^\[\]]{1,300})\]"
    r"|\{(?P<choice>[^{}]{1,300})\})?"
)
_LINK = re.compile(
    r"\s*(?:(?P<plain>-{2,}>|={2,}>|-\.+->|-{3,}|={3,}|-\.+-)|(?:--|==|-\.)\s*(?P<inner>[^-=.>|\s][^-=>|]{0,200}?)\s*(?:-{2,}|={2,}|\.+-)(?P<head2>>)?)"
    r"\s*(?:\|(?P<label>[^|]{1,300})\|)?\s*"
)
_IGNORED = re.compile(r"(?:style|classDef|class|linkStyle|click)\b")


@dataclass(slots=True)
class _Node:
    """A box, or (without words) the place where an edge passes a rank."""

    words: str
    shape: str = "box"
    rank: int = 0
    at: Point = (0.0, 0.0)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height (px)."""
        if not self.words:
            return 8.0, 8.0
        lines = self.words.split("\n")
        width = max(map(width_of, lines)) + 28
        height = len(lines) * LINE + 18
        return (width * 1.35, height * 1.5) if self.shape == "choice" else (width, height)


@dataclass(slots=True)
class _Chart:
    nodes: dict[str, _Node] = field(default_factory=dict)
    edges: list[tuple[str, str, str, bool]] = field(default_factory=list)


def draw(direction: str, lines: Iterable[str]) -> str | None:
    """The SVG, or None."""
    if direction not in {"TD", "TB", "LR", "RL", "BT", ""}:
        return None
    chart = _read(lines)
    if chart is None or not chart.nodes:
        return None
    routes = _rank(chart)
    return _drawn(chart, routes, sideways=direction in {"LR", "RL"}, backwards=direction in {"RL", "BT"})


def _read(lines: Iterable[str]) -> _Chart | None:
    chart = _Chart()
    for line in (part.strip() for whole in lines for part in whole.split(";")):
        if not line or _IGNORED.match(line):
            continue
        if not _read_line(chart, line) or len(chart.nodes) > _MOST_NODES or len(chart.edges) > _MOST_EDGES:
            return None
    return chart


def _read_line(chart: _Chart, line: str) -> bool:
    before, position, link = _nodes_at(chart, line, 0)
    while before and position < len(line):
        link = _LINK.match(line, position)
        if link is None:
            return False
        after, position, _none = _nodes_at(chart, line, link.end())
        label = plain(link["label"] or link["inner"] or "")
        headed = bool(link["head2"] or (link["plain"] or "").endswith(">"))
        chart.edges += [(one, other, label, headed) for one in before for other in after]
        before = after
    return bool(before)


def _nodes_at(chart: _Chart, line: str, position: int) -> tuple[list[str], int, None]:
    """`A` or `A & B`; empty where there is none."""
    found: list[str] = []
    while True:
        node = _NODE.match(line, position)
        if node is None or node["id"] in {"subgraph", "end", "direction"}:
            return [], position, None
        _note(chart, node)
        found.append(node["id"])
        position = node.end()
        rest = line[position:].lstrip()
        if not rest.startswith("&"):
            return found, len(line) - len(rest), None
        position = len(line) - len(rest[1:].lstrip())


def _note(chart: _Chart, node: "re.Match[str]") -> None:
    shape = next((name for name, value in node.groupdict().items() if name != "id" and value), "")
    known = chart.nodes.setdefault(node["id"], _Node(node["id"]))
    if shape:
        known.words, known.shape = plain(node[shape]) or node["id"], shape


def _rank(chart: _Chart) -> list[list[str]]:
    """Gives each node its rank, and each edge its way: the nodes and passing places from its beginning to its end."""
    after = defaultdict(list)
    for one, other, _label, _headed in chart.edges:
        after[one].append(other)
    back = _back_edges(chart, after)
    forward = [
        (edge[1], edge[0]) if (edge[0], edge[1]) in back else (edge[0], edge[1]) for edge in chart.edges
    ]
    for _round in chart.nodes:
        moved = False
        for one, other in forward:
            if one != other and chart.nodes[other].rank <= chart.nodes[one].rank:
                chart.nodes[other].rank, moved = chart.nodes[one].rank + 1, True
        if not moved:
            break
    return [_way(chart, number, edge) for number, edge in enumerate(chart.edges)]


def _back_edges(chart: _Chart, after: dict[str, list[str]]) -> set[tuple[str, str]]:
    """Edges that lead back to where a walk has come from."""
    back, done = set(), set()
    for root in chart.nodes:
        walk, open_ = [(root, iter(after[root]))], {root}
        while walk and root not in done:
            node, others = walk[-1]
            other = next(others, None)
            if other is None:
                walk.pop()
                open_.discard(node)
                done.add(node)
            elif other in open_:
                back.add((node, other))
            elif other not in done:
                open_.add(other)
                walk.append((other, iter(after[other])))
    return back


def _way(chart: _Chart, number: int, edge: tuple[str, str, str, bool]) -> list[str]:
    first, last = chart.nodes[edge[0]].rank, chart.nodes[edge[1]].rank
    step = 1 if last > first else -1
    passed = []
    for rank in range(first + step, last, step) if first != last else ():
        name = f"\n{number} {rank}"
        chart.nodes[name] = _Node("", rank=rank)
        passed.append(name)
    return [edge[0], *passed, edge[1]]


def _drawn(chart: _Chart, routes: list[list[str]], *, sideways: bool, backwards: bool) -> str:
    ranks = _ordered(chart, routes)
    width, height = _place(chart, ranks, sideways=sideways, backwards=backwards)
    parts: list[str] = []
    for route, edge in zip(routes, chart.edges, strict=True):
        parts += _edge(chart, route, label=edge[2], headed=edge[3])
    parts += [_shape(node) for node in chart.nodes.values() if node.words]
    says = ", ".join(
        f"{chart.nodes[one].words} → {chart.nodes[other].words}" for one, other, *_ in chart.edges
    )
    return sheet(
        parts, width=width, height=height, says=says or ", ".join(n.words for n in chart.nodes.values())
    )


def _ordered(chart: _Chart, routes: list[list[str]]) -> list[list[str]]:
    """The ranks, with few crossings: each node near the middle of its neighbours before."""
    ranks: list[list[str]] = [[] for _ in range(max(node.rank for node in chart.nodes.values()) + 1)]
    for name, node in chart.nodes.items():
        ranks[node.rank].append(name)
    beside = defaultdict(list)
    for route in routes:
        for one, other in pairwise(route):
            beside[one].append(other)
            beside[other].append(one)
    for _sweep in range(4):
        for before, rank in [*pairwise(ranks), *pairwise(ranks[::-1])]:
            places = {name: place for place, name in enumerate(before)}
            middle = {}
            for place, name in enumerate(rank):
                known = [places[other] for other in beside[name] if other in places]
                middle[name] = sum(known) / len(known) if known else float(place)
            rank.sort(key=middle.__getitem__)
    return ranks


def _place(chart: _Chart, ranks: list[list[str]], *, sideways: bool, backwards: bool) -> tuple[float, float]:
    across, along = (1, 0) if sideways else (0, 1)
    nodes = chart.nodes
    breadth = [sum(nodes[name].size[across] + _GAP for name in rank) - _GAP for rank in ranks]
    depth = [max(nodes[name].size[along] for name in rank) for rank in ranks]
    gap = _RANK_GAP + (40 if sideways and any(edge[2] for edge in chart.edges) else 0)
    widest, deep = max(breadth) + 2 * _MARGIN, sum(depth) + gap * (len(ranks) - 1) + 2 * _MARGIN
    start = _MARGIN
    for rank, broad, thick in zip(ranks, breadth, depth, strict=True):
        place = (widest - broad) / 2
        middle = start + thick / 2
        middle = deep - middle if backwards else middle
        for name in rank:
            size = nodes[name].size[across]
            centre = place + size / 2
            nodes[name].at = (middle, centre) if sideways else (centre, middle)
            place += size + _GAP
        start += thick + gap
    return (deep, widest) if sideways else (widest, deep)


def _edge(chart: _Chart, route: Sequence[str], *, label: str, headed: bool) -> list[str]:
    nodes = [chart.nodes[name] for name in route]
    if route[0] == route[-1]:
        return []
    points = [node.at for node in nodes]
    points[0], points[-1] = _border(nodes[0], points[1]), _border(nodes[-1], points[-2])
    parts = [path(points)]
    if headed:
        parts.append(arrow(points[-1], start=points[-2]))
    if label:
        at = len(points) // 2
        (x0, y0), (x1, y1) = points[at - 1], points[at]
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
        broad = max(map(width_of, label.split("\n"))) + 8
        parts += [box(middle[0] - broad / 2, middle[1] - 11, width=broad, height=22, name="under")]
        parts += [words(label, at=middle, name="label")]
    return parts


def _border(node: _Node, towards: Point) -> Point:
    """Where the way from a node's middle to a point leaves it."""
    (x, y), (width, height) = node.at, node.size
    dx, dy = towards[0] - x, towards[1] - y
    if not dx and not dy:
        return node.at
    if node.shape == "choice":
        share = 1 / (abs(dx) / (width / 2) + abs(dy) / (height / 2))
    else:
        share = min(width / 2 / abs(dx) if dx else 9e9, height / 2 / abs(dy) if dy else 9e9)
    return x + dx * share, y + dy * share


def _shape(node: _Node) -> str:
    (x, y), (width, height) = node.at, node.size
    left, top, right, bottom = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if node.shape == "choice":
        around = [(x, top), (right, y), (x, bottom), (left, y), (x, top)]
        return path(around, name="box") + words(node.words, at=node.at)
    round_by = {"box": 6.0, "round": 12.0, "store": 10.0}.get(node.shape, height / 2)
    return box(left, top, width=width, height=height, round_by=round_by) + words(node.words, at=node.at)
