"""What comes over the wire, as an event: pure functions, no database.

Coze writes `{"header": {"event_id", "event_type", …}, "event": {…}}`; our own automations may write that, or
`{"id", "type", "data": {…}}`.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from conversations.text import clean
from cozechat.coze.strict_json import parse_json
from cozechat.webhooks.models import ID_LENGTH


class BadBody(ValueError):
    """A body that is no event; the message says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event: its id, its type, what it says, and the body's text as it came."""

    event_id: str
    kind: str
    data: dict[str, Any]
    text: str


def read_own(body: bytes) -> Envelope:
    """An event in either form. Raises BadBody."""
    text, whole = _object(body)
    return _envelope(text, whole) if "header" in whole else _plain(text, whole)


def read_coze(body: bytes) -> Envelope:
    """An event in Coze's form. Raises BadBody."""
    return _envelope(*_object(body))


def _object(body: bytes) -> tuple[str, dict[str, Any]]:
    try:
        text = body.decode()
        whole = parse_json(text)
    except ValueError:
        raise BadBody("The body is not JSON.") from None
    if not isinstance(whole, dict):
        raise BadBody("The body is no JSON object.")
    if "\x00" in text:
        raise BadBody("The body is not JSON.")
    return text, whole


def _envelope(text: str, whole: dict[str, Any]) -> Envelope:
    header = whole.get("header")
    if not isinstance(header, dict):
        raise BadBody("'header' is no object.")
    kind = _name(header.get("event_type"), field="header.event_type")
    return Envelope(_id(header.get("event_id"), text=text), kind, _data(whole, "event"), text)


def _plain(text: str, whole: dict[str, Any]) -> Envelope:
    kind = _name(whole.get("type", whole.get("event_type")), field="type")
    return Envelope(_id(whole.get("id", whole.get("event_id")), text=text), kind, _data(whole, "data"), text)


def _data(whole: dict[str, Any], field: str) -> dict[str, Any]:
    data = whole.get(field, {})
    if not isinstance(data, dict):
        raise BadBody(f"'{field}' is no object.")
    return data


def _name(value: Any, *, field: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > ID_LENGTH or clean(value) != value:
        raise BadBody(f"'{field}' is missing or wrong.")
    return value.strip()


def _id(value: Any, *, text: str) -> str:
    """The sender's id; where there is none, the body's digest: the same body is then the same event."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or value == "":
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return _name(value, field="id")
