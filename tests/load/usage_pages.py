"""How long the usage page takes beside a million records: `python -m tests.load.usage_pages --rows 1000000`.

Fills the database that DATABASE_URL names (an empty one of its own; the rows stay, so a second run is quick) with
calls of ten users in thirty days, a tenth each, and asks for the page as the first of them.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import django

USERS, KEYS, DAYS, BATCH = 10, 4, 30, 5000
MODELS = ["assistant", "gpt-4", "bot:7389", "workflow:7401", "workflow-async:7402", "translator"]
ASKED = [
    "/accounts/usage/",
    "/accounts/usage/?by=key&measure=tokens",
    "/accounts/usage/?model=gpt-4&status=completed",
    "/accounts/usage/?range=24h",
    "/accounts/balance/",
    "/api/me/usage",
]


def owners() -> list[Any]:
    """Ten people with a balance."""
    from accounts.models import User
    from cozechat.usage.models import Account

    people = [
        User.objects.get_or_create(username=f"spender{number}", defaults={"email": f"{number}@example.com"})[
            0
        ]
        for number in range(USERS)
    ]
    for person in people:
        Account.objects.of(person.pk)
    return people


def drawn(count: int, *, people: list[Any], now: datetime) -> Iterator[Any]:
    """Calls in the order of their time, of whoever comes."""
    from cozechat.usage.models import UsageRecord
    from cozechat.usage.pricing import Snapshot

    dice = random.Random(4711)
    price = Snapshot(input_price=1_000_000, output_price=3_000_000).as_json()
    for number in range(count):
        at = now - timedelta(days=DAYS - 1) * (1 - number / count)
        failed = dice.random() < 0.03
        ins, outs = dice.randrange(20, 4000), 0 if failed else dice.randrange(10, 1500)
        key = dice.randrange(KEYS)
        yield UsageRecord(
            request_id=f"req_{number:032d}", owner=people[number % USERS], api_key_id=key + 1,
            api_key_name=f"key {key}", kind="bot", model=dice.choice(MODELS), stream=True, price=price,
            created_at=at, input_tokens=ins, output_tokens=outs, cost=ins * 1000 + outs * 3000,
            usage_source="upstream", status="failed" if failed else "completed",
            error_code="4013" if failed else "", latency_ms=int(dice.lognormvariate(8, 0.7)),
            first_token_ms=None if failed else int(dice.lognormvariate(6, 0.5)),
        )  # fmt: skip


def fill(count: int) -> list[Any]:
    """So many records, unless they are there."""
    from django.db import connection
    from django.utils import timezone

    from cozechat.usage.models import UsageRecord

    people = owners()
    if UsageRecord.objects.count() < count:
        rows = drawn(count, people=people, now=timezone.now())
        while batch := [row for _, row in zip(range(BATCH), rows, strict=False)]:
            UsageRecord.objects.bulk_create(batch)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    return people


def measure(person: Any, *, times: int) -> dict[str, dict[str, float]]:
    """The quickest of several answers of each address, in milliseconds, by the clock and of this process's work.

    The second is what neighbours on the machine do not change; with SQLite it is all of the work.
    """
    from django.conf import settings
    from django.test import Client

    settings.ALLOWED_HOSTS = ["testserver"]
    browser = Client()
    browser.force_login(person)
    found = {}
    for address in ASKED:
        took, worked = [], []
        for _ in range(times):
            began, idle = time.perf_counter(), time.process_time()
            response = browser.get(address)
            worked.append((time.process_time() - idle) * 1000)
            took.append((time.perf_counter() - began) * 1000)
            assert response.status_code == 200, response.status_code
        found[address] = {"clock": round(min(took), 1), "work": round(min(worked), 1)}
    return found


def main() -> None:
    """Fill, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--times", type=int, default=15)
    given = arguments.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cozechat.settings")
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from cozechat.usage.models import UsageRecord

    call_command("migrate", verbosity=0)
    person = fill(given.rows)[0]
    rows = {"all": UsageRecord.objects.count(), "own": UsageRecord.objects.owned_by(person).count()}
    found = {"database": connection.vendor, "rows": rows, "ms": measure(person, times=given.times)}
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
