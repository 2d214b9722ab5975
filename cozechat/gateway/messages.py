"""Messages of a request: roles, words, pictures and files, without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cozechat.gateway.errors import bad_request, unsupported

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_TEXTS = frozenset({"text", "input_text", "output_text", "refusal"})
MOST_MESSAGES = 2000


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture or a file at a URL, which may hold it."""

    kind: str
    url: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """One message: `role` is system, user or assistant."""

    role: str
    text: str
    attachments: tuple[Attachment, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said; Coze takes no such message."""
        return not self.text and not self.attachments


def read_messages(value: Any, *, param: str) -> tuple[Said, ...]:
    """A list of messages. Raises Refusal."""
    if not isinstance(value, list) or not value:
        raise bad_request(f"'{param}' must be a list of at least one message.", param=param)
    if len(value) > MOST_MESSAGES:
        raise bad_request(f"'{param}' holds more than {MOST_MESSAGES} messages.", param=param)
    return tuple(_message(item, param=f"{param}[{at}]") for at, item in enumerate(value))


def _message(item: Any, *, param: str) -> Said:
    if not isinstance(item, Mapping):
        raise bad_request(f"'{param}' must be an object.", param=param)
    role = item.get("role")
    if role in ("tool", "function") or item.get("tool_calls"):
        raise unsupported("Results of tools cannot be passed on.", param=f"{param}.role")
    known = _ROLES.get(role) if isinstance(role, str) else None
    if known is None:
        message = f"'{param}.role' must be one of {', '.join(_ROLES)}."
        raise bad_request(message, param=f"{param}.role")
    return read_content(item.get("content"), role=known, param=f"{param}.content")


def read_content(content: Any, *, role: str, param: str) -> Said:
    """A text, a list of parts, or nothing."""
    if content is None and role == "assistant":
        return Said(role, "")
    if isinstance(content, str):
        return Said(role, content)
    if not isinstance(content, list):
        raise bad_request(f"'{param}' must be a text or a list of parts.", param=param)
    parts = [_part(part, param=f"{param}[{at}]") for at, part in enumerate(content)]
    attachments = tuple(part for part in parts if isinstance(part, Attachment))
    if attachments and role != "user":
        raise unsupported("Only messages of the user carry pictures and files.", param=param)
    return Said(role, "\n".join(part for part in parts if isinstance(part, str) and part), attachments)


def _part(part: Any, *, param: str) -> "str | Attachment":
    if not isinstance(part, Mapping):
        raise bad_request(f"'{param}' must be an object.", param=param)
    kind = part.get("type")
    if kind in _TEXTS:
        return _text(part, "refusal" if kind == "refusal" else "text", param=param)
    if kind in ("image_url", "input_image"):
        return _image(part, param=param)
    if kind in ("file", "input_file"):
        return _file(part, param=param)
    raise unsupported(f"Parts of type {str(kind)[:40]!r} cannot be passed on.", param=f"{param}.type")


def _text(part: Mapping[str, Any], name: str, *, param: str) -> str:
    value = part.get(name)
    if not isinstance(value, str):
        raise bad_request(f"'{param}.{name}' must be a string.", param=f"{param}.{name}")
    return value


def _image(part: Mapping[str, Any], *, param: str) -> Attachment:
    """`{"image_url": {"url": …}}`, or the same with a bare URL."""
    value = part.get("image_url")
    url = value.get("url") if isinstance(value, Mapping) else value
    if not isinstance(url, str) or not url.startswith(("https://", "http://", "data:image/")):
        message = f"'{param}.image_url' must be an address or a data URL of a picture."
        raise bad_request(message, param=f"{param}.image_url")
    return Attachment("image", url=url)


def _file(part: Mapping[str, Any], *, param: str) -> Attachment:
    """`{"file": {"file_data", "filename"}}`, or the same flat; or `file_url`.

    No file is taken by its id: at Coze the files of one account know no sessions, so an id could be anybody's.
    """
    inner = part.get("file")
    source: Mapping[str, Any] = inner if isinstance(inner, Mapping) else part
    name, data, url = (source.get(key) for key in ("filename", "file_data", "file_url"))
    if isinstance(data, str) and data.startswith("data:"):
        return Attachment("file", url=data, name=name if isinstance(name, str) else "")
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        return Attachment("file", url=url)
    if source.get("file_id"):
        raise unsupported("Files are sent as file_data or file_url, not by an id.", param=f"{param}.file_id")
    raise bad_request(f"'{param}' needs file_data (a data URL) or file_url.", param=param)
