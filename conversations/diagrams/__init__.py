"""Mermaid's flowcharts, sequences and pies as pictures: drawn here, without a script and without a style.

A part of the language is understood. Whatever is not, is `None`: then the page shows the source, as for any code.
"""

from conversations.diagrams import flowcharts, pies, sequences

# Longer ones are shown as they are written (characters).
LONGEST = 8_000


def draw(source: str) -> str | None:
    """The SVG for a diagram's source; None for what is not understood."""
    if len(source) > LONGEST:
        return None
    lines = [line.strip() for line in source.replace("\r", "\n").split("\n")]
    lines = [line for line in lines if line and not line.startswith("%%")]
    if not lines:
        return None
    head, _space, rest = lines[0].partition(" ")
    match head:
        case "graph" | "flowchart":
            direction, _semicolon, more = rest.partition(";")
            return flowcharts.draw(direction.strip(), [more, *lines[1:]])
        case "sequenceDiagram":
            return sequences.draw(lines[1:])
        case "pie":
            return pies.draw(rest, lines[1:])
    return None
