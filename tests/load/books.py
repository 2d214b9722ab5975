"""The two books that the people of a soak have no hand in: what our database keeps, and what Coze's emulator does.

python -m tests.load.books     every question of the database with its answer, as JSON
"""

import json
import os
import sqlite3
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import django


@dataclass(frozen=True, slots=True)
class Row:
    """A question in our database, with its turn and its answer."""

    question: str
    answer: str
    turn: str
    client_id: str
    owner: str
    conversation: str
    session_name: str
    chat: str
    coze_conversation: str
    status: str
    asked_at: float
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat that the emulator ran: one POST whose body it read."""

    id: str
    question: str
    answer: str
    conversation: str
    session_name: str


def stored() -> list[Row]:
    """Every question of the database."""
    from conversations.models import Message, Turn

    answers = dict(Message.objects.filter(role=Message.Role.ASSISTANT).values_list("turn_id", "content"))
    questions = Message.objects.filter(role=Message.Role.USER).select_related(
        "turn__owner", "turn__conversation"
    )
    rows = []
    for question in questions.order_by("pk"):
        turn: Turn = question.turn
        rows.append(
            Row(
                question=question.content,
                answer=answers.get(turn.pk, ""),
                turn=str(turn.pk),
                client_id=str(turn.client_id),
                owner=turn.owner.username,
                conversation=str(turn.conversation_id),
                session_name=turn.owner.session_name,
                chat=turn.coze_chat_id,
                coze_conversation=turn.conversation.coze_conversation_id,
                status=turn.status,
                asked_at=turn.created_at.timestamp(),
                ended_at=turn.ended_at.timestamp() if turn.ended_at else None,
            )
        )
    return rows


def told(state_dir: Path) -> list[Chat]:
    """Every chat of the emulator, from its own store; one that still runs has no answer yet."""
    query = (
        "SELECT m.chat_id, m.type, m.content, m.conversation_id, c.session_name FROM messages m "
        "JOIN conversations c ON c.id = m.conversation_id WHERE m.type IN ('question', 'answer') ORDER BY m.id"
    )
    questions: dict[str, tuple[str, str, str]] = {}
    answers: dict[str, list[str]] = defaultdict(list)
    base = sqlite3.connect(state_dir / "state.sqlite3", timeout=20)
    try:
        for chat, kind, content, conversation, session_name in base.execute(query):
            if kind == "question":
                questions[chat] = (content, conversation, session_name or "")
            else:
                answers[chat].append(content)
    finally:
        base.close()
    return [
        Chat(id=chat, question=asked, answer="".join(answers[chat]), conversation=place, session_name=name)
        for chat, (asked, place, name) in questions.items()
    ]


def wait_until_silent(state_dir: Path, *, seconds: float) -> None:
    """An answer that was stopped here goes on at Coze: its end is the emulator's, and may be still to come."""
    given_up = time.monotonic() + seconds
    while any(not chat.answer for chat in told(state_dir)) and time.monotonic() < given_up:
        time.sleep(0.3)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cozechat.settings")
    django.setup()
    sys.stdout.write(json.dumps([asdict(row) for row in stored()]))


if __name__ == "__main__":
    main()
