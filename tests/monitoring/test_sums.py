"""What the tallies say is what the rows say: once each, whoever sums, dies, comes late or comes at once."""

import os
import subprocess
import sys
import threading
import uuid
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, connections

from conversations.models import Turn
from cozechat import counters
from cozechat.monitoring import summing
from cozechat.monitoring.models import ProcessReport, SummingClaim, Tally
from cozechat.monitoring.reporting import Own
from cozechat.usage.models import UsageRecord
from tests.conversations.rows import conversation, turn
from tests.monitoring.happenings import NOW, as_by_hand, by_hand, records, turns
from tests.usage.test_crash import database_url

pytestmark = pytest.mark.django_db(transaction=True)
ME, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def finish(process: uuid.UUID = ME, *, piece: int = 100, now=NOW) -> int:
    """Sum up all that is left; in how many rounds."""
    rounds = 1
    while summing.sum_up(process, now=now, piece=piece) == piece:
        rounds += 1
    return rounds


def ever() -> dict[str, int]:
    return Tally.objects.get(grain="ever").sums


def agree() -> None:
    """Every hour, every minute that is kept, and ever."""
    whole = by_hand(since=NOW - 1000 * HOUR, until=NOW + HOUR)
    assert as_by_hand(ever()) == whole
    for grain, length in (("hour", HOUR), ("minute", MINUTE)):
        found = list(Tally.objects.filter(grain=grain))
        assert len(found) > 2
        for tally in found:
            assert as_by_hand(tally.sums) == by_hand(since=tally.start, until=tally.start + length), tally
    hours = [tally.sums for tally in Tally.objects.filter(grain="hour")]
    assert sum(sums.get("cost", 0) for sums in hours) == whole["cost"]


def test_sums_are_what_every_row_says(alice, bob):
    turns(alice, count=450, seed=1)
    turns(bob, count=150, seed=2)
    records(alice, count=500, seed=3)

    assert finish() == 7
    agree()


def test_what_is_summed_is_not_summed_again(alice):
    turns(alice, count=60, seed=1)
    records(alice, count=60, seed=2)
    finish()
    before = as_by_hand(ever())
    finish()
    finish(OTHER, now=NOW + MINUTE)
    assert as_by_hand(ever()) == before


def test_a_turn_that_ends_late_is_added_to_its_hour(alice):
    turns(alice, count=30, seed=1)
    running = turn(conversation(alice), "slow?", "", status="in_progress", lease=ME, lease_until=NOW)
    queued = turn(conversation(alice), "next?", "", status="queued")
    finish()
    before = ever()["answers:chat:completed"]
    assert Turn.objects.filter(summed=False).count() == 2

    late = NOW - 2 * HOUR
    Turn.objects.filter(pk__in=[running.pk, queued.pk]).update(
        status="completed", lease=None, lease_until=None, ended_at=late
    )
    finish()
    assert ever()["answers:chat:completed"] == before + 2
    start = late.replace(minute=0, second=0, microsecond=0)
    tally = Tally.objects.get(grain="hour", start=start)
    assert as_by_hand(tally.sums) == by_hand(since=start, until=start + HOUR)


def test_codes_are_words_of_the_contract_and_numbers_that_coze_describes(alice):
    turns(alice, count=400, seed=1)
    records(alice, count=400, seed=2)
    finish()
    words = {name.removeprefix("errors:") for name in ever() if name.startswith("errors:")}
    numbers = {name.removeprefix("coze:") for name in ever() if name.startswith("coze:")}

    assert words == {
        "unreachable", "rate_limited", "upstream_error", "internal", "busy", "timeout", "other", "interrupted"
    }  # fmt: skip
    assert numbers == {"4020", "5000", "4013", "other"}


def test_a_question_that_was_not_covered_is_refused_and_one_withdrawn_is_none(alice):
    thread = conversation(alice)
    turn(thread, "?", "", status="failed", error_code="not_covered")
    turn(thread, "?", "", status="canceled", withdrawn=True)
    finish(now=NOW + 10_000 * HOUR)
    sums = ever()
    assert sums["answers:chat:refused"] == 1
    assert not [name for name in sums if name.startswith("errors:") or name == "answers:chat:canceled"]


