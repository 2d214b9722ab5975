"""Attempts to see what another user has, added to the isolation check by parts of the site that it does not know."""

from collections.abc import Awaitable, Callable

from cozechat.catalog.models import CozeApp

# Returns "" when all is well, else what leaked.
Attempt = Callable[[CozeApp], Awaitable[str]]

_registered: dict[str, Attempt] = {}


def register(name: str, *, attempt: Attempt) -> None:
    """To be called once, when the apps are loaded."""
    _registered[name] = attempt


def registered() -> dict[str, Attempt]:
    """All of them, by their names."""
    return dict(_registered)
