"""`/monitoring/`: who sees it, what it says, and that rubbish in its address does no harm."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone, translation

from accounts.models import User
from cozechat.monitoring.board import promises
from cozechat.monitoring.board.promises import State, all_promises
from cozechat.monitoring.board.readings import Span, read
from cozechat.monitoring.models import ProcessReport, SummingClaim, Tally
from tests.monitoring.happenings import NOW, by_hand, records, turns
from tests.monitoring.test_sums import HOUR, ME, OTHER, finish, report

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def staff(alice) -> Client:
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    return signed_in(alice)


def signed_in(user) -> Client:
    browser = Client(HTTP_HOST="localhost")
    browser.force_login(user)
    return browser


def page(browser: Client, query: str = "") -> str:
    answer = browser.get(f"/monitoring/{query}")
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def test_members_and_visitors_find_nothing_and_nobody_may_sign_in(bob, visitor):
    nothing = signed_in(bob).get("/there-is-no-such-page/")
    for user in (bob, visitor):
        answer = signed_in(user).get("/monitoring/")
        assert answer.status_code == 404
        assert "Monitoring" not in answer.content.decode()
        assert len(answer.content) == len(nothing.content) or user is visitor
    anonymous = Client(HTTP_HOST="localhost").get("/monitoring/?range=1h")
    assert anonymous.status_code == 302
    assert anonymous.headers["Location"] == "/accounts/login/?next=/monitoring/%3Frange%3D1h"


def test_staff_who_were_deactivated_see_nothing(staff, alice):
    page(staff)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert staff.get("/monitoring/").status_code in (302, 404)


def test_it_is_only_read_and_nobody_keeps_it(staff):
    assert staff.post("/monitoring/").status_code in (403, 405)
    assert staff.head("/monitoring/").status_code == 200
    assert "no-store" in staff.get("/monitoring/").headers["Cache-Control"]


@pytest.mark.parametrize(
    "query", ["?range=", "?range=9y", "?range=1h&range=%00", "?x=%ff", "?range[]=1h", "?range=" + "9" * 5000]
)
def test_rubbish_in_its_address_shows_the_usual_range(staff, query):
    assert "In the last 24 hours" in page(staff, query)


def test_a_new_site_says_that_there_is_no_data(staff):
    said = page(staff)
    assert "no data yet" in said
    assert "No process has reported yet." in said
    assert said.count("No data") >= 5


def test_every_range_adds_up_to_what_the_rows_say(alice):
    turns(alice, count=300, seed=1, hours=20)
    records(alice, count=300, seed=2, hours=20)
    finish()
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    since = {
        Span.HOUR: NOW.replace(second=0, microsecond=0) - 59 * timedelta(minutes=1),
        Span.DAY: hour - 23 * HOUR,
        Span.MONTH: hour - 700 * HOUR,
    }
    for span, start in since.items():
        found = read(span, now=NOW, zone=timezone.get_default_timezone())
        expected = by_hand(since=start, until=NOW + HOUR)
        for name in (
            "answers:chat:completed",
            "answers:gateway:completed",
            "latency:count",
            "latency:sum",
            "cost",
        ):
            assert found.sums[name] == expected[name], (span, name)
        assert sum((piece.sums or {}).get("cost", 0) for piece in found.slices) == expected["cost"]
        assert found.day["cost"] == by_hand(since=since[Span.DAY], until=NOW + HOUR)["cost"]


def test_two_processes_are_added_and_a_silent_one_is_named_so(staff):
    now = timezone.now()
    gauges = {
        "sockets": 12,
        "running_turns": 2,
        "memory": 100 * 2**20,
        "cpu": 100,
        "connections": 7,
        "streams": 1,
    }
    for process, name in ((ME, "host:101"), (OTHER, "host:102")):
        ProcessReport.objects.create(pk=process, name=name, started_at=now, seen_at=now, gauges=gauges)
    said = page(staff)
    assert ">24<" in re.sub(r"> +| +<", lambda found: found[0].strip(), said)
    assert "of 200; streams: 2 of 400" in said
    assert "20.0 % of a processor, 200 MiB" in said

    ProcessReport.objects.filter(pk=OTHER).update(seen_at=now - HOUR)
    said = page(staff)
    assert "of 100; streams: 1 of 200" in said
    assert ">silent<" in said
    ProcessReport.objects.filter(pk=OTHER).update(left_at=now)
    assert ">ended<" in page(staff)


def test_it_says_when_nobody_adds_up(staff):
    assert "Nobody has added up" in page(staff)
    finish(now=timezone.now())
    assert "Nobody has added up" not in page(staff)
    SummingClaim.objects.update(seen_at=timezone.now() - timedelta(minutes=5))
    assert "Nobody has added up" in page(staff)


def test_a_hostile_name_of_a_process_is_text(staff):
    report(ME)
    ProcessReport.objects.update(name="<script>alert(1)</script>", seen_at=timezone.now())
    assert "<script>alert" not in page(staff)


def states(**sums: int) -> list[State]:
    Tally.objects.all().delete()
    named = {name.replace("__", ":"): count for name, count in sums.items()}
    Tally.objects.create(grain="hour", start=NOW - HOUR, sums=named)
    busiest = named.get("counter:requests", 0)
    Tally.objects.create(grain="minute", start=NOW - HOUR, sums={"counter:requests": busiest})
    return [
        promise.state
        for promise in all_promises(read(Span.DAY, now=NOW, zone=timezone.get_default_timezone()))
    ]


def test_promises_are_kept_broken_or_not_put_to_the_test():
    kept, broken, untried, unknown = State.KEPT, State.BROKEN, State.UNTRIED, State.UNKNOWN
    assert states() == [unknown, unknown, unknown, untried]
    good = {"answers__chat__completed": 99, "answers__gateway__failed": 1, "answers__chat__canceled": 50}
    slow = {"latency__count": 2, "latency__sum": 4002, "latency__b60": 2}
    recovered = {"counter__recovered_turns": 2, "counter__recovery_ms": 40_000}
    assert states(**good, latency__count=2, latency__sum=4000, latency__b60=2, counter__requests=3000, **recovered) == [
        kept, kept, kept, kept
    ]  # fmt: skip
    assert states(
        answers__chat__completed=98, answers__gateway__interrupted=2, **slow, counter__requests=2999, **recovered,
        counter__recovered_late=1,
    ) == [broken, broken, untried, broken]  # fmt: skip


def test_a_promise_is_in_two_languages():
    readings = read(Span.DAY, now=NOW, zone=timezone.get_default_timezone())
    with translation.override("zh-hans"):
        names = [promise.name for promise in promises.all_promises(readings)]
    assert all(re.search(r"[\u4e00-\u9fff]", name) for name in names)


def test_the_menu_of_staff_leads_here_and_nobody_elses(staff, bob):
    assert 'href="/monitoring/"' in staff.get("/").content.decode()
    assert 'href="/monitoring/"' in staff.get("/admin/").content.decode()
    assert 'href="/monitoring/"' not in signed_in(bob).get("/").content.decode()
