"""A visit was claimed: its conversations move to the member at once, as far as they are at rest."""

from typing import Any

from django.db import transaction

from conversations.turns import inheriting
from conversations.turns.engine import from_thread


def move_conversations(*, visit_id: int, **_: Any) -> None:
    """Receiver of `accounts.signals.visit_claimed`; what cannot be moved yet is left to the engines' chore."""
    transaction.on_commit(lambda: _move(visit_id))


def _move(visit_id: int) -> None:
    moved = inheriting.move(visit_id)
    from_thread(lambda engine: inheriting.tell(engine.news, moved))
