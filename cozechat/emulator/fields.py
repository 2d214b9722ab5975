"""Reading a request's fields with Coze's strictness: a wrong type is a 4000, null counts as absent."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from cozechat.emulator.refusals import Refusal, bad_parameter

META_PAIRS, META_KEY, META_VALUE = 16, 64, 512


class Fields:
    """The members of one JSON object or query string."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def all(self) -> dict[str, Any]:
        return dict(self._values)

    def text(self, name: str, *, limit: int | None = None) -> str | None:
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise bad_parameter(name, why="must be a string")
        if limit is not None and len(value) > limit:
            raise bad_parameter(name, why=f"is longer than {limit} characters")
        return value

    def identifier(self, name: str) -> str | None:
        """An id; empty counts as absent, because SDKs send empty ones."""
        return self.text(name) or None

    def required(self, name: str) -> str:
        value = self.identifier(name)
        if value is None:
            raise bad_parameter(name, why="is required")
        return value

    def choice(self, name: str, *, among: tuple[str, ...], default: str) -> str:
        value = self.text(name) or default
        if value not in among:
            raise bad_parameter(name)
        return value

    def number(self, name: str, *, low: int, high: int, default: int) -> int:
        """A whole number; query strings carry it as text."""
        value = self._values.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 12:
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise bad_parameter(name)
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise bad_parameter(name, why="must be true or false")
        return value

    def mapping(self, name: str) -> dict[str, Any] | None:
        value = self._values.get(name)
        if value is not None and not isinstance(value, dict):
            raise bad_parameter(name, why="must be an object")
        return value

    def rows(self, name: str) -> list["Fields"] | None:
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise bad_parameter(name, why="must be a list of objects")
        return [Fields(row) for row in value]

    def strings(self, name: str) -> dict[str, str] | None:
        """A map of strings."""
        value = self.mapping(name)
        if value is not None and not all(isinstance(item, str) for item in value.values()):
            raise bad_parameter(name, why="must map strings to strings")
        return value

    def short_texts(self, name: str, *, most: int, limit: int) -> list[str]:
        value = self._values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > most:
            raise bad_parameter(name)
        if not all(isinstance(item, str) and len(item) <= limit for item in value):
            raise bad_parameter(name)
        return value

    def meta_data(self) -> dict[str, str] | None:
        value = self.strings("meta_data")
        if value is None:
            return None
        fits = all(1 <= len(key) <= META_KEY and 1 <= len(item) <= META_VALUE for key, item in value.items())
        if len(value) > META_PAIRS or not fits:
            raise Refusal(4003, "meta_data exceeds its limits: 16 pairs, keys of 1-64, values of 1-512")
        return value


def from_query(query: bytes) -> Fields:
    return Fields(dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="replace")))


def from_json(body: bytes) -> Fields:
    """An empty body is an empty object, whatever its content type."""
    if not body.strip():
        return Fields({})
    value = plain_json(body)
    if not isinstance(value, dict):
        raise bad_parameter("body", why="must be a JSON object")
    return Fields(value)


def plain_json(body: bytes) -> Any:
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant)
        return _without_surrogates(value) if b"\\u" in body else value
    except (ValueError, RecursionError):
        raise bad_parameter("body", why="is not valid JSON") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _without_surrogates(value: Any) -> Any:
    """Half an emoji (`\\ud83d` alone) is JSON but no text: it becomes U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value
