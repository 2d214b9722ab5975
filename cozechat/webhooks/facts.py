"""Readers for what events carry: each returns a usable value or says which field is wrong."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from conversations.text import clean

_LARGEST = 2**53


class BadFact(ValueError):
    """A field that is missing or wrong; trying again will not mend it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name}' is missing or wrong")


def identifier(data: Mapping[str, Any], name: str, *, limit: int = 64, required: bool = True) -> str:
    """An id as text; Coze's ids may come as numbers. Empty only where it is not required."""
    value = data.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value in (None, "") and not required:
        return ""
    if not isinstance(value, str) or not value or len(value) > limit or clean(value) != value:
        raise BadFact(name)
    return value


def count(data: Mapping[str, Any], name: str) -> int:
    """A number of tokens, 0 where there is none; Coze writes numbers as text, too."""
    value = data.get(name)
    if value in (None, ""):
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _LARGEST:
        raise BadFact(name)
    return value


def moment(data: Mapping[str, Any], name: str, *, default: datetime) -> datetime:
    """A time in seconds or milliseconds since 1970, as a number or as text."""
    value = count(data, name)
    if not value:
        return default
    seconds = value / 1000 if value >= 10**11 else float(value)
    if not 0 < seconds < 10**11:
        raise BadFact(name)
    return datetime.fromtimestamp(min(seconds, 4e9), UTC)
