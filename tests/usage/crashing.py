"""A process that moves money and is killed: after its n-th statement, for every n; then at moments of chance.

Run by test_crash.py with DATABASE_URL set to the test database. Prints how often it was killed.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import django

MOST_STATEMENTS = 500


class Killer:
    """Ends its own process right after the n-th statement, as no handler and no `finally` can see."""

    def __init__(self, statements: int) -> None:
        self.left = statements

    def __call__(self, execute: Callable[..., Any], *args: Any) -> Any:
        result = execute(*args)
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


def everything(name: str) -> None:
    """Each act once, some twice; refs are of this process only."""
    import uuid

    from accounts.models import User
    from cozechat.usage import crediting, redeeming, reserving, settling
    from cozechat.usage.budgets import Budget, Scope
    from cozechat.usage.models import Account
    from cozechat.usage.pricing import Tokens
    from cozechat.usage.reconciling import reconcile
    from cozechat.usage.settling import Outcome, Status
    from tests.usage.books import NOW, reserve

    user = User.objects.create_user(name)
    budgets = [Budget(scope=Scope.KEY, scope_id=name, limit=100)]
    crediting.top_up(user.pk, amount=200, ref=name, now=NOW)
    account = Account.objects.get(owner=user)
    crediting.adjust(account, amount=-5, reason="so", actor=user, ref=name, now=NOW)
    [code] = redeeming.issue(1, amount=5, now=NOW, batch=uuid.uuid4())
    redeeming.redeem(code, user_id=user.pk, now=NOW)
    reserve(user, f"{name}-settled", budgets=budgets)
    reserving.accepted(f"{name}-settled", ids=reserving.CozeIds(coze_chat_id="c"))
    settling.settle(f"{name}-settled", outcome=Outcome(tokens=Tokens(1, 1)), now=NOW)
    reserve(user, f"{name}-released", budgets=budgets)
    settling.release(f"{name}-released", outcome=Outcome(status=Status.FAILED), now=NOW)
    reserve(user, f"{name}-lost", budgets=budgets)
    reconcile(now=NOW + timedelta(minutes=2))
    settling.settle(f"{name}-lost", outcome=Outcome(tokens=Tokens(9, 9)), now=NOW)


def forked(work: Callable[[], None]) -> int:
    """The process id of a copy of this process that does the work and nothing else."""
    pid = os.fork()
    if not pid:
        work()
        os._exit(0)
    return pid


def was_killed(pid: int) -> bool:
    """Whether that process was killed; this one ends if it failed by itself."""
    _pid, status = os.waitpid(pid, 0)
    if not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status):
        sys.exit("the work failed by itself")
    return os.WIFSIGNALED(status)


def counted(statements: int) -> None:
    from django.db import connection

    with connection.execute_wrapper(Killer(statements)):
        everything(f"counted-{statements}")


def endless(name: str, *, warm: int) -> None:
    """Says when the first round is done."""
    for number in range(1_000_000):
        everything(f"{name}-{number}")
        if not number:
            os.write(warm, b".")


def by_chance(name: str, *, seconds: float) -> None:
    hears, says = os.pipe()
    pid = forked(partial(endless, name, warm=says))
    os.close(says)
    os.read(hears, 1)
    os.close(hears)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    was_killed(pid)


def main() -> None:
    django.setup()
    killed = 0
    while killed < MOST_STATEMENTS and was_killed(forked(partial(counted, killed + 1))):
        killed += 1
    chance = random.Random(20261121)
    for number in range(10):
        by_chance(f"chance-{number}", seconds=chance.uniform(0, 0.1))
    sys.stdout.write(str(killed))


if __name__ == "__main__":
    main()
