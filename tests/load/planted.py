"""The site with a fault in it: a soak that does not find it proves nothing.

python -m tests.load.planted lose serve --port 8000
"""

import os
import random
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

# One in so many; a short soak has thousands of deltas and some tens of questions.
_DELTAS, _TURNS = 200, 5
_chance = random.Random(4)


def _rarely(one_in: int) -> bool:
    return _chance.random() < 1 / one_in


def lose() -> None:
    """A piece of an answer disappears before anybody sees it."""
    from conversations.live import LiveTurn

    append = LiveTurn.append
    LiveTurn.append = lambda self, piece: None if _rarely(_DELTAS) else append(self, piece)  # type: ignore


def drop() -> None:
    """A delta never reaches the tabs, and the numbers hide it."""
    from conversations import live

    build = live.frames.build

    def built(kind: str, **fields: Any) -> str:
        if kind == "turn.delta" and _rarely(_DELTAS):
            fields["content"] = " " * len(fields["content"])
        return build(kind, **fields)

    live.frames.build = built


def repeat() -> None:
    """The same question is taken for a new one now and then: its client_id is not kept."""
    import uuid

    from conversations import frames

    parse = frames.parse

    def parsed(text: str | None) -> Any:
        frame = parse(text)
        forgets = isinstance(frame, frames.TurnStart) and _rarely(2)
        return replace(frame, client_id=uuid.uuid4()) if forgets else frame

    frames.parse = parsed


def ask_twice() -> None:
    """Coze is asked once more for an answer that it has given."""
    from conversations.turns import answering

    answer = answering.answer

    async def answered(running: Any) -> Any:
        status = await answer(running)
        return await answer(running) if status == "completed" and _rarely(_TURNS) else status

    answering.answer = answered


def stray() -> None:
    """A frame goes to somebody else's socket now and then."""
    from conversations.outboxes import Hub

    followers = Hub.followers

    def found(self: Any, conversation_id: Any, *, owner_id: int) -> list[Any]:
        mine = followers(self, conversation_id, owner_id=owner_id)
        others = [outbox for outbox in self.all() if outbox.owner_id != owner_id]
        return [*mine, _chance.choice(others)] if others and _rarely(_DELTAS) else mine

    Hub.followers = found  # type: ignore


def miswrite() -> None:
    """The last character of an answer is not stored."""
    from conversations.turns import saving

    save_end = saving.save_end
    saving.save_end = lambda running, *, content, **rest: save_end(running, content=content[:-1], **rest)


def end_twice() -> None:
    """An answer ends once more."""
    from conversations.outboxes import Outbox

    offer = Outbox.offer

    def offered(self: Any, text: str) -> None:
        offer(self, text)
        if text.startswith('{"type":"turn.completed"') and _rarely(_TURNS):
            offer(self, text)

    Outbox.offer = offered  # type: ignore


def forget() -> None:
    """A question that was accepted is gone from the database."""
    from conversations.models import Message, Turn
    from conversations.turns import saving

    save_end = saving.save_end

    def saved(running: Any, **rest: Any) -> bool:
        done = save_end(running, **rest)
        if _rarely(_TURNS):
            Message.objects.filter(turn_id=running.id).delete()
            Turn.objects.filter(pk=running.id).delete()
        return done

    saving.save_end = saved


def abandon() -> None:
    """Nobody looks for answers whose process has died."""
    from conversations.models import TurnQuerySet

    TurnQuerySet.orphaned = lambda self, now: self.none()  # type: ignore


def close_oddly() -> None:
    """A socket closes with a code that no rule knows."""
    from conversations.outboxes import Outbox

    offer_delta = Outbox.offer_delta

    def offered(self: Any, text: str, **rest: Any) -> None:
        if _rarely(5 * _DELTAS):
            self.close(4999)
        offer_delta(self, text, **rest)

    Outbox.offer_delta = offered  # type: ignore


PLANTS: dict[str, Callable[[], None]] = {
    "abandon": abandon,
    "ask-twice": ask_twice,
    "close-oddly": close_oddly,
    "drop": drop,
    "end-twice": end_twice,
    "forget": forget,
    "lose": lose,
    "miswrite": miswrite,
    "repeat": repeat,
    "stray": stray,
}


def main() -> None:
    name, *command = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cozechat.settings")
    import django
    from django.core.management import execute_from_command_line

    django.setup()
    PLANTS[name]()
    execute_from_command_line(["manage.py", *command])


if __name__ == "__main__":
    main()
