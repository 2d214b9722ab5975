"""A process that sums up and is killed after its n-th statement, for every n. Prints how often it was killed."""

import sys
import uuid
from functools import partial

import django

from tests.usage.crashing import MOST_STATEMENTS, Killer, forked, was_killed


def summing(statements: int) -> None:
    from django.db import connection

    from cozechat.monitoring.summing import sum_up
    from tests.monitoring.happenings import NOW

    with connection.execute_wrapper(Killer(statements)):
        sum_up(uuid.UUID(int=1), now=NOW, piece=7)


def main() -> None:
    django.setup()
    killed = 0
    while killed < MOST_STATEMENTS and was_killed(forked(partial(summing, killed + 1))):
        killed += 1
    sys.stdout.write(str(killed))


if __name__ == "__main__":
    main()
