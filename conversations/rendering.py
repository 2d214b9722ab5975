"""Markdown to safe HTML, block by block, so that a growing answer is rendered once and not at every delta."""

import html
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import nh3
from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from conversations import diagrams, pictures, portions

# Raise it (below 127) when the output for a text changes: stored HTML of another version is made anew.
VERSION = 3

# Many of Pygments' 500 lexers hang for seconds on 20 kB of blank or long lines, a few on any code.
_LONGEST_HIGHLIGHT, _LONGEST_HIGHLIGHT_SLOW = 8_000, 2_000
_SLOW_CODE = re.compile(r"[^\n]{201}|(?:\n[ \t]*+){6}")
_SLOW_LANGUAGES = {"java", "csharp", "c#", "cs", "groovy", "pascal"}
_LANGUAGES = _SLOW_LANGUAGES | {
    "bash", "bat", "c", "c++", "clojure", "cmake", "console", "cpp", "css", "dart", "diff", "django", "docker",
    "dockerfile", "elixir", "erlang", "fortran", "fsharp", "go", "golang", "graphql", "haskell", "html", "http",
    "ini", "javascript", "jinja", "js", "json", "jsx", "julia", "kotlin", "latex", "less", "lisp", "lua", "make",
    "makefile", "markdown", "matlab", "md", "mysql", "nasm", "nginx", "nim", "objective-c", "ocaml", "perl", "php",
    "postgresql", "powershell", "properties", "protobuf", "py", "python", "python3", "pycon", "r", "rb", "rs", "rst",
    "ruby", "rust", "scala", "scheme", "scss", "sh", "shell", "solidity", "sql", "swift", "terraform", "tex", "toml",
    "ts", "tsx", "typescript", "vb.net", "vim", "vue", "xml", "yaml", "yml", "zig", "zsh",
}  # fmt: skip
_LONGEST_FORMULA = 2_000
# A tail beyond this is looked at even if no blank line suggests that something in it is finished.
_LONGEST_WAIT = 16_000
_BLANK_LINE = re.compile(r"(?:\r\n|\n|\r)[ \t]*[\r\n]")
_LANGUAGE_NAME = re.compile(r"[A-Za-z0-9_+#.\-]{1,30}")
_MATHML = {
    "math", "mrow", "mi", "mo", "mn", "ms", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup",
    "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "none", "mtable", "mtr", "mtd", "mstyle", "mpadded",
    "mphantom", "menclose",
}  # fmt: skip
_MATHML_ATTRIBUTES = {
    "display", "xmlns", "mathvariant", "stretchy", "fence", "form", "separator", "linethickness", "columnalign",
    "rowspacing", "columnspacing", "displaystyle", "scriptlevel", "accent", "accentunder", "lspace", "rspace", "minsize",
    "maxsize", "movablelimits", "width", "height", "depth", "notation",
}  # fmt: skip
_SVG = {
    "svg": {"width", "height", "viewBox", "role", "aria-label"},
    "path": {"class", "d"},
    "rect": {"class", "x", "y", "width", "height", "rx"},
    "text": {"class", "x", "y"},
}
_CLEANER = nh3.Cleaner(
    tags={
        "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol",
        "li", "table", "thead", "tbody", "tr", "th", "td", "a", "span", "div", "figure", "figcaption", "img",
    } | _MATHML | set(_SVG),
    attributes={
        "a": {"href", "title", "class"},
        "img": {"src", "alt", "class", "loading", "referrerpolicy"},
        "ol": {"start"},
        "code": {"class"},
        "p": {"class"},
        "span": {"class"},
        "div": {"class"},
        "figure": {"class"},
        "th": {"align"},
        "td": {"align"},
        "pre": {"class"},
        **dict.fromkeys(_MATHML, _MATHML_ATTRIBUTES),
        **_SVG,
    },
    set_tag_attribute_values={"a": {"target": "_blank"}},
    link_rel="noopener noreferrer nofollow",
    url_schemes={"http", "https", "mailto", "data"},
    attribute_filter=pictures.kept_attribute,
    url_relative="deny",
)  # fmt: skip
_HIGHLIGHTER = HtmlFormatter(nowrap=True)


