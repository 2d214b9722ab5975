"""`/metrics`: the format, who may read it, and that counters only rise whatever becomes of the processes."""

import math

import pytest
from django.test import AsyncClient

from accounts.models import User
from cozechat.monitoring import histograms, summing
from cozechat.monitoring.board.readings import now_at
from cozechat.monitoring.metrics import exposition, sums_of_ever
from cozechat.monitoring.models import ProcessReport
from cozechat.usage.models import UsageRecord
from tests.monitoring.happenings import NOW, records, turns
from tests.monitoring.prometheus import Family, parse
from tests.monitoring.test_sums import HOUR, ME, OTHER, finish, report

pytestmark = pytest.mark.django_db(transaction=True)


def told() -> dict[str, Family]:
    return parse(exposition(sums_of_ever(), now=now_at(NOW)))


def value(families: dict[str, Family], name: str, suffix: str = "", **labels: str) -> float:
    return families[f"cozechat_{name}"].samples[suffix, tuple(sorted(labels.items()))]


def test_a_site_without_any_rows_has_metrics_all_the_same():
    families = told()
    assert value(families, "http_requests_total") == 0
    assert value(families, "processes") == 0
    assert value(families, "response_seconds", "_count") == 0
    assert len(families) > 25


def test_they_are_the_sums_of_all_rows(alice):
    turns(alice, count=200, seed=1)
    records(alice, count=200, seed=2)
    report(ME, counters={"requests": 10, "limits_refused:day": 2}, gauges={"sockets": 3, "cpu": 250})
    report(OTHER, counters={"requests": 5, "limits_refused:day": 1}, gauges={"sockets": 4, "cpu": 250})
    finish()
    families = told()

    assert value(families, "http_requests_total") == 15
    assert value(families, "limits_refused_total", limit="day") == 3
    assert value(families, "sockets") == 7
    assert value(families, "cpu_processors") == 0.5
    assert value(families, "coze_connections_limit") == 200
    completed = [
        record for record in UsageRecord.objects.filter(status="completed") if record.latency_ms is not None
    ]
    assert value(families, "response_seconds", "_count") == len(completed)
    bounds = [histograms.BOUNDS[number] for number in histograms.COARSE]
    for bound in bounds:
        expected = sum(record.latency_ms <= bound for record in completed)
        label = str(bound // 1000) if bound % 1000 == 0 else repr(bound / 1000)
        assert value(families, "response_seconds", "_bucket", le=label) == expected
    spent = sum(record.cost for record in UsageRecord.objects.all())
    assert math.isclose(value(families, "credits_total"), spent / 10**9)


def test_counters_only_rise_while_processes_come_die_and_are_trimmed(alice):
    seen = [0.0]

    def look() -> None:
        finish()
        seen.append(value(told(), "http_requests_total"))

    report(ME, counters={"requests": 100})
    look()
    ProcessReport.objects.filter(pk=ME).update(counters={"requests": 140}, seen_at=NOW - HOUR)
    look()
    report(OTHER, counters={"requests": 1})
    look()
    summing.trim(now=NOW)
    assert not ProcessReport.objects.filter(pk=ME).exists()
    look()
    ProcessReport.objects.filter(pk=OTHER).update(counters={"requests": 2})
    look()
    assert seen == [0, 100, 140, 141, 141, 142]


def test_deleting_a_conversation_takes_nothing_back(alice):
    turns(alice, count=50, seed=1)
    finish()
    before = told()["cozechat_answers_total"].samples
    alice.conversations.all().delete()
    alice.delete()
    finish()
    assert told()["cozechat_answers_total"].samples == before


def test_labels_are_words_that_this_site_knows(alice):
    turns(alice, count=400, seed=3)
    records(alice, count=400, seed=4)
    finish()
    families = told()
    labels = {pair for family in families.values() for _suffix, pairs in family.samples for pair in pairs}
    assert {key for key, _value in labels} <= {"origin", "status", "code", "kind", "le", "limit"}
    assert not [text for _key, text in labels if "what is this" in text or text == "777777"]
    assert len(labels) < 80


async def get(user=None, **headers: str):
    client = AsyncClient()
    if user is not None:
        await client.aforce_login(user)
    return await client.get("/metrics", headers=headers, HTTP_HOST="localhost")


async def test_staff_and_the_token_are_let_in_and_nobody_else(settings, alice, bob, visitor):
    settings.DIAGNOSTICS_TOKEN = "let-me-in"
    alice.is_staff = True
    await User.objects.filter(pk=alice.pk).aupdate(is_staff=True)

    assert (await get()).status_code == 401
    assert (await get(bob)).status_code == 403
    assert (await get(visitor)).status_code == 403
    assert (await get(Authorization="Bearer wrong")).status_code == 401
    for answer in (await get(alice), await get(Authorization="Bearer let-me-in")):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "cozechat_processes" in parse(answer.content.decode())
    refused = await AsyncClient().post(
        "/metrics", headers={"Authorization": "Bearer let-me-in"}, HTTP_HOST="localhost"
    )
    assert refused.status_code in (403, 405)


@pytest.mark.parametrize(
    "wrong",
    [
        "no_help 1\n",
        "# HELP a_total x\n# TYPE a_total counter\na_total{b=c} 1\n",
        "# HELP a_total x\n# TYPE a_total counter\na_total 1\na_total 2\n",
        "# HELP a x\n# TYPE a counter\na 1\n",
        '# HELP a x\n# TYPE a histogram\na_bucket{le="1"} 3\na_bucket{le="+Inf"} 2\na_sum 1\na_count 2\n',
        "# HELP a_total x\n# TYPE a_total counter\na_total -1\n",
    ],
)
def test_the_reader_of_these_tests_is_strict(wrong):
    with pytest.raises((AssertionError, KeyError)):
        parse(wrong)