def test_two_processes_that_sum_at_once_count_everything_once(alice):
    turns(alice, count=300, seed=1)
    records(alice, count=300, seed=2)

    def work(process: uuid.UUID) -> None:
        try:
            # Each believes that the other's claim has lapsed.
            for round_ in range(60):
                summing.sum_up(process, now=NOW + round_ * summing.LEASE * 2, piece=11)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(process,)) for process in (ME, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not Turn.objects.to_sum().exists()
    assert not UsageRecord.objects.to_sum().exists()
    assert as_by_hand(ever()) == by_hand(since=NOW - 1000 * HOUR, until=NOW + HOUR)


def test_one_sums_and_the_others_wait_until_it_is_silent(alice):
    turns(alice, count=5, seed=1)
    assert summing.sum_up(ME, now=NOW) is not None
    assert summing.sum_up(OTHER, now=NOW) is None
    assert summing.sum_up(ME, now=NOW) is not None
    assert summing.sum_up(OTHER, now=NOW + summing.LEASE * 2) is not None
    assert summing.sum_up(ME, now=NOW + summing.LEASE * 2) is None


def test_a_process_that_is_killed_after_any_statement_leaves_whole_sums(alice):
    turns(alice, count=250, seed=1)
    records(alice, count=250, seed=2)
    ProcessReport.objects.create(
        pk=OTHER,
        name="b",
        started_at=NOW,
        seen_at=NOW,
        counters={"token_exchanges": 9},
        gauges={"sockets": 2},
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.monitoring.summing_killed"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "cozechat.settings", "DATABASE_URL": database_url()},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert not done.returncode, done.stderr
    assert int(done.stdout) > 25
    # Some pieces were whole before the kill, and some were not.
    assert 0 < Turn.objects.filter(summed=True).count() < 250

    finish()
    agree()
    assert ever()["counter:token_exchanges"] == 9
    assert ProcessReport.objects.get().summed == {"token_exchanges": 9}


def report(process: uuid.UUID, *, age=timedelta(0), **fields) -> ProcessReport:
    return ProcessReport.objects.create(
        pk=process, name=f"host:{process.int}", started_at=NOW - HOUR, seen_at=NOW - age, **fields
    )


def test_counters_of_two_processes_are_added_and_a_dead_ones_stay(alice):
    report(ME, counters={"requests": 100, "kai_failures:unreachable": 1}, gauges={"sockets": 3, "memory": 10})
    dead = report(OTHER, counters={"requests": 50}, gauges={"sockets": 7}, age=HOUR)
    finish()
    assert ever()["counter:requests"] == 150
    assert ever()["counter:kai_failures:unreachable"] == 1
    # Sockets of a process that is gone are none.
    assert ever()["gauge:sockets"] == 3

    ProcessReport.objects.filter(pk=ME).update(counters={"requests": 130, "kai_failures:unreachable": 1})
    finish()
    assert ever()["counter:requests"] == 180

    summing.trim(now=NOW)
    assert not ProcessReport.objects.filter(pk=dead.pk).exists()
    finish()
    assert ever()["counter:requests"] == 180


def test_what_no_sum_holds_yet_is_not_trimmed_away(alice):
    dead = report(OTHER, counters={"requests": 50}, age=HOUR)
    summing.trim(now=NOW)
    assert ProcessReport.objects.filter(pk=dead.pk).exists()
    finish()
    summing.trim(now=NOW)
    assert not ProcessReport.objects.exists()
    assert ever()["counter:requests"] == 50


def test_a_process_whose_row_was_trimmed_while_it_slept_goes_on_where_it_was(alice):
    counters.add("test_slept", 5)
    own = Own()
    own.write({"sockets": 1})
    finish()
    ProcessReport.objects.all().delete()
    counters.add("test_slept", 2)
    own.write({"sockets": 1})
    finish()
    assert ever()["counter:test_slept"] == counters.counted()["test_slept"]


def test_minutes_are_trimmed_and_their_hours_are_kept(alice):
    turns(alice, count=200, seed=1)
    finish()
    assert Tally.objects.filter(grain="minute").count() > 50
    hours = list(Tally.objects.filter(grain="hour").values_list("start", "sums"))

    summing.trim(now=NOW + summing.MINUTES_KEPT + 4 * HOUR)
    assert not Tally.objects.filter(grain="minute").exists()
    assert list(Tally.objects.filter(grain="hour").values_list("start", "sums")) == hours
    summing.trim(now=NOW + timedelta(days=401))
    assert list(Tally.objects.values_list("grain", flat=True)) == ["ever"]


def test_the_rows_that_are_left_are_found_by_an_index(alice):
    turns(alice, count=50, seed=1)
    records(alice, count=50, seed=2)
    for left, index in (
        (Turn.objects.to_sum(), "turns_to_sum"),
        (UsageRecord.objects.to_sum(), "usage_to_sum"),
    ):
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET enable_seqscan = off")
        assert index in left[:10].explain()


def test_the_claim_is_one_row(alice):
    finish()
    finish(OTHER, now=NOW + HOUR)
    assert SummingClaim.objects.get().process == OTHER
