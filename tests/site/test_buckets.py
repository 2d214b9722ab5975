"""Buckets of tokens: a burst at once, then as many as are refilled; whatever clocks and Redis do."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cozechat import buckets
from cozechat.buckets import Bucket, Memory, Shared, whole_seconds
from tests.private_redis import private_redis

ROOT = Path(__file__).resolve().parents[2]
# A bucket that is not refilled while a test looks.
SLOW = Bucket(size=10, per_minute=1)
BUCKET = Bucket(size=10, per_minute=60)


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def redis_url():
    with private_redis() as server:
        yield server.url


@pytest.fixture(params=["memory", "redis"])
def place(request):
    """Where buckets are kept."""
    if request.param == "memory":
        return Memory()
    return Shared(request.getfixturevalue("redis_url"), meanwhile=Memory())


def waits(place, count: int, *, name: str, bucket: Bucket = SLOW, **more: str) -> list[float]:
    return [place.take(name, bucket=bucket, **more) for _each in range(count)]


def test_a_burst_goes_through_and_the_next_waits_for_a_token(place):
    *burst, refused = waits(place, 11, name="burst")
    assert burst == [0.0] * 10
    assert 59 < refused <= 60


def test_one_persons_bucket_is_nobody_elses(place):
    waits(place, 11, name="alice")
    assert waits(place, 10, name="bob") == [0.0] * 10


def test_of_two_hundred_at_once_exactly_the_burst_goes_through(place):
    start = threading.Barrier(20)

    def take_ten(_number: int) -> list[float]:
        start.wait()
        return waits(place, 10, name="crowd")

    with ThreadPoolExecutor(20) as threads:
        taken = [wait for each in threads.map(take_ten, range(20)) for wait in each]
    assert len(taken) == 200
    assert taken.count(0.0) == 10


def test_what_is_said_again_does_not_count_and_is_let_through(place):
    assert waits(place, 50, name="again", once="again-1") == [0.0] * 50
    assert waits(place, 9, name="again") == [0.0] * 9
    assert place.take("again", bucket=SLOW, once="again-2") > 0
    assert place.take("again", bucket=SLOW, once="again-1") == 0.0


def test_what_was_refused_is_not_remembered_as_counted(place):
    waits(place, 10, name="refused")
    assert place.take("refused", bucket=SLOW, once="refused-1") > 0
    assert place.take("refused", bucket=SLOW, once="refused-1") > 0


def test_tokens_come_back_one_by_one_and_never_more_than_the_bucket_holds():
    clock = Clock()
    memory = Memory(clock=clock)
    waits(memory, 10, name="alice", bucket=BUCKET)
    assert memory.take("alice", bucket=BUCKET) == pytest.approx(1)
    clock.now += 0.5
    assert memory.take("alice", bucket=BUCKET) == pytest.approx(0.5)
    clock.now += 0.5
    assert waits(memory, 2, name="alice", bucket=BUCKET) == [0.0, pytest.approx(1)]
    clock.now += 3600
    assert waits(memory, 11, name="alice", bucket=BUCKET).count(0.0) == 10


def test_a_minute_sees_the_burst_and_what_was_refilled_in_it():
    clock = Clock()
    memory = Memory(clock=clock)
    granted = 0
    for _tenth in range(600):
        granted += memory.take("alice", bucket=BUCKET) == 0.0
        clock.now += 0.1
    assert granted == 10 + 59


def test_a_clock_that_is_set_back_costs_one_refill_at_most():
    clock = Clock()
    memory = Memory(clock=clock)
    waits(memory, 11, name="alice", bucket=BUCKET)
    clock.now -= 900
    assert 0 < memory.take("alice", bucket=BUCKET) <= 1
    clock.now += 10
    assert waits(memory, 10, name="alice", bucket=BUCKET) == [0.0] * 10


def test_so_it_does_where_redis_had_another_time(redis_url):
    from redis import Redis

    shared = Shared(redis_url, meanwhile=Memory())
    far = int((time.time() + 3 * 86_400) * 1e6)
    with Redis.from_url(redis_url) as redis:
        redis.set("cozechat:bucket:stepped", far)
    assert 0 < shared.take("stepped", bucket=BUCKET) <= 1
    time.sleep(1.1)
    assert shared.take("stepped", bucket=BUCKET) == 0.0


def test_the_walls_clock_is_not_asked(monkeypatch):
    memory = Memory()
    waits(memory, 10, name="alice")
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert memory.take("alice", bucket=SLOW) > 50


def test_a_smaller_bucket_holds_at_once(place):
    waits(place, 1, name="changed", bucket=Bucket(size=10, per_minute=1))
    assert place.take("changed", bucket=Bucket(size=1, per_minute=60)) <= 1


_TAKE_FIFTY = """
import sys
from cozechat.buckets import Bucket, Memory, Shared
place = Shared(sys.argv[1], meanwhile=Memory())
print(sum(place.take("two", bucket=Bucket(size=10, per_minute=1)) == 0.0 for _each in range(50)))
"""


def test_two_processes_share_one_burst(redis_url):
    command = [sys.executable, "-c", _TAKE_FIFTY, redis_url]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _each in range(2)]
    taken = [int(each.communicate(timeout=60)[0]) for each in both]
    assert sum(taken) == 10


def test_while_redis_is_away_this_process_counts_and_says_so_once(caplog):
    with private_redis() as server:
        shared = Shared(server.url, meanwhile=Memory())
        assert waits(shared, 10, name="away") == [0.0] * 10
        server.kill()
        taken = waits(shared, 11, name="away")
    assert taken[:10] == [0.0] * 10
    assert taken[10] > 0
    assert [record.message for record in caplog.records if "limits are counted" in record.message] == [
        "limits are counted by this process alone: ConnectionError"
    ]


def test_a_redis_that_hangs_is_waited_for_once():
    with private_redis() as server:
        shared = Shared(server.url, meanwhile=Memory())
        shared.take("hangs", bucket=SLOW)
        server.freeze()
        began = time.monotonic()
        waits(shared, 5, name="hangs")
        took = time.monotonic() - began
    assert 0.5 < took < 3


def test_a_redis_that_is_back_counts_for_all_again(monkeypatch):
    monkeypatch.setattr(buckets, "REST", 0.0)
    with private_redis() as server:
        shared = Shared(server.url, meanwhile=Memory())
        server.kill()
        assert waits(shared, 10, name="back") == [0.0] * 10
        server.start()
        assert waits(shared, 11, name="back").count(0.0) == 10


def test_a_crowd_of_names_is_forgotten_once_their_buckets_are_full(monkeypatch):
    monkeypatch.setattr(buckets, "_MANY", 1_000)
    clock = Clock()
    memory = Memory(clock=clock)
    for number in range(1_500):
        memory.take(f"user-{number}", bucket=BUCKET, once=f"{number}")
    clock.now += 3600
    for number in range(1_500, 2_500):
        memory.take(f"user-{number}", bucket=BUCKET, once=f"{number}")
    assert len(memory._full_at) <= 2_000
    assert len(memory._counted_until) <= 2_000


@pytest.mark.parametrize(("wait", "said"), [(0.01, 1), (1.0, 1), (1.2, 2), (59.9, 60)])
def test_a_wait_is_said_in_whole_seconds(wait, said):
    assert whole_seconds(wait) == said
