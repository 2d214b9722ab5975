"""kill -9 between any two statements: no money is lost, none is made, and nothing stays set aside."""

import os
import subprocess
import sys
from datetime import timedelta

from django.conf import settings
from django.db import connection

from accounts.models import User
from cozechat.usage.models import Account, Hold, LedgerEntry, UsageRecord
from cozechat.usage.reconciling import audit, reconcile
from tests.usage.books import NOW, price


def database_url() -> str:
    """Where a process of its own finds the test database."""
    if connection.vendor == "sqlite":
        return f"sqlite:///{connection.settings_dict['NAME']}"
    own = connection.settings_dict
    return f"postgresql://{own['USER']}:{own['PASSWORD']}@{own['HOST']}:{own['PORT']}/{own['NAME']}"


def killed_everywhere() -> int:
    """After how many statements the process was killed, one after the other."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.usage.crashing"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "cozechat.settings", "DATABASE_URL": database_url()},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert not done.returncode, done.stderr
    return int(done.stdout)


def test_a_process_that_is_killed_after_any_statement_leaves_whole_books(transactional_db):
    price()
    killed = killed_everywhere()
    assert killed > 60
    assert User.objects.filter(username__startswith="chance-").count() >= 10
    assert audit() == []
    assert Hold.objects.open().count() > 5

    later = NOW + timedelta(hours=25)
    reconcile(now=later, limit=10**6)
    assert audit() == []
    assert not Hold.objects.open().exists()
    assert set(Account.objects.values_list("held", flat=True)) == {0}
    ended = set(Hold.objects.values_list("request_id", flat=True))
    assert set(UsageRecord.objects.values_list("request_id", flat=True)) == ended
    charged = LedgerEntry.objects.filter(kind__in=["usage", "correction"])
    assert -sum(entry.amount for entry in charged) == sum(row.cost for row in UsageRecord.objects.all())
    assert all(row.cost == row.recomputed_cost() for row in UsageRecord.objects.all())
    before = list(Account.objects.order_by("pk").values())
    reconcile(now=later)
    assert list(Account.objects.order_by("pk").values()) == before
