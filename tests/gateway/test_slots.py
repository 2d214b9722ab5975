"""Slots and end users under many hands at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from accounts.models import User
from cozechat.gateway import keys, sessions
from cozechat.gateway.models import Slot, StickyConversation

MINUTE = timedelta(minutes=1)


def together(count, act):
    """What `count` threads come to that do the same."""

    def alone(number):
        try:
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(alone, range(count)))


def test_of_many_at_once_as_many_get_a_slot_as_there_are(alice):
    key, _secret = keys.create(alice, name="a", concurrency=3)
    now = timezone.now()
    got = together(
        12, lambda number: Slot.objects.claim(key, request_id=f"r{number}", now=now, until=now + MINUTE)
    )
    assert got.count(True) == 3
    Slot.objects.free(next(f"r{number}" for number, won in enumerate(got) if won), now=now)
    again = together(
        12, lambda number: Slot.objects.claim(key, request_id=f"s{number}", now=now, until=now + MINUTE)
    )
    assert again.count(True) == 1


def test_a_slot_whose_process_died_is_free_when_its_lease_has_ended(alice):
    key, _secret = keys.create(alice, name="a", concurrency=1)
    now = timezone.now()

    def claim(name, at):
        return Slot.objects.claim(key, request_id=name, now=at, until=at + MINUTE)

    assert claim("dead", now)
    assert not claim("next", now + timedelta(seconds=59))
    Slot.objects.renew(["dead"], until=now + 2 * MINUTE)
    assert not claim("next", now + timedelta(seconds=61))
    assert claim("next", now + 2 * MINUTE)


def test_an_end_user_who_is_seen_by_many_at_once_is_one(alice):
    key, _secret = keys.create(alice, name="a")
    found = together(8, lambda _number: sessions.end_user_of(key, end_user="1").pk)
    assert len(set(found)) == 1
    assert User.objects.filter(end_user_of=alice).count() == 1


def test_a_conversation_is_claimed_by_one_of_many(alice, coze, settings):
    from cozechat.catalog.environment import default_assistant

    settings.COZE_EMULATED = True
    key, _secret = keys.create(alice, name="a")
    user = sessions.end_user_of(key, end_user="1")
    app_id = default_assistant().app_id
    new = sessions.sticky_conversation(user, wanted="new", external_id="", app_id=app_id)
    made = sessions.begun(new, user=user)
    now = timezone.now()
    got = together(
        8,
        lambda number: StickyConversation.objects.claim(
            made.pk, request_id=f"r{number}", now=now, until=now + MINUTE
        ),
    )
    assert got.count(True) == 1
