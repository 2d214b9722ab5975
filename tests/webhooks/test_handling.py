"""Each event is brought to one end, whoever handles it and whatever goes wrong on the way."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from conversations.models import Conversation, Message
from cozechat.webhooks import courier, intake
from cozechat.webhooks.envelopes import read_own
from cozechat.webhooks.handling import PAUSES, handle
from cozechat.webhooks.models import Event
from tests.webhooks.telling import encoded, message_event
from tests.webhooks.test_messages import COZE_ID, make_thread

THREADS = 16


def store(event: Any) -> None:
    intake.insert([intake.event_of(read_own(encoded(event)), source=Event.Source.WEBHOOK)])


def waiting(event: Any) -> Event:
    """An event that is stored, as it stands."""
    store(event)
    return Event.objects.get()


def claim(*, most: int = 20) -> list[Event]:
    return Event.objects.claim(now=timezone.now(), lease=courier.LEASE, most=most)


def at_once(act: Callable[[int], object]) -> list[object]:
    """Do something in 16 threads at the same moment; what each came to."""
    gate, results = threading.Barrier(THREADS), [None] * THREADS  # type: list[Any]

    def each(number: int) -> None:
        gate.wait(20)
        try:
            results[number] = act(number)
        except Exception as error:
            results[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=each, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@contextmanager
def without_table(name: str) -> Iterator[None]:
    """A database that has lost one of its tables for a while."""

    def rename(old: str, new: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename(name, f"{name}_away")
    try:
        yield
    finally:
        rename(f"{name}_away", name)


@pytest.fixture
def thread(alice: Any) -> Conversation:
    return make_thread(alice)


def test_the_same_event_from_many_threads_at_once_is_one_row_and_one_message(thread: Conversation) -> None:
    event = message_event(COZE_ID, "once")
    results = at_once(lambda _number: store(event))
    assert results == [None] * THREADS
    assert Event.objects.count() == 1
    for claimed in claim():
        handle(claimed, now=timezone.now())
    assert Message.objects.filter(conversation=thread).count() == 1


def test_the_same_message_handled_in_many_threads_at_once_is_stored_once(thread: Conversation) -> None:
    """As it is when a sender gives one message several event ids."""
    for _each in range(THREADS):
        store(message_event(COZE_ID, "once", message_id="m-1"))
    claimed = claim()
    assert len(claimed) == THREADS
    at_once(lambda number: handle(claimed[number], now=timezone.now()))
    # Whoever came second at the same moment may have to try again.
    Event.objects.filter(state="waiting").update(due_at=timezone.now())
    for event in claim():
        handle(event, now=timezone.now())
    assert Message.objects.filter(conversation=thread).count() == 1
    assert set(Event.objects.values_list("state", flat=True)) == {"handled"}


def test_of_many_who_claim_at_once_one_gets_each_event(thread: Conversation) -> None:
    for number in range(40):
        store({"id": str(number), "type": "x"})
    got = [event.pk for found in at_once(lambda _number: claim(most=5)) for event in found]  # type: ignore[attr-defined]
    assert len(got) == len(set(got))
    assert Event.objects.exclude(claim=None).count() == len(got)


def test_an_event_in_somebody_s_hands_is_not_claimed_until_their_time_is_over(thread: Conversation) -> None:
    waiting(message_event(COZE_ID))
    (event,) = claim()
    assert claim() == []
    Event.objects.update(due_at=timezone.now())
    (again,) = claim()
    assert again.pk == event.pk
    assert not event.begin(until=timezone.now())
    assert again.begin(until=timezone.now())


def test_whoever_slept_through_their_claim_changes_nothing(thread: Conversation) -> None:
    waiting(message_event(COZE_ID, "once"))
    (sleeper,) = claim()
    Event.objects.update(due_at=timezone.now())
    (other,) = claim()
    handle(sleeper, now=timezone.now())
    assert (Message.objects.count(), Event.objects.get().state) == (0, "waiting")
    handle(other, now=timezone.now())
    handle(sleeper, now=timezone.now())
    assert (Message.objects.count(), Event.objects.get().state) == (1, "handled")


def test_message_and_end_are_one_transaction(thread: Conversation) -> None:
    """Whatever fails in between, neither stands without the other: here the row of the event cannot be written."""
    waiting(message_event(COZE_ID))
    (event,) = claim()
    with without_table("webhooks_event"), pytest.raises(Exception, match="webhooks_event"):
        handle(event, now=timezone.now())
    assert (Message.objects.count(), Event.objects.get().state) == (0, "waiting")


def test_what_fails_is_tried_again_at_growing_intervals_and_then_has_failed(
    thread: Conversation, caplog: pytest.LogCaptureFixture
) -> None:
    event, now = waiting(message_event(COZE_ID, "words-of-alice")), timezone.now()
    with without_table("conversations_message"):
        for attempt, pause in enumerate(PAUSES, 1):
            (claimed,) = Event.objects.claim(now=now, lease=courier.LEASE, most=5)
            handle(claimed, now=now)
            event.refresh_from_db()
            assert (event.state, event.attempts) == ("waiting", attempt)
            assert event.due_at == now + timedelta(seconds=pause)
            assert not Event.objects.due(now + timedelta(seconds=pause - 1)).exists()
            now = event.due_at
        (claimed,) = Event.objects.claim(now=now, lease=courier.LEASE, most=5)
        handle(claimed, now=now)
    event.refresh_from_db()
    assert (event.state, event.ended_at) == ("failed", now)
    assert event.reason.startswith(f"Given up after {len(PAUSES) + 1} attempts: ")
    assert "words-of-alice" not in caplog.text + event.reason


def test_an_event_that_kills_whoever_handles_it_is_given_up(thread: Conversation) -> None:
    waiting(message_event(COZE_ID))
    for _each in range(len(PAUSES) + 2):
        Event.objects.update(due_at=timezone.now())
        (claimed,) = claim()
        # Then its process dies.
        assert claimed.begin(until=timezone.now())
    handle(claimed, now=timezone.now())
    event = Event.objects.get()
    assert (event.state, Message.objects.count()) == ("failed", 0)
    assert "died" in event.reason


def test_events_that_wait_beside_one_that_kills_are_not_given_up_with_it(thread: Conversation) -> None:
    for number in range(5):
        store(message_event(COZE_ID, f"word {number}"))
    for _each in range(len(PAUSES) + 5):
        Event.objects.update(due_at=timezone.now())
        assert len(claim()) == 5
    Event.objects.update(due_at=timezone.now())
    for event in claim():
        handle(event, now=timezone.now())
    assert Message.objects.count() == 5


def test_a_replayed_event_is_handled_anew_and_adds_nothing(thread: Conversation) -> None:
    waiting(message_event(COZE_ID))
    for _each in range(2):
        (claimed,) = claim()
        handle(claimed, now=timezone.now())
        assert (Event.objects.get().state, Message.objects.count()) == ("handled", 1)
        assert Event.objects.all().replay(now=timezone.now()) == 1


def test_a_failed_event_is_replayed_once_its_cause_is_mended(alice: Any) -> None:
    waiting(message_event(COZE_ID, "better late"))
    (claimed,) = claim()
    handle(claimed, now=timezone.now())
    assert Event.objects.get().state == "ignored"
    make_thread(alice)
    Event.objects.all().replay(now=timezone.now())
    (claimed,) = claim()
    handle(claimed, now=timezone.now())
    assert (Event.objects.get().state, Message.objects.get().content) == ("handled", "better late")


def test_what_waits_is_not_replayed(thread: Conversation) -> None:
    waiting(message_event(COZE_ID))
    (event,) = claim()
    event.begin(until=timezone.now())
    assert Event.objects.all().replay(now=timezone.now()) == 0
    assert Event.objects.get().attempts == 1


def test_words_go_with_their_conversation(thread: Conversation) -> None:
    waiting(message_event(COZE_ID, "words of Alice"))
    handle(claim()[0], now=timezone.now())
    assert courier.clear(now=timezone.now()) == 0
    Conversation.objects.update(deleted_at=timezone.now())
    assert courier.clear(now=timezone.now()) == 1
    assert not Event.objects.exists()


def test_a_message_that_is_too_long_to_draw_fails_by_name(thread: Conversation) -> None:
    waiting(message_event(COZE_ID, "x" * 100_001))
    handle(claim()[0], now=timezone.now())
    assert (Event.objects.get().state, Event.objects.get().reason) == (
        "failed",
        "'content' is missing or wrong",
    )


def test_old_events_go_and_those_that_wait_stay(thread: Conversation) -> None:
    now = timezone.now()
    for number, days in enumerate((31, 29, 400)):
        store({"id": str(number), "type": "x"})
        ended = None if number == 2 else now - timedelta(days=days)
        state = "waiting" if number == 2 else "handled"
        Event.objects.filter(event_id=str(number)).update(
            state=state, ended_at=ended, received_at=now - timedelta(days=days)
        )
    assert courier.clear(now=now) == 1
    assert set(Event.objects.values_list("event_id", flat=True)) == {"1", "2"}


async def test_a_courier_that_leaves_gives_back_what_it_has_not_begun(transactional_db: None) -> None:
    from cozechat import database

    for number in range(5):
        await database.run(store, {"id": str(number), "type": "x"})
    leaving = courier.Courier()
    leaving._leaving = True
    await leaving.round()
    rows = [event async for event in Event.objects.all()]
    assert {(event.state, event.claim, event.attempts) for event in rows} == {("waiting", None, 0)}
    assert await Event.objects.due(timezone.now()).acount() == 5
