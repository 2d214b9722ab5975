"""What a workflow's run has put out, as Markdown for a person; pure."""

import json
import re
from typing import Any

from cozechat.coze.outputs import RunOutput

_ADDRESS = re.compile(r"https?://[^\s<>\"'()\[\]]{1,2000}\Z")
_SHORT = 80


def as_markdown(output: RunOutput) -> str:
    """Text stays text; of an object each text is shown under its name, and what is nested as JSON."""
    value = output.value
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    if isinstance(value, dict):
        return _object(value)
    return value if isinstance(value, str) and not _is_address(value) else _one(value)


def _object(value: dict[str, Any]) -> str:
    short = [f"- **{_name(name)}**: {_one(item)}" for name, item in value.items() if _is_short(item)]
    long = [f"#### {_name(name)}\n\n{_one(item)}" for name, item in value.items() if not _is_short(item)]
    return "\n\n".join([*(["\n".join(short)] if short else []), *long])


def _one(value: Any) -> str:
    if isinstance(value, str):
        return f"[{_file_name(value)}](<{value}>)" if _is_address(value) else value
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return "\n".join(f"- {_one(item)}" for item in value)
    if isinstance(value, dict | list):
        return _fenced(json.dumps(value, ensure_ascii=False, indent=2))
    return json.dumps(value, ensure_ascii=False)


def _fenced(text: str) -> str:
    """A block of code whose fence is longer than any within."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}json\n{text}\n{fence}"


def _is_short(value: Any) -> bool:
    if isinstance(value, str):
        return _is_address(value) or (len(value) <= _SHORT and "\n" not in value)
    return not isinstance(value, dict | list)


def _is_address(value: str) -> bool:
    return _ADDRESS.match(value) is not None


def _file_name(address: str) -> str:
    path = address.partition("?")[0].rstrip("/")
    name = path.rpartition("/")[2]
    return re.sub(r"[\\`*_\[\]<>]", "", name)[:80] or address.partition("://")[2][:80]


def _name(name: str) -> str:
    return re.sub(r"[\\`*_\[\]<>#\n]", " ", str(name)).strip()[:100] or "–"
