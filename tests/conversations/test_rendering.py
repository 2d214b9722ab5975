"""Answers as HTML: nothing in them runs or fetches, pieces change nothing, and no text holds up the others."""

import time
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conversations import portions, rendering
from conversations.rendering import GrowingText, render
from tests.conversations.hostile import BOMBS, HOSTILE

TAGS = {
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol",
    "li", "table", "thead", "tbody", "tr", "th", "td", "a", "span", "div", "figure", "figcaption",
    "math", "mrow", "mi", "mo", "mn", "ms", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup",
    "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "none", "mtable", "mtr", "mtd", "mstyle",
    "mpadded", "mphantom", "menclose",
}  # fmt: skip
# What diagrams are made of.
DRAWN = {"svg", "path", "rect", "text"}
CLASSES = {
    "diagram",
    "source",
    "picture-link",
    "picture-host",
    "code",
    "table",
    "math",
    "inline",
    "block",
    "plain",
}
PRESENTATION = {
    "align", "start", "title", "display", "xmlns", "mathvariant", "stretchy", "fence", "form", "separator",
    "linethickness", "columnalign", "rowspacing", "columnspacing", "displaystyle", "scriptlevel", "accent",
    "accentunder", "lspace", "rspace", "minsize", "maxsize", "movablelimits", "width", "height", "depth", "notation",
}  # fmt: skip
LINK = {"target": "_blank", "rel": "noopener noreferrer nofollow"}


