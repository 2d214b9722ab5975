"""How long the search takes among many conversations: `DATABASE_URL=… python -m tests.load.search`.

Makes a database of its own at what `DATABASE_URL` names (it must be empty), with one owner of many conversations and
others around, takes all into the index, and asks each question several times.
"""

import argparse
import os
import random
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

import django

QUERIES = (
    "张三",
    "咖啡",
    "的",
    "咖啡豆的烘焙",
    "latte",
    "la",
    "the",
    "nowhere",
    "不存在的词语",
    "latte 咖啡",
    "%",
    "needle 针尖",
)
_CHINESE = "咖啡豆的烘焙程度决定了酸度和苦味我们今天来聊一聊如何在家做出好喝的拿铁水温时间研磨压力奶泡杯子城市天气程序"
_ENGLISH = (
    *("the", "coffee", "latte", "grind", "water", "press", "pour", "time", "of", "and", "a", "milk"),
    *("foam", "cup", "bean", "roast", "city", "weather", "code", "test"),
)


def text(chance: random.Random, *, length: int) -> str:
    """Some sentences, half of them Chinese."""
    parts: list[str] = []
    while sum(map(len, parts)) < length:
        if chance.random() < 0.5:
            parts.append("".join(chance.choices(_CHINESE, k=20)) + "。")
        else:
            parts.append(" ".join(chance.choices(_ENGLISH, k=10)) + ". ")
    return "".join(parts)


def fill(owners: int, *, conversations: int, messages: int, length: int) -> object:
    """Rows as people leave them; returns the owner that is asked for."""
    from django.utils import timezone

    from accounts.models import User
    from conversations.models import Conversation, Message, Turn
    from cozechat.catalog.models import Assistant, CozeApp

    app = CozeApp.objects.create(name="Search", base_url="https://coze.example")
    assistant = Assistant.objects.create(name="Search", app=app, workflow_id="1", coze_app_id="2")
    people = [User.objects.create_user(f"person{number}") for number in range(owners)]
    chance, now = random.Random(5), timezone.now()
    for person in people:
        threads = Conversation.objects.bulk_create(
            (
                Conversation(owner=person, assistant=assistant, title=text(chance, length=20)[:60])
                for _ in range(conversations)
            ),
            batch_size=1000,
        )
        turns = [
            Turn(
                conversation=chance.choice(threads),
                owner=person,
                client_id=uuid.uuid4(),
                status="completed",
                ended_at=now,
            )
            for _ in range(messages // 2)
        ]
        Turn.objects.bulk_create(turns, batch_size=1000)
        Message.objects.bulk_create(_messages(turns, chance, length=length), batch_size=1000)
    first = Message.objects.filter(conversation__owner=people[0]).order_by("pk")[:3]
    for message, words in zip(first, ("你好,我叫张三", "needle 针尖", "needle 针尖 again"), strict=True):
        Message.objects.filter(pk=message.pk).update(content=words)
    return people[0]


def _messages(turns: list[Any], chance: random.Random, *, length: int) -> Iterator[Any]:
    from conversations.models import Message

    for turn in turns:
        for role, size in (("user", length // 5), ("assistant", length)):
            yield Message(
                conversation_id=turn.conversation_id, turn=turn, role=role, content=text(chance, length=size)
            )


def main() -> None:
    """Fill, take in, ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--owners", type=int, default=2)
    parser.add_argument("--conversations", type=int, default=5_000)
    parser.add_argument("--messages", type=int, default=100_000, help="of each owner")
    parser.add_argument("--length", type=int, default=300, help="characters of an answer")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cozechat.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    owner = fill(
        options.owners, conversations=options.conversations, messages=options.messages, length=options.length
    )
    measure(owner)


def measure(owner: object) -> None:
    """How long taking in took, and each query: the first time, and the median of nine more."""
    from conversations import searching
    from conversations.finding import index

    began, taken = time.monotonic(), 0
    while count := index.take_in(index.pending(), most=500):
        taken += count
    took = time.monotonic() - began
    sys.stdout.write(f"{taken} messages taken in: {taken / took:.0f} a second\n")
    for query in QUERIES:
        times = []
        for _round in range(10):
            began = time.monotonic()
            found = searching.search(owner, query=query)  # type: ignore[arg-type]
            times.append((time.monotonic() - began) * 1000)
        median = sorted(times[1:])[4]
        sys.stdout.write(
            f"{query:20} {len(found):3} found, first {times[0]:4.0f} ms, then {median:4.0f} ms\n"
        )


if __name__ == "__main__":
    main()
