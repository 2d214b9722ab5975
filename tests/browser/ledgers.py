"""Gives a member a month of calls; run by the browser tests beside the server under test."""

import random
import sys
import uuid
from datetime import timedelta
from typing import Any

import django

MODELS = ["assistant", "gpt-4", "bot:7389", "workflow:7401", "translator", "summaries", "labels", "tiny"]


def spend(user: Any, *, calls: int) -> None:
    """So many calls, the newest now, and what they cost taken from 25 credits; two days have none."""
    from django.utils import timezone

    from cozechat.usage import crediting
    from cozechat.usage.models import Account, UsageRecord
    from tests.usage.pages import PRICE

    now, dice = timezone.now(), random.Random(user.pk)
    crediting.top_up(user.pk, amount=25 * 10**9, ref=f"invoice-{user.pk}", now=now)
    Account.objects.filter(owner=user).update(limit=20 * 10**9)
    for number in range(calls):
        day = dice.choice([day for day in range(30) if day not in (11, 12)]) if number else 0
        ins, outs = dice.randrange(20, 4000), dice.randrange(10, 1800)
        UsageRecord.objects.create(
            request_id=f"req_{uuid.uuid4().hex}", owner=user, api_key_id=user.pk * 10 + day % 2,
            api_key_name=["laptop", "production"][day % 2], kind="bot", model=dice.choice(MODELS), stream=True,
            price=PRICE.as_json(), created_at=now - timedelta(days=day), input_tokens=ins, output_tokens=outs,
            cost=ins * 1000 + outs * 2000, usage_source="upstream", status="completed", latency_ms=ins,
            first_token_ms=outs,
        )  # fmt: skip


if __name__ == "__main__":
    django.setup()
    from accounts.models import User

    spend(User.objects.get(username=sys.argv[1]), calls=int(sys.argv[2]))
