"""What the tests of tokens share: a clock that can be set forward, a claim of somebody else."""

import time
import uuid
from datetime import timedelta

from django.utils import timezone

from accounts.models import AccessToken


class Clock:
    """The real time, and as far ahead of it as a test wants."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def claimed_by_another_process(row: AccessToken, *, seconds: float) -> None:
    row.claim, row.claimed_until = uuid.uuid4(), timezone.now() + timedelta(seconds=seconds)
    row.save()
