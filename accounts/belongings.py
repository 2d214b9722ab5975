"""What a user has at Coze, told by parts of the site that the deletion of accounts does not know."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from accounts.models import User


class AtCoze(NamedTuple):
    """One conversation at Coze, of the user's own `session_name`."""

    app_id: int
    coze_conversation_id: str


Finder = Callable[[User], Iterable[AtCoze]]

_registered: dict[str, Finder] = {}


def register(name: str, *, find: Finder) -> None:
    """To be called once, when the apps are loaded."""
    _registered[name] = find


def at_coze(user: User) -> list[AtCoze]:
    """All that was told of this user."""
    return [one for find in _registered.values() for one in find(user)]
