"""How long the monitoring page takes beside a million turns: `python -m tests.load.monitoring --turns 1000000`.

Fills the database that DATABASE_URL names (an empty one of its own; the rows stay, so a second run is quick) with
turns and their usage records in thirty days, sums them up as the site does, and asks for the page as staff.
"""

import argparse
import json
import os
import random
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import django

DAYS, DRAWN, PROCESSES, MOST_MS = 30, 20_000, 4, 300.0
ASKED = ["/monitoring/?range=1h", "/monitoring/", "/monitoring/?range=30d", "/metrics"]
FAILURES = [
    ("unreachable", ""),
    ("rate_limited", "RateLimited 4020: no"),
    ("upstream_error", "UpstreamFailed 5000: no"),
]


def drawn(count: int, *, thread: Any, now: datetime) -> Iterator[tuple[Any, Any]]:
    """Turns that have ended, in the order of their ends, each with the record that it left."""
    from conversations.models import Turn
    from cozechat.usage.models import UsageRecord

    dice = random.Random(4711)
    for number in range(count):
        ended = now - timedelta(days=DAYS) * (1 - number / count)
        failed = dice.random() < 0.006
        code, said = dice.choice(FAILURES) if failed else ("", "")
        latency, key = int(dice.lognormvariate(7.2, 0.6)), uuid.UUID(int=dice.getrandbits(128))
        status = "failed" if failed else "completed"
        turn = Turn(
            id=key, conversation=thread, owner_id=thread.owner_id, client_id=key, status=status, error_code=code,
            coze_error=said, ended_at=ended,
        )  # fmt: skip
        record = UsageRecord(
            request_id=f"turn_{key.hex}", owner_id=thread.owner_id, origin="chat", model="flow", stream=True,
            created_at=ended - timedelta(milliseconds=latency), input_tokens=dice.randrange(20, 4000),
            output_tokens=dice.randrange(10, 1500), cost=dice.randrange(10**8), usage_source="upstream",
            price={"input_price": "1"}, status=status, error_code=code, latency_ms=latency,
            first_token_ms=None if failed else latency // 4,
        )  # fmt: skip
        yield turn, record


def fill(count: int) -> Any:
    """So many turns, unless they are there; returns a member of the staff."""
    from django.db import transaction
    from django.utils import timezone

    from accounts.models import User
    from conversations.models import Turn
    from cozechat.usage.models import UsageRecord
    from tests.conversations.rows import conversation

    staff, _new = User.objects.get_or_create(
        username="watcher", defaults={"email": "watcher@example.com", "is_staff": True}
    )
    if Turn.objects.count() < count:
        rows = list(drawn(min(count, DRAWN), thread=conversation(staff), now=timezone.now()))
        with transaction.atomic():
            Turn.objects.bulk_create([turn for turn, _record in rows])
            UsageRecord.objects.bulk_create([record for _turn, record in rows])
        multiply(Turn, times=-(-count // DRAWN), fresh=("id", "client_id"))
        multiply(UsageRecord, times=-(-count // DRAWN), fresh=("request_id",))
    return staff


def multiply(model: Any, *, times: int, fresh: tuple[str, ...]) -> None:
    """So many rows for each one that is there, all alike but for columns that must be unique; in one statement."""
    from django.db import connection

    is_postgresql = connection.vendor == "postgresql"
    unique = "gen_random_uuid()" if is_postgresql else "lower(hex(randomblob(16)))"
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s)"
    fields = [field for field in model._meta.concrete_fields if field.name in fresh or not field.primary_key]
    names = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(unique if field.name in fresh else f'"{field.column}"' for field in fields)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if times > 1:
            cursor.execute(
                f'INSERT INTO "{table}" ({names}) {numbers} SELECT {values} FROM "{table}", n', [times - 1]
            )


def report() -> list[Any]:
    """Processes that live, with counters and gauges as real ones have them."""
    from django.utils import timezone

    from cozechat.monitoring.models import ProcessReport

    now = timezone.now()
    gauges = {
        "sockets": 120,
        "running_turns": 9,
        "connections": 3,
        "streams": 9,
        "cpu": 340,
        "memory": 210 * 2**20,
    }
    return [
        ProcessReport.objects.update_or_create(
            pk=uuid.UUID(int=number),
            defaults={
                "name": f"host:{number}", "started_at": now, "seen_at": now, "gauges": gauges,
                "counters": {"requests": 100_000 * number, "token_exchanges": 40, "webhooks_accepted": 7},
            },
        )[0]
        for number in range(1, PROCESSES + 1)
    ]  # fmt: skip


def sum_up() -> dict[str, float]:
    """The backlog, piece by piece: how long the first fifty of them take, in milliseconds."""
    from django.utils import timezone

    from cozechat.monitoring import summing

    took, more = [], True
    while more:
        # The first ones as the site does it; the rest in larger pieces, for the sake of whoever waits.
        piece = summing.PIECE if len(took) < 50 else 10 * summing.PIECE
        began = time.perf_counter()
        more = summing.sum_up(uuid.UUID(int=1), now=timezone.now(), piece=piece) == piece
        if piece == summing.PIECE:
            took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return {
        "pieces": len(took),
        "median_ms": round(took[len(took) // 2], 1),
        "longest_ms": round(took[-1], 1),
    }


def measure(person: Any, *, times: int) -> dict[str, dict[str, float]]:
    """Several answers of each address, in milliseconds: by the clock, and of this process's work.

    The second is what neighbours on the machine do not change; with SQLite it is all of the work.
    """
    from django.conf import settings
    from django.test import Client

    settings.ALLOWED_HOSTS = ["testserver"]
    browser = Client()
    browser.force_login(person)
    found = {}
    for address in ASKED:
        browser.get(address)
        took, worked = [], []
        for _ in range(times):
            began, idle = time.perf_counter(), time.process_time()
            response = browser.get(address)
            worked.append((time.process_time() - idle) * 1000)
            took.append((time.perf_counter() - began) * 1000)
            assert response.status_code == 200, response.status_code
        found[address] = {
            "clock": round(sorted(took)[times // 2], 1),
            "quickest": round(min(took), 1),
            "work": round(sorted(worked)[times // 2], 1),
        }
    return found


def main() -> None:
    """Fill, sum up, measure, print; exit code 1 where the page takes longer than it may."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--turns", type=int, default=1_000_000)
    arguments.add_argument("--times", type=int, default=15)
    given = arguments.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cozechat.settings")
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from conversations.models import Turn
    from cozechat.monitoring.models import Tally

    call_command("migrate", verbosity=0)
    person = fill(given.turns)
    report()
    backlog = sum_up()
    # Only now: statistics of a moment in which no row is summed make SQLite pass over the index of those that are left.
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    sums = {"backlog": backlog, "nothing_left": sum_up()}
    ms = measure(person, times=given.times)
    rows = {"turns": Turn.objects.count(), "tallies": Tally.objects.count()}
    found = {"database": connection.vendor, "rows": rows, "summing": sums, "ms": ms}
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    sys.exit(any(each["clock"] > MOST_MS for each in ms.values()))


if __name__ == "__main__":
    main()