class Audit(HTMLParser):
    """Reads HTML as a browser would and objects to whatever an answer must not contain."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        assert tag in TAGS, tag
        values = dict(attributes)
        if tag == "a":
            assert {name: values.pop(name) for name in LINK} == LINK
            if "href" in values:
                assert urlsplit(values.pop("href")).scheme in {"http", "https", "mailto"}
        if "class" in values:
            found = set(values.pop("class").split())
            assert tag in DRAWN or tag == "span" or found <= CLASSES, found
            assert tag in DRAWN or all(len(name) <= 3 or name in CLASSES for name in found), found
        assert set(values) <= PRESENTATION, values

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def audited(html: str) -> Audit:
    audit = Audit()
    audit.feed(html)
    audit.close()
    return audit


def grown(pieces: list[str]) -> tuple[str, GrowingText]:
    growing, whole, blocks = GrowingText(), "", []
    for piece in pieces:
        whole += piece
        blocks += growing.feed(piece)
        assert whole.endswith(growing.tail)
    blocks += growing.end()
    assert growing.tail == ""
    assert blocks == growing.blocks
    return "".join(blocks), growing


def test_the_corpus_is_as_large_as_promised():
    assert len(HOSTILE) >= 60
    assert len(set(HOSTILE)) == len(HOSTILE)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_an_answer_runs_or_fetches(text):
    audited(render(text))
    audited(render(f"> - {text}\n\n| a |\n|---|\n| {text} |\n\n# {text}\n\n**{text}**"))


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_runs_while_it_arrives_letter_by_letter(text):
    for block in grown(list(text + "\n\nend"))[1].blocks:
        audited(block)


def test_markup_in_a_formula_is_text():
    audit = audited(render('$\\text{<div class="composer">a & b</div><script>x</script>}$'))
    assert "div" not in audit.tags
    assert "<div" in "".join(audit.text).replace("\xa0", " ")


@pytest.mark.parametrize(
    "text", ["![secret](https://evil.example/?d=1)", "![secret][1]\n\n[1]: https://evil.example/?d=1"]
)
def test_an_image_stays_a_link(text):
    tags = audited(render(text)).tags
    assert "img" not in tags
    assert "a" in tags


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**bold** and `code`", "<p><strong>bold</strong> and <code>code</code></p>\n"),
        ("a\nb", "<p>a<br>\nb</p>\n"),
        ("| a |\n|:-:|\n| b |", 'align="center"'),
        ("3. three", '<ol start="3">'),
        ("$x^2$", "<msup>"),
        ("$a<b$", "<mo>&lt;</mo>"),
        ("$$\n\\frac{1}{2}\n$$", "<mfrac>"),
        ("```python\nif x: pass\n```", '<figcaption>python</figcaption><pre><code><span class="k">if</span>'),
        ("```nosuch\n<b>\n```", "<pre><code>&lt;b&gt;\n"),
        ("see https://example.com/a?b=1&c=2.", 'href="https://example.com/a?b=1&amp;c=2"'),
        ("~~gone~~", "<s>gone</s>"),
        ("价格 $5 到 $6", "价格 $5 到 $6"),
        ("a\r\rb\r\n\r\nc\n\nd", "<p>a</p>\n<p>b</p>\n<p>c</p>\n<p>d</p>\n"),
        ("\n\n \n", ""),
        ("", ""),
    ],
)
def test_markdown_becomes_html(text, expected):
    html = render(text)
    assert expected in html if expected else html == ""


@pytest.mark.parametrize("source", ["\\frac{1}{", "\\left( x", "\\begin{matrix} a"])
def test_a_bad_formula_shows_its_source(source):
    for text in (f"${source}$", f"$$\n{source}\n$$"):
        audit = audited(render(text))
        assert "math" not in audit.tags
        assert source in "".join(audit.text)


def test_answer_messages_do_not_run_into_each_other():
    assert render("- a\n- b", breaks=[4]) == "<ul>\n<li>a</li>\n</ul>\n<ul>\n<li>b</li>\n</ul>\n"
    assert render("- a\n- b") == "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"


@pytest.mark.parametrize(
    "pieces",
    [
        ["1. a\n\n2", ". b"],
        ["x\n\na\n#", "hashtag\n\ny"],
        ["x\n\na\n***", "b***\n\ny"],
        ["x\n\na\nh|i\n-|-", "x\n\ny"],
        ["x\n\n$$\na\n# b", "\n$$\n\ny"],
        ["x\n\na\n```", "b` c\n\ny"],
        ["```\na\n``", "`\nb", "\n\nc"],
        ["a\r", "\n\r", "\nb\r\n\r\nc"],
        ["a\r", "\rb\n\nc", "\rd"],
        ["```\r\na\r\n```\r", "\nb"],
        ["- a\n\n ", " b\n\nc"],
        ["    a\n\n", "    b\n\nc"],
    ],
)
def test_an_unfinished_line_decides_nothing(pieces):
    assert grown(pieces)[0] == render("".join(pieces))


MARKDOWN = st.lists(
    st.sampled_from(
        ["\n", "\n\n", "\r\n", "\r", " ", "    ", "\t", "a", "b c", "- ", "* ", "1. ", "2", ". ", "> ", "# ", "##", "```",
         "~~~", "`", "**", "*", "_", "$$", "$", "|", "a|b", "-|-", "---", "===", "![", "(http://a.b)", "<b>", "&lt;",
         "http://a.b", "\\", "~~", "中文", "😀", "\x00", "\x0b", "\u2028", "+", "2)", "python"]
    )
    | st.text(max_size=5),
    max_size=40,
)  # fmt: skip


@given(parts=MARKDOWN, data=st.data())
def test_however_a_text_is_cut_the_html_is_the_same(parts, data):
    text = "".join(parts)
    assume("]:" not in text)
    html, _growing = grown(parts)
    edges = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    pieces = [text[start:end] for start, end in zip([0, *edges], [*edges, len(text)], strict=True)]

    assert html == grown(pieces)[0] == grown(list(text))[0] == render(text)
    audited(html)


@given(st.text())
def test_any_text_is_rendered_safely(text):
    audited(render(text))


def test_a_definition_that_is_still_arriving_is_not_taken_for_whole():
    pieces = ["[a]: http://exa", "mple.com/\n\n", "[a]", "\n\nend"]
    assert 'href="http://example.com/"' in grown(pieces)[0]
    assert 'href="http://example.com/"' in render("[a]\n\n[a]: http://example.com/")


def test_a_paragraph_is_rendered_as_soon_as_the_next_begins():
    growing = GrowingText()
    assert growing.feed("one\n\n") == []
    assert growing.feed("t") == ["<p>one</p>\n"]
    assert growing.tail == "t"


def test_code_is_rendered_as_soon_as_its_fence_closes():
    growing = GrowingText()
    assert growing.feed("```py\nx = 1\n\n\ny = 2\n``") == []
    assert "<figure" in "".join(growing.feed("`\n"))
    assert growing.tail == ""


def test_a_list_of_thousands_is_still_a_list():
    html = render("".join(f"{number}. item {number}\n" for number in range(1, 5001)))
    assert audited(html).tags.count("li") == 5000
    assert "plain" not in html


def test_a_line_that_is_too_heavy_is_shown_as_it_stands():
    html = render("before\n\n" + "[" * 50_000 + "\n\nafter **all**")
    assert '<p class="plain">[[[' in html
    assert html.endswith("<p>after <strong>all</strong></p>\n")


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_bomb_of_100_kb_costs_linear_time_and_holds_up_nobody(name, monkeypatch):
    spent, longest, size = min(measured(BOMBS[name], monkeypatch) for _ in range(3))

    assert spent < 2, spent
    assert longest < 0.4, longest  # 0.2 s, twice over for a busy machine
    assert size < 60 * len(BOMBS[name]) + 1000


def measured(text: str, monkeypatch) -> tuple[float, float, int]:
    """CPU seconds of the whole and of its longest parse, and the size of the HTML."""
    longest, parse = 0.0, MarkdownIt.parse

    def timed(parser, source, environment):
        nonlocal longest
        started = time.thread_time()
        tokens = parse(parser, source, environment)
        longest = max(longest, time.thread_time() - started)
        return tokens

    with monkeypatch.context() as patch:
        patch.setattr(MarkdownIt, "parse", timed)
        started = time.thread_time()
        html = render(text)
        return time.thread_time() - started, longest, len(html)


@pytest.mark.parametrize(
    "name", ["lists", "paragraphs", "brackets", "python", "chinese", "newlines", "table"]
)
def test_a_text_that_comes_in_small_pieces_costs_linear_time(name):
    text = BOMBS[name][:50_000]
    pieces = [text[start : start + 8] for start in range(0, len(text), 8)]

    assert quickest(lambda: grown_quickly(pieces), within=4) < 4
    assert grown_quickly(pieces)[0] == render(text)


def grown_quickly(pieces: list[str]) -> tuple[str, GrowingText]:
    growing = GrowingText()
    for piece in pieces:
        growing.feed(piece)
    growing.end()
    return "".join(growing.blocks), growing


@pytest.mark.slow
@pytest.mark.parametrize("language", sorted(rendering._LANGUAGES))
def test_no_language_takes_long_to_colour(language):
    for seed in ("a ", "x \n", "\n\n\n\na", "{", "<", '"', "(", "\\", "a=", "/*"):
        code = (seed * 8000)[:8000]
        if "\n" not in seed:
            code = "\n".join(code[start : start + 199] for start in range(0, 7900, 199))
        for length in (2000, 8000):
            spent = quickest(lambda code=code[:length]: rendering._highlighted(code, language), within=0.4)
            assert spent < 0.4, (seed, length, spent)


def quickest(work, *, within: float) -> float:
    """CPU seconds of the quickest of up to five goes: whoever shares the core can only make one slower."""
    spent = float("inf")
    for _ in range(5):
        started = time.thread_time()
        work()
        spent = min(spent, time.thread_time() - started)
        if spent < within:
            break
    return spent


def test_a_portion_is_never_longer_than_its_text():
    for text in BOMBS.values():
        assert 0 <= portions.light_length(text) <= len(text)
