"""Makes somebody a member of the staff, and a month in which something happened; run beside the server under test."""

import sys
import time

import django


def happen(name: str) -> None:
    """Turns of thirty days, most of them well; all of them summed up."""
    from django.utils import timezone

    from accounts.models import User
    from conversations.models import Turn
    from cozechat.usage.models import UsageRecord
    from tests.conversations.rows import conversation
    from tests.load.monitoring import drawn

    User.objects.filter(username=name).update(is_staff=True)
    thread = conversation(User.objects.get(username=name))
    now = timezone.now()
    rows = list(drawn(2000, thread=thread, now=now))
    Turn.objects.bulk_create([turn for turn, _record in rows])
    UsageRecord.objects.bulk_create([record for _turn, record in rows])
    # The server under test sums them up.
    given_up = time.monotonic() + 90
    while Turn.objects.to_sum().exists() or UsageRecord.objects.to_sum().exists():
        assert time.monotonic() < given_up
        time.sleep(0.5)


if __name__ == "__main__":
    django.setup()
    happen(sys.argv[1])
