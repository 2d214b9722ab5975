"""Mermaid's diagrams are drawn here as far as they are understood; the rest is shown as it is written."""

import time
from html.parser import HTMLParser

import pytest

from conversations.diagrams import draw
from conversations.rendering import GrowingText, render

FLOW = 'flowchart TD\n  A[开始] --> B{"so?"}\n  B -->|yes| C(Go on)\n  B -- no --> D[(Store)]\n  D -.-> A'
TALK = "sequenceDiagram\n  participant A as Alice\n  A->>B: Hello <b>\n  B-->>A: Hi\n  Note over A,B: done\n  B->>B: hm"
PIE = 'pie title Pets\n  "Dogs" : 386\n  "Cats" : 85.5'


def _attributes(html: str) -> set[str]:
    """The names of all that stand in it."""
    found: set[str] = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda _tag, attributes: found.update(name for name, _value in attributes)  # type: ignore[method-assign]
    parser.feed(html)
    return found


def fenced(source: str) -> str:
    return f"```mermaid\n{source}\n```"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (FLOW, ["开始", "so?", "yes", "Store"]),
        (TALK, ["Alice", "Hello &lt;b&gt;", "done"]),
        (PIE, ["Pets", "Dogs 82%", "Cats 18%"]),
        ("graph LR; A-->B; B-->C", ["A", "B", "C"]),
        ("%% a note\nflowchart LR\nA --- B\nstyle A fill:#f9f", ["A", "B"]),
    ],
)
def test_a_closed_fence_becomes_a_picture_and_its_source_stays(source, says):
    html = render(fenced(source))
    assert "<svg" in html
    assert "viewBox=" in html
    assert 'class="source"' in html
    assert "style=" not in html
    for words in says:
        assert words in html.split("</svg>")[0]


@pytest.mark.parametrize(
    "source",
    [
        "gantt\n  title x",
        "flowchart TD\n  A --",
        "flowchart TD\n  subgraph one\n  A --> B\n  end",
        "flowchart UP\n  A --> B",
        "sequenceDiagram\n  loop\n  A->>B: x\n  end",
        "sequenceDiagram\n  rubbish",
        'pie\n  "a" : -1',
        'pie\n  "a" : 0',
        "pie",
        "",
        "<script>alert(1)</script>",
        "flowchart TD\n" + "\n".join(f"A{n} --> A{n + 1}" for n in range(90)),
        "flowchart TD\nA[" + "x" * 9_000 + "]",
    ],
)
def test_what_is_not_understood_is_shown_as_it_is_written(source):
    html = render(fenced(source))
    assert "<svg" not in html
    assert "<pre><code>" in html


def test_nothing_is_drawn_before_the_fence_is_closed():
    growing = GrowingText()
    for letter in fenced(FLOW)[:-3]:
        assert growing.feed(letter) == []
    assert "<svg" not in "".join(growing.end())


@pytest.mark.parametrize(
    "words", ["<script>alert(1)</script>", "</text><img src=x onerror=alert(1)>", '" onload="x']
)
def test_words_of_a_diagram_stay_words(words):
    for source in (
        f"flowchart TD\nA[{words}] --> B",
        f"sequenceDiagram\nA->>B: {words}",
        f'pie title {words}\n"a" : 1',
    ):
        html = render(fenced(source))
        assert "<script" not in html
        assert "<img" not in html
        assert not [name for name in _attributes(html) if name.startswith("on")]


@pytest.mark.parametrize(
    "seed",
    [
        "A-->B;",
        "A -- x",
        "A[",
        "A((",
        "A & ",
        "--",
        "-.",
        "A-->|",
        "A-- - -",
        "A->>B: x\n",
        '"a" : 1\n',
        "A-",
        "A.",
        "==",
    ],
)
@pytest.mark.parametrize("head", ["flowchart TD\n", "sequenceDiagram\n", "pie\n"])
def test_no_diagram_takes_long(head, seed):
    source = head + seed * ((8_000 - len(head)) // len(seed))
    began = time.process_time()
    draw(source)
    assert time.process_time() - began < 0.5


def test_a_large_chart_with_many_ways_back_is_drawn_in_time():
    lines = [f"N{n} --> N{(n * 7 + 3) % 60}\nN{n} --> N{n // 2}" for n in range(60)]
    began = time.process_time()
    assert draw("flowchart LR\n" + "\n".join(lines)) is not None
    assert time.process_time() - began < 0.5


def test_words_on_a_link_are_no_node():
    html = render(fenced("flowchart TD\nA -- no --> B\nA -->|yes| C\nA ---D"))
    assert html.count('class="box"') == 4
    assert html.count('class="head"') == 2
    assert html.count('class="label"') == 2
