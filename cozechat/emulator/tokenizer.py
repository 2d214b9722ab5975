"""Cutting an answer into the pieces in which it is streamed."""

import re
from collections.abc import Iterator

_HAN = "\u3400-\u9fff\uf900-\ufaff"
_PIECE = re.compile(rf"[{_HAN}]+|\s*[^\s{_HAN}]{{1,24}}|\s+")
_COUNTED = re.compile(rf"[{_HAN}]|[^\s{_HAN}]+")
LONG = 100_000
_LENGTHS = (2, 1, 3, 2)


def split_tokens(text: str) -> Iterator[str]:
    """Words with the space before them, Chinese by one to three characters; joined they are `text`."""
    turn = 0
    for match in _PIECE.finditer(text):
        piece = match.group()
        if not re.match(rf"[{_HAN}]", piece):
            yield piece
            continue
        while piece:
            length = _LENGTHS[turn % len(_LENGTHS)]
            yield piece[:length]
            piece, turn = piece[length:], turn + 1


def count_tokens(text: str) -> int:
    """A rough count: a Chinese character or a word is one, and of a book a quarter of its letters."""
    if len(text) > LONG:
        return len(text) // 4
    return len(_COUNTED.findall(text))
