"""The keyboard shortcuts of the chat: one table, what a person has bound otherwise, and which keys can be bound."""

import re
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.preferences import NoSuchChoice

# "Mod" is Ctrl, and ⌘ where there is one. Without one of the first two a key is for writing; Shift+Escape is not.
_KEYS = re.compile(
    r"(?:(?=.*(?:Mod|Alt)\+)(?:Mod\+)?(?:Alt\+)?(?:Shift\+)?(?:[A-Z0-9;',./]|Enter|Backspace|Arrow(?:Up|Down|Left|Right))"
    r"|(?:Mod\+)?(?:Alt\+)?(?:Shift\+)Escape|(?:Shift\+)?F(?:[1-9]|1[0-2]))"
)
# What the browser, the message box and the top layer need for themselves.
_TAKEN = {
    "Mod+Enter",
    "Mod+A",
    "Mod+C",
    "Mod+V",
    "Mod+X",
    "Mod+Z",
    "Mod+R",
    "Mod+T",
    "Mod+W",
    "Mod+N",
    "F5",
    "Mod+Backspace",
}


class Shortcut(NamedTuple):
    """What it does, as the scripts call it; the keys by default; how a person reads it."""

    act: str
    keys: str
    label: str | Promise


SHORTCUTS = (
    Shortcut("new_chat", "Mod+Shift+O", _("New chat")),
    Shortcut("temporary", "Mod+Shift+'", _("Temporary chat")),
    Shortcut("search", "Mod+K", _("Search")),
    Shortcut("focus", "Shift+Escape", _("To the message box")),
    Shortcut("sidebar", "Mod+Shift+S", _("Show or hide the list of chats")),
    Shortcut("copy_answer", "Mod+Shift+C", _("Copy the last answer")),
    Shortcut("copy_code", "Mod+Shift+;", _("Copy the last code")),
    Shortcut("regenerate", "Alt+R", _("Ask the last question again")),
    Shortcut("delete_chat", "Mod+Shift+Backspace", _("Delete this chat")),
    Shortcut("shortcuts", "Mod+/", _("Show the shortcuts")),
)
_SIGNS = {"Mod": "Ctrl / ⌘", "Escape": "Esc", "Backspace": "⌫"}
_TYPED = {"Ctrl": "Mod", "Cmd": "Mod", "Control": "Mod", "Option": "Alt", "Esc": "Escape", "⌫": "Backspace"}
_DEFAULTS = {each.act: each.keys for each in SHORTCUTS}


def bound(user: User | None) -> dict[str, str]:
    """The keys of every act, "" for none; rows may be older than the table."""
    chosen = user.shortcuts if user is not None and isinstance(user.shortcuts, dict) else {}
    return {act: str(chosen.get(act, keys)) for act, keys in _DEFAULTS.items()}


def table(user: User | None) -> list[dict[str, Any]]:
    """What the list of shortcuts is made of; for a visitor the defaults."""
    keys = bound(user)
    return [
        {
            "act": each.act,
            "label": each.label,
            "keys": keys[each.act],
            "parts": _parts(keys[each.act]),
            "typed": keys[each.act].replace("Mod", "Ctrl"),
        }
        for each in SHORTCUTS
    ]


def _parts(keys: str) -> list[str]:
    """As they stand on the keyboard."""
    return [_SIGNS.get(part, part) for part in keys.split("+")] if keys else ["–"]


def bind(user: User, *, wish: Any) -> dict[str, str]:
    """Bind one act: `{"act": …, "keys": …}`, None for its default. Who has these keys already gives them up.

    Returns all that is bound. Raises NoSuchChoice.
    """
    if not isinstance(wish, dict) or set(wish) != {"act", "keys"}:
        raise NoSuchChoice
    act, keys = wish["act"], wish["keys"]
    if not isinstance(act, str) or act not in _DEFAULTS:
        raise NoSuchChoice
    keys = _DEFAULTS[act] if keys is None else keys
    if not can_be_bound(keys):
        raise NoSuchChoice
    with transaction.atomic():
        stored = User.objects.select_for_update().get(pk=user.pk)
        now = {other: "" if held == keys else held for other, held in bound(stored).items()} | {act: keys}
        changed = {name: held for name, held in now.items() if held != _DEFAULTS[name]}
        User.objects.filter(pk=user.pk).update(shortcuts=changed)
    return now


def read(typed: str) -> str:
    """Keys as people write them ("ctrl + shift + k", "⌘K") as they are stored."""
    parts = [part.strip().capitalize() for part in typed.replace("⌘", "Ctrl+").split("+")]
    held = {_TYPED.get(part, part) for part in parts[:-1]}
    if not held <= {"Mod", "Alt", "Shift"}:
        return typed
    return "+".join(
        [each for each in ("Mod", "Alt", "Shift") if each in held] + [_TYPED.get(parts[-1], parts[-1])]
    )


def can_be_bound(keys: Any) -> bool:
    return isinstance(keys, str) and (
        keys == "" or (_KEYS.fullmatch(keys) is not None and keys not in _TAKEN)
    )
