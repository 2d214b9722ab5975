"""Closes the sockets whose log-in has ended."""

import hashlib

from accounts.sockets import login_is_valid
from conversations.outboxes import Hub
from cozechat import database

SIGNED_OUT = 4401


def digest(session_key: str | None) -> str:
    """A log-in's name for other processes: its key is a secret. Empty for all log-ins of a user."""
    return hashlib.sha256(session_key.encode()).hexdigest() if session_key else ""


def close_signed_out(hub: Hub, *, user_id: int, login: str) -> None:
    """Close a user's sockets of one log-in, named by its digest, or all of them."""
    for outbox in hub.sockets_of(user_id):
        if login in ("", digest(outbox.session_key)):
            outbox.close(SIGNED_OUT)


async def look_again(hub: Hub) -> None:
    """A session is looked at once at the handshake; it may have ended since."""
    sockets = list(hub.all())
    logins = {(outbox.session_key, outbox.owner_id) for outbox in sockets}
    ended = await database.run(_ended, logins)
    for outbox in sockets:
        if (outbox.session_key, outbox.owner_id) in ended:
            outbox.close(SIGNED_OUT)


def _ended(logins: set[tuple[str, int]]) -> set[tuple[str, int]]:
    return {login for login in logins if not login_is_valid(*login)}
