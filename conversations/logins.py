"""Closes the sockets of a log-in that has ended."""

from typing import Any

from conversations.turns import visits
from conversations.turns.engine import Engine, from_thread
from conversations.turns.processes.hints import SignedOut


def close_sockets(*, user_id: int, session_key: str | None, **_: Any) -> None:
    """Receiver of `accounts.signals.login_ended`; called on whatever thread the log-out ran."""

    def close(engine: Engine) -> None:
        engine.news.login_ended(user_id, session_key)

    from_thread(close, hint=SignedOut(user_id, visits.digest(session_key)))
