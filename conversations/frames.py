"""The frames of the socket: what the browser may say, parsed; what we say, built."""

import json
import math
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from conversations.text import clean

# One outgoing frame is at most 64 KiB; a piece of text leaves room for the rest of its frame.
PIECE_BYTES = 48 * 1024
# A character costs at most 6 bytes in JSON (a control character's escape).
BYTES_A_CHARACTER = 6
PARAMETERS_BYTES = 16 * 1024
INCOMING_BYTES = 256 * 1024
ATTACHMENTS = 20
_CLIENT_ID = re.compile(r'"client_id"\s*:\s*"([0-9A-Fa-f-]{36})"')


class Refused(Exception):
    """A frame that is answered with `error`; the socket stays open. `advice` says when trying again may help.

    `code` is one of the contract's: bad_frame, not_found, busy, rate_limited, quota, too_long, empty, bad_parameters,
    attachment.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        client_id: str | None = None,
        turn: uuid.UUID | None = None,
        advice: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.client_id = client_id
        self.turn = turn
        self.advice = advice or {}


@dataclass(frozen=True, slots=True)
class TurnStart:
    """A question; `conversation` None begins a new one. With `queue` it may wait for the answer before it.

    It may take the place of a turn, with other words (`edits`) or once more (`regenerates`, without `content`), or ask
    to go on with the answer of the last one (`continues`).
    """

    client_id: uuid.UUID
    conversation: uuid.UUID | None
    content: str
    assistant: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    queue: bool = False
    # Whether `parameters` were sent; what was asked back and is answered; whose run is looked up again.
    fills_form: bool = False
    answers: uuid.UUID | None = None
    look_up: uuid.UUID | None = None
    # Files of the owner's that go with it.
    attachments: tuple[uuid.UUID, ...] = ()
    edits: uuid.UUID | None = None
    regenerates: uuid.UUID | None = None
    continues: uuid.UUID | None = None

    @property
    def replaces(self) -> uuid.UUID | None:
        """The turn beside which it begins a branch."""
        return self.edits or self.regenerates


@dataclass(frozen=True, slots=True)
class TurnStop:
    """The owner wants the answer to stop."""

    turn: uuid.UUID


@dataclass(frozen=True, slots=True)
class TurnEdit:
    """The owner words a question that still waits anew."""

    turn: uuid.UUID
    content: str


@dataclass(frozen=True, slots=True)
class TurnResume:
    """A tab missed something after `seq`."""

    turn: uuid.UUID
    seq: int


@dataclass(frozen=True, slots=True)
class ConversationOpen:
    """A tab shows this conversation and wants to follow it."""

    conversation: uuid.UUID


@dataclass(frozen=True, slots=True)
class Ping:
    """A tab asks whether we are there, and may say whose page it is (a `browser_key`)."""

    user: str | None = None


Frame = TurnStart | TurnStop | TurnEdit | TurnResume | ConversationOpen | Ping


def parse(text: str | None) -> Frame:
    """One frame from the browser. Raises Refused, never anything else."""
    if text is None:
        raise Refused("bad_frame", _("Only text frames are understood."))
    if len(text) > INCOMING_BYTES or len(text.encode(errors="replace")) > INCOMING_BYTES:
        raise Refused("too_long", _("This frame is too large."), client_id=client_id_in(text))
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("bad_frame", _("This frame is not JSON."), client_id=client_id_in(text)) from None
    if not isinstance(data, dict):
        raise Refused("bad_frame", _("A frame is one JSON object."))
    kind = data.get("type")
    build_frame = _PARSERS.get(kind) if isinstance(kind, str) else None
    if build_frame is None:
        raise Refused("bad_frame", _("This type of frame is unknown."), client_id=_client_id_of(data))
    return build_frame(data)


def client_id_in(text: str | None) -> str | None:
    """The client_id in a frame that is not parsed, so that its sender knows which one was refused."""
    found = _CLIENT_ID.search(text, 0, 1024) if text else None
    return found[1] if found else None


def _client_id_of(data: dict[str, Any]) -> str | None:
    """The client_id, to be sent back: half a surrogate pair would break the socket on its way."""
    value = data.get("client_id")
    return value if isinstance(value, str) and len(value) <= 64 and clean(value) == value else None


def _uuid(data: dict[str, Any], name: str) -> uuid.UUID:
    value = data.get(name)
    try:
        if isinstance(value, str):
            return uuid.UUID(value)
    except ValueError:
        pass
    raise _wrong(data, name)


def _uuid_or_none(data: dict[str, Any], name: str) -> uuid.UUID | None:
    return None if data.get(name) is None else _uuid(data, name)


def _wrong(data: dict[str, Any], name: str) -> Refused:
    return Refused(
        "bad_frame", _("“%(name)s” is missing or wrong.") % {"name": name}, client_id=_client_id_of(data)
    )


def _turn_start(data: dict[str, Any]) -> TurnStart:
    client_id = _uuid(data, "client_id")
    about, conversation = _about(data), _uuid_or_none(data, "conversation")
    fills_form, look_up = data.get("parameters") is not None, _uuid_or_none(data, "look_up")
    attachments = _attachments(data)
    has_words = bool(data.get("content")) or not (fills_form or look_up or attachments)
    return TurnStart(
        client_id=client_id,
        conversation=conversation,
        content=_content(data) if has_words and "regenerates" not in about else "",
        fills_form=fills_form,
        answers=_uuid_or_none(data, "answers"),
        look_up=look_up,
        assistant=_assistant(data),
        parameters=_parameters(data),
        queue=_flag(data, "queue"),
        attachments=attachments,
        **about,
    )


def _about(data: dict[str, Any]) -> dict[str, uuid.UUID]:
    """Which turn a question is about, if any: one at most, and in a conversation."""
    about = {
        name: _uuid(data, name)
        for name in ("edits", "regenerates", "continues")
        if data.get(name) is not None
    }
    if len(about) > 1:
        raise _wrong(data, list(about)[-1])
    if about and data.get("conversation") is None:
        raise _wrong(data, "conversation")
    return about


def _attachments(data: dict[str, Any]) -> tuple[uuid.UUID, ...]:
    value = data.get("attachments")
    if value is None:
        return ()
    if (
        not isinstance(value, list)
        or len(value) > ATTACHMENTS
        or not all(isinstance(each, str) for each in value)
    ):
        raise _wrong(data, "attachments")
    found = tuple(_uuid({"attachments": each}, "attachments") for each in value)
    if len(set(found)) < len(found):
        raise _wrong(data, "attachments")
    return found


def _content(data: dict[str, Any]) -> str:
    value = data.get("content")
    if not isinstance(value, str):
        raise _wrong(data, "content")
    content = clean(value).strip()
    limit = settings.TURN_CONTENT_LIMIT
    if not content:
        raise Refused("empty", _("There is nothing to send."), client_id=_client_id_of(data))
    if len(content) > limit:
        text = _("This message is too long: %(length)d characters, at most %(limit)d.") % {
            "length": len(content),
            "limit": limit,
        }
        raise Refused("too_long", text, client_id=_client_id_of(data))
    return content


def _assistant(data: dict[str, Any]) -> int | None:
    value = data.get("assistant")
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 18:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
        return value
    raise _wrong(data, "assistant")


def _parameters(data: dict[str, Any]) -> dict[str, Any]:
    value = data.get("parameters")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(data, "parameters")
    parameters: dict[str, Any] = _cleaned(data, value, depth=0)
    if len(json.dumps(parameters)) > PARAMETERS_BYTES:
        raise _wrong(data, "parameters")
    return parameters


def _cleaned(data: dict[str, Any], value: Any, *, depth: int) -> Any:
    """Parameters as a database can store them: no deep nesting, no half characters, no NaN, no infinity."""
    if depth > 20 or (isinstance(value, float) and not math.isfinite(value)):
        raise _wrong(data, "parameters")
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(data, item, depth=depth + 1) for item in value]
    if isinstance(value, dict):
        return {clean(key): _cleaned(data, item, depth=depth + 1) for key, item in value.items()}
    return value


def _turn_edit(data: dict[str, Any]) -> TurnEdit:
    turn = _uuid(data, "turn")
    try:
        return TurnEdit(turn=turn, content=_content(data))
    except Refused as refused:
        refused.turn = turn
        raise


def _flag(data: dict[str, Any], name: str) -> bool:
    value = data.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _wrong(data, name)


def _turn_resume(data: dict[str, Any]) -> TurnResume:
    seq = data.get("seq", 0)
    if not isinstance(seq, int) or isinstance(seq, bool) or seq < 0:
        raise _wrong(data, "seq")
    return TurnResume(turn=_uuid(data, "turn"), seq=seq)


def _ping(data: dict[str, Any]) -> Ping:
    user = data.get("user")
    return Ping(user=user if isinstance(user, str) else None)


_PARSERS: dict[str, Callable[[dict[str, Any]], Frame]] = {
    "turn.start": _turn_start,
    "turn.stop": lambda data: TurnStop(turn=_uuid(data, "turn")),
    "turn.edit": _turn_edit,
    "turn.resume": _turn_resume,
    "conversation.open": lambda data: ConversationOpen(conversation=_uuid(data, "conversation")),
    "ping": _ping,
}


def build(kind: str, **fields: Any) -> str:
    """One frame to the browser, as JSON."""
    return json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"), default=str)


def error(refused: Refused) -> str:
    """The `error` frame for a refused one."""
    about = {"client_id": refused.client_id, "turn": refused.turn}
    extra = {name: value for name, value in about.items() if value}
    return build("error", code=refused.code, message=refused.message, **extra, **refused.advice)


def utf16_length(text: str) -> int:
    """The text's length as a browser counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", errors="replace")) // 2


def pieces(text: str) -> Iterator[str]:
    """The text in pieces that each fit into a frame; no character is ever split."""
    step = PIECE_BYTES // BYTES_A_CHARACTER
    if fits(text, PIECE_BYTES):
        yield text
        return
    for start in range(0, len(text), step):
        yield text[start : start + step]


def fits(text: str, room: int) -> bool:
    """Whether the text takes at most so many bytes of a frame."""
    return len(text) <= room // BYTES_A_CHARACTER or _json_bytes(text) <= room


def _json_bytes(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())
