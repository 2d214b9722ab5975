"""What a process counts: never less, from any thread, under few names."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from cozechat import counters


def told(name: str) -> int:
    return counters.counted().get(name, 0)


def test_threads_that_count_at_once_lose_nothing() -> None:
    before = told("test_threads")

    def many(_number: int) -> None:
        for _ in range(2_000):
            counters.add("test_threads")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(many, range(8)))

    assert told("test_threads") - before == 16_000


def test_a_label_counts_by_itself() -> None:
    counters.add("test_labelled", 2, label="chat")
    counters.add("test_labelled", 3, label="gateway")

    assert told("test_labelled:chat") == 2
    assert told("test_labelled:gateway") == 3
    assert told("test_labelled") == 0


def test_labels_that_somebody_invents_end_in_other() -> None:
    for number in range(counters.MOST_LABELS + 10):
        counters.add("test_invented", label=f"label{number}")
    counters.add("test_invented", label="label0")

    keys = [name for name in counters.counted() if name.startswith("test_invented:")]
    assert len(keys) == counters.MOST_LABELS + 1
    assert told("test_invented:other") == 10
    assert told("test_invented:label0") == 2


def test_nothing_is_counted_back() -> None:
    with pytest.raises(ValueError, match="back"):
        counters.add("test_back", -1)


def test_a_gauge_is_read_when_it_is_asked_for() -> None:
    waiting = ["one"]
    counters.gauge("test_waiting", read=lambda: len(waiting))
    waiting.append("two")

    assert counters.gauged()["test_waiting"] == 2


@pytest.mark.django_db
def test_what_all_processes_share_is_told_apart() -> None:
    counters.gauge("test_rows_waiting", read=lambda: 7, shared=True)

    assert counters.gauged(shared=True)["test_rows_waiting"] == 7
    assert "test_rows_waiting" not in counters.gauged()
