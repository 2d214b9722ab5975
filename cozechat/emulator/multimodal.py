"""Messages of several parts: `object_string`, a JSON list of texts, images, files and sounds."""

import json
from typing import Any

from cozechat.emulator.entries import Entry
from cozechat.emulator.refusals import Refusal, bad_parameter
from cozechat.emulator.seed import FILE_INPUT
from cozechat.emulator.store import Store

MEDIA = ("file", "image", "audio")


def check(entries: list[Entry], *, store: Store, account_id: str) -> None:
    """One text at most and never alone; pictures without a text need a plain message beside them."""
    for place, entry in enumerate(entries):
        if entry.content_type == "object_string":
            parts = _parts(entry.content)
            texts = [part for part in parts if part["type"] == "text"]
            if len(texts) > 1 or len(texts) == len(parts):
                raise bad_parameter("additional_messages", why="is no valid object_string")
            if not texts and not _has_words_beside(entries, place=place):
                raise bad_parameter("additional_messages", why="has a file without a text beside it")
            _check_files(parts, store=store, account_id=account_id)


def plain_text(content: str) -> str:
    """The words of a message, and its files by their kind."""
    try:
        parts = _parts(content)
    except Refusal:
        return content
    return " ".join(part.get("text") or f"[{part['type']}]" for part in parts)


def _parts(content: str) -> list[dict[str, Any]]:
    try:
        parts = json.loads(content)
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or not parts or not all(_is_part(part) for part in parts):
        raise bad_parameter("additional_messages", why="is no valid object_string")
    return parts


def _is_part(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    if part.get("type") == "text":
        return isinstance(part.get("text"), str)
    place = part.get("file_id") or part.get("file_url")
    return part.get("type") in MEDIA and isinstance(place, str)


def _has_words_beside(entries: list[Entry], *, place: int) -> bool:
    beside = entries[max(place - 1, 0) : place] + entries[place + 1 : place + 2]
    return any(entry.content_type == "text" and entry.role == "user" for entry in beside)


def _check_files(parts: list[dict[str, Any]], *, store: Store, account_id: str) -> None:
    for part in parts:
        if part["type"] != "text" and part.get("file_id"):
            file = store.documents.get("file", str(part["file_id"]))
            if file is None or file["account_id"] != account_id:
                raise bad_parameter("file_id", why="was not uploaded by this account")


def file_of(parameters: dict[str, Any], *, store: Store, account_id: str) -> list[str]:
    """The file in a chatflow's input: `{"file_id": …}` written as a text; as `seen` says it."""
    value = parameters.get(FILE_INPUT)
    if not isinstance(value, str) or not value.startswith("{"):
        return []
    try:
        part = json.loads(value)
    except (ValueError, RecursionError):
        part = None
    if not isinstance(part, dict) or not isinstance(part.get("file_id"), str):
        raise bad_parameter("parameters", why="has a file that is no file")
    parts = [{"type": "file", "file_id": part["file_id"]}]
    _check_files(parts, store=store, account_id=account_id)
    return _named(parts, store=store)


def seen(entries: list[Entry], *, store: Store) -> list[str]:
    """Name and size of each file of the last message that was uploaded."""
    if not entries or entries[-1].content_type != "object_string":
        return []
    return _named(_parts(entries[-1].content), store=store)


def _named(parts: list[dict[str, Any]], *, store: Store) -> list[str]:
    files = [store.documents.get("file", part["file_id"]) for part in parts if part.get("file_id")]
    return [f"`{file['file_name'].replace('`', '')}` ({file['bytes']} B)" for file in files if file]