def _highlighted(code: str, language: str) -> str:
    """Code as spans with classes; plain when the language is unknown or colouring might take long."""
    language = language.lower()
    longest = _LONGEST_HIGHLIGHT_SLOW if language in _SLOW_LANGUAGES else _LONGEST_HIGHLIGHT
    if language in _LANGUAGES and len(code) <= longest and not _SLOW_CODE.search(code):
        return str(highlight(code, get_lexer_by_name(language, stripnl=False), _HIGHLIGHTER))
    return html.escape(code, quote=False)


def _code(tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    token = tokens[index]
    found = _LANGUAGE_NAME.match(token.info.strip())
    language = found.group() if found else ""
    caption = f"<figcaption>{html.escape(language)}</figcaption>"
    if language == "mermaid" and (drawn := _diagram(token)):
        source = f'<pre class="source"><code>{html.escape(token.content, quote=False)}</code></pre>'
        return f'<figure class="code">{caption}<div class="diagram">{drawn}</div>{source}</figure>\n'
    return f'<figure class="code">{caption}<pre><code>{_highlighted(token.content, language)}</code></pre></figure>\n'


def _diagram(token: Token) -> str | None:
    """A diagram once its fence is closed; None: its source is shown."""
    lines = token.map[1] - token.map[0] if token.map else 0
    try:
        return diagrams.draw(token.content) if lines == token.content.count("\n") + 2 else None
    except (ArithmeticError, LookupError, RecursionError, ValueError):
        return None


def _formula(content: str, options: dict[str, Any]) -> str:
    """MathML, or the formula's source where it is no formula."""
    display = "block" if options.get("display_mode") else "inline"
    if len(content) <= _LONGEST_FORMULA:
        try:
            return _mathml(content, display=display)
        except Exception:  # noqa: S110 - the converter raises whatever hostile input makes it raise
            pass
    return f'<code class="math">{html.escape(content)}</code>'


def _mathml(content: str, *, display: str) -> str:
    """The converter's own text output would pass `<` and `&` of the formula on as markup."""
    root = convert_to_element(content, display=display)
    for element in root.iter():
        element.text = html.unescape(element.text) if element.text else element.text
    return ElementTree.tostring(root, encoding="unicode")


def _aligned_cell(tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    """A cell whose alignment is an attribute: a style would be dropped."""
    token = tokens[index]
    style = str(token.attrs.get("style", ""))
    align = f' align="{style.removeprefix("text-align:")}"' if style else ""
    return f"<{token.tag}{align}>"


def _table_open(*_: Any) -> str:
    return '<div class="table"><table>\n'


def _table_close(*_: Any) -> str:
    return "</table></div>\n"


def _parser() -> MarkdownIt:
    parser = MarkdownIt("js-default", {"html": False, "linkify": True, "breaks": True, "maxNesting": 20})
    parser.use(
        dollarmath_plugin,
        allow_space=False,
        allow_digits=False,
        allow_labels=False,
        allow_blank_lines=False,
        double_inline=True,
        renderer=_formula,
    )
    parser.disable("image")
    parser.inline.ruler.before("link", "picture", pictures.parse)
    parser.add_render_rule("picture", pictures.render)
    # Neither is a link here (relative, and no scheme of ours); looking for the first takes quadratic time.
    if parser.linkify is not None:
        parser.linkify.add("//", None)
        parser.linkify.add("ftp:", None)
    for kind, rule in {
        "fence": _code,
        "code_block": _code,
        "table_open": _table_open,
        "table_close": _table_close,
        "th_open": _aligned_cell,
        "td_open": _aligned_cell,
    }.items():
        parser.renderer.rules[kind] = rule  # type: ignore[attr-defined]
    return parser


_PARSER = _parser()


def version() -> int:
    """What stored HTML is kept with: the rendering's version, and the hosts whose pictures it shows."""
    return VERSION * 256 + pictures.stamp()


def render(text: str, *, breaks: Sequence[int] = ()) -> str:
    """The whole text as safe HTML; `breaks` are the offsets where another answer message begins."""
    edges = [0, *breaks, len(text)]
    return "".join(_render_part(text[start:end]) for start, end in pairwise(edges))


def _render_part(text: str) -> str:
    growing = GrowingText()
    return "".join([*growing.feed(text), *growing.end()])


def _html(tokens: list[Token], environment: dict[str, Any]) -> str:
    rendered = _PARSER.renderer.render(tokens, _PARSER.options, environment)
    return _CLEANER.clean(str(rendered)) if rendered else ""


class GrowingText:
    """Renders the finished top-level blocks of a text that grows.

    A block is finished when another one has begun behind it, after a blank line; a fence when it is closed.
    What is not finished is `tail`, the end of the text as it came. However the text is cut into
    pieces, the HTML is the same, but for one thing: a reference can be used only behind its definition, or
    in what is parsed together with it.

    Looking for finished blocks costs a parse, so it is only tried when a blank line or a fence suggests one
    and, after a try in vain, when the tail has grown by a quarter: linear in the whole. What is too heavy to
    be parsed at once is ended early: a list of thousands of items becomes several, and a line that is too
    heavy by itself is shown as it stands.
    """

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self._parts: list[str] = []
        self._references: dict[str, Any] = {}
        self._length = 0
        self._try_at = 0
        self._recent = ""
        self._fenced = False
        self._suggested = False
        self._closing: re.Pattern[str] | None = None

    @property
    def tail(self) -> str:
        """The text that is not rendered yet."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def feed(self, piece: str) -> list[str]:
        """Add a piece; returns the HTML of the blocks that it finished."""
        self._parts.append(piece)
        self._length += len(piece)
        self._look_for_suggestion(piece)
        if self._length < self._try_at or not (self._suggested or self._length > _LONGEST_WAIT):
            return []
        # The next block has to have begun: a tail that ends with a line break says nothing yet.
        if self.tail.rstrip(" \t").endswith(("\n", "\r")) and not self._fenced:
            return []
        self._suggested = False
        finished = self._take(complete=False)
        self._try_at = 0 if finished else self._length + self._length // 4
        return finished

    def end(self) -> list[str]:
        """Render what is left: the text, or this part of it, is complete."""
        finished = self._take(complete=True)
        self._cut(self._length)
        self._references, self._try_at, self._recent = {}, 0, ""
        return finished

    def _look_for_suggestion(self, piece: str) -> None:
        recent = self._recent + piece
        self._recent = recent[-100:]
        self._fenced = self._fenced or "```" in recent or "~~~" in recent
        if self._closing and self._closing.search(recent):
            self._suggested, self._try_at = True, 0
        elif not self._suggested and ("\n" in piece or "\r" in piece):
            self._suggested = self._fenced or _BLANK_LINE.search(recent) is not None

    def _take(self, *, complete: bool) -> list[str]:
        """Render and cut off all that is finished: everything, when no more text comes."""
        finished = []
        while self.tail.strip():
            length, block = self._next(complete=complete)
            if not length:
                break
            self._cut(length)
            if block:
                finished.append(block)
        self.blocks += finished
        self._closing = portions.fence_closing(self.tail)
        return finished

    def _next(self, *, complete: bool) -> tuple[int, str]:
        """What is finished at the tail's beginning and light enough for one go: its length, its HTML; or 0."""
        tail = self.tail
        if portions.fence_closing(tail):
            length = portions.fences_length(tail) or (len(tail) if complete else 0)
            return length, self._rendered(tail[:length])
        light = portions.light_length(tail)
        if light == 0:
            length = portions.first_line_length(tail) or (len(tail) if complete else 0)
            return length, f'<p class="plain">{html.escape(tail[:length].strip(), quote=False)}</p>\n'
        if light == len(tail) and complete:
            return light, self._rendered(tail)
        return self._next_blocks(tail[:light], forced=light < len(tail))

    def _next_blocks(self, portion: str, *, forced: bool) -> tuple[int, str]:
        environment = self._environment()
        tokens = _PARSER.parse(portion, environment)
        indexes = {
            token.map[0]: index
            for index, token in enumerate(tokens)
            if token.level == 0 and token.map and token.nesting >= 0
        }
        line, length = portions.last_beginning(portion, sorted(indexes, reverse=True))
        if length:
            tokens = tokens[: indexes[line]]
        elif forced:
            line, length = sys.maxsize, len(portion)
        else:
            return 0, ""
        known = environment["references"].items()
        # A definition behind the cut may still grow.
        self._references = {name: found for name, found in known if found["map"][1] <= line}
        return length, _html(tokens, environment)

    def _rendered(self, portion: str) -> str:
        environment = self._environment()
        return _html(_PARSER.parse(portion, environment), environment) if portion else ""

    def _environment(self) -> dict[str, Any]:
        known = {name: {**found, "map": [-1, -1]} for name, found in self._references.items()}
        return {"references": known}

    def _cut(self, length: int) -> None:
        self._parts = [self.tail[length:]]
        self._length -= length
        self._fenced = "```" in self._parts[0] or "~~~" in self._parts[0]
