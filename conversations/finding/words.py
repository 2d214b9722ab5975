"""A text as the index knows it: words, pairs of characters where no blanks part words, and signs.

A word of Chinese, Japanese or Thai has no edges, so each run of such characters is kept as its characters and its
overlapping pairs: 张三丰 as 张, 三, 丰, 张三, 三丰. Two characters are found as they are, more as all of their pairs.
"""

import re
import unicodedata
from collections.abc import Iterator

# Han, kana, Hangul, Thai, Lao, Khmer and Myanmar: scripts that write without blanks, or whose words have endings.
_RUN = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_TOKEN = re.compile(f"(?P<run>[{_RUN}]+)|(?P<word>(?:(?![{_RUN}_])\\w)+)|(?P<sign>[^\\s\\w]|_)")
_LONGEST_WORD = 48
# PostgreSQL holds a megabyte of words of one text; what goes on after so many characters of them is not found.
_ROOM = 250_000
# A private character before an owner's number, and a block of them for signs: no text is taken for them.
_OWNER = "\ue000"
_SIGNS = 0xE100
_PREFIX_FROM = 2


def normal(text: str) -> str:
    """The text as two spellings of the same words become equal."""
    return unicodedata.normalize("NFKC", text).casefold()


def owner_word(owner_id: int) -> str:
    """The word that stands in everything of this owner's and in nothing of anybody else's."""
    return f"{_OWNER}{owner_id}"


def index_text(text: str, *, owner_id: int) -> str:
    """What the index keeps of a text: each of its words once, with blanks between."""
    kept = {owner_word(owner_id): None}
    room = _ROOM
    for token in _tokens(normal(text)):
        if token not in kept:
            room -= len(token)
            if room < 0:
                break
            kept[token] = None
    return " ".join(kept)


def _tokens(text: str) -> Iterator[str]:
    for found in _TOKEN.finditer(text):
        token = found.group()
        if found.lastgroup == "run":
            yield from token
            yield from _pairs(token)
        else:
            yield from _word(found)


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)]


def _word(found: "re.Match[str]") -> Iterator[str]:
    token = found.group()
    if found.lastgroup == "word":
        yield token[:_LONGEST_WORD]
    elif token.isascii():
        yield chr(_SIGNS + ord(token))
    elif not _OWNER <= token <= chr(_SIGNS + 0x7F):
        yield token


def wanted(query: str) -> list[tuple[str, bool]]:
    """The words that a text has to hold, each with whether it may go on (as the last one typed does)."""
    found: dict[tuple[str, bool], None] = {}
    for match in _TOKEN.finditer(normal(query)):
        token = match.group()
        if match.lastgroup == "run":
            found.update(dict.fromkeys((pair, False) for pair in _pairs(token) or [token]))
        else:
            is_open = match.lastgroup == "word" and len(token) >= _PREFIX_FROM
            found.update(dict.fromkeys((word, is_open) for word in _word(match)))
    return list(found)
