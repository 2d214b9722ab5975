"""Ended turns and calls in bulk, and what they come to when every row is looked at."""

import random
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from conversations.models import Turn
from cozechat.usage.models import UsageRecord
from tests.conversations.rows import conversation

NOW = datetime(2026, 11, 29, 14, 30, 20, tzinfo=UTC)
FAILURES = [
    ("unreachable", ""),
    ("rate_limited", "RateLimited 4020: too many"),
    ("upstream_error", "UpstreamFailed 5000: oh"),
    ("upstream_error", "UpstreamFailed 123456789: nobody knows this"),
    ("internal", ""),
]
CALL_FAILURES = ["4013", "unreachable", "upstream_timeout", "777777", "internal_error", "what is this"]


def turns(owner: Any, *, count: int, seed: int, hours: float = 3) -> None:
    """So many ended turns within the last hours, by all kinds of ends."""
    dice, thread = random.Random(seed), conversation(owner)
    made = []
    for _ in range(count):
        status = dice.choices(
            ["completed", "failed", "canceled", "interrupted", "requires_action"], [80, 9, 5, 3, 3]
        )[0]
        code, said = dice.choice(FAILURES) if status == "failed" else ("", "")
        ended = NOW - timedelta(seconds=dice.uniform(0, hours * 3600))
        made.append(
            Turn(
                conversation=thread, owner=owner, client_id=uuid.UUID(int=dice.getrandbits(128)), status=status,
                error_code=code, coze_error=said, ended_at=ended,
                withdrawn=status == "canceled" and dice.random() < 0.5,
            )
        )  # fmt: skip
    Turn.objects.bulk_create(made)


def records(owner: Any, *, count: int, seed: int, hours: float = 3) -> None:
    """So many calls, of the gateway and of the chat page."""
    dice = random.Random(seed)
    made = []
    for number in range(count):
        status = dice.choices(["completed", "failed", "canceled", "lost", "refused"], [80, 9, 5, 3, 3])[0]
        latency = int(dice.lognormvariate(7, 0.8)) if dice.random() < 0.95 else None
        made.append(
            UsageRecord(
                request_id=f"req_{seed}_{number}", owner=owner, model="m", origin=dice.choice(["chat", "gateway"]),
                created_at=NOW - timedelta(seconds=dice.uniform(1, hours * 3600)), status=status,
                error_code=dice.choice(CALL_FAILURES) if status == "failed" else "",
                latency_ms=latency, first_token_ms=latency and latency // 3,
                input_tokens=dice.randrange(2000), output_tokens=dice.randrange(500),
                cost=dice.randrange(10**9), usage_source="upstream", price={"input_price": "1"},
            )
        )  # fmt: skip
    UsageRecord.objects.bulk_create(made)


def ended_at(record: UsageRecord) -> datetime:
    return min(record.created_at + timedelta(milliseconds=record.latency_ms or 0), NOW)


def by_hand(*, since: datetime, until: datetime) -> Counter[str]:
    """The sums of a time by looking at every row, in words of this test's own."""
    told: Counter[str] = Counter()
    words = {"requires_action": "completed", "lost": "interrupted"}
    for turn in Turn.objects.filter(ended_at__gte=since, ended_at__lt=until, withdrawn=False):
        told[f"answers:chat:{words.get(turn.status, turn.status)}"] += 1
        told["failures"] += turn.status in {"failed", "interrupted"}
    for record in UsageRecord.objects.all():
        if not since <= ended_at(record) < until:
            continue
        told["tokens:input"] += record.input_tokens
        told["tokens:output"] += record.output_tokens
        told["cost"] += record.cost
        if record.origin == "gateway":
            told[f"answers:gateway:{words.get(record.status, record.status)}"] += 1
            told["failures"] += record.status in {"failed", "lost"}
        if record.status == "completed" and record.latency_ms is not None:
            told["latency:count"] += 1
            told["latency:sum"] += record.latency_ms
            told["first:count"] += 1
            told["first:sum"] += record.first_token_ms or 0
    return +told


def as_by_hand(sums: dict[str, int]) -> Counter[str]:
    """The same of a tally: failures by code are added up, buckets must be as many as they count."""
    told = Counter(
        {
            name: count
            for name, count in sums.items()
            if name.startswith(("answers:", "tokens:", "cost")) or name.endswith((":count", ":sum"))
        }
    )
    told["failures"] = sum(count for name, count in sums.items() if name.startswith("errors:"))
    for histogram in ("latency", "first"):
        buckets = [count for name, count in sums.items() if name.startswith(f"{histogram}:b")]
        assert sum(buckets) == told[f"{histogram}:count"]
    return +told
