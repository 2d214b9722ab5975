"""A conversation is deleted at the moment in which its answer ends."""

from datetime import timedelta

import pytest
from django.utils import timezone

from conversations import turns
from conversations.models import Conversation, Turn
from conversations.turns import pruning
from conversations.turns.processes import stopping
from tests.conversations import rows
from tests.conversations.test_queue_processes import at_once, begin

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_deletion_at_the_moment_of_an_end_fails_neither_of_them(alice):
    for _each in range(40):
        begun = begin(alice, "hello")
        results = at_once(
            lambda begun=begun: turns.delete_conversation(alice, conversation_id=begun.conversation.pk),
            lambda begun=begun: stopping._take_away(begun.turn.pk, shown=None),
        )
        assert [result for result in results if isinstance(result, Exception)] == []
    assert not Turn.objects.exists()
    assert not Conversation.objects.filter(deleted_at=None).exists()


def test_what_was_deleted_is_erased_at_the_moment_of_another_change_and_both_come_through(alice):
    for _each in range(30):
        thread = rows.conversation(alice)
        said = [rows.turn(thread, f"{number}", "yes") for number in range(8)]
        long_ago = timezone.now() - timedelta(minutes=1)
        Turn.objects.filter(pk__in=[turn.pk for turn in said[:6]]).update(deleted_at=long_ago)
        results = at_once(
            pruning.settle_due,
            lambda thread=thread, last=said[-1]: turns.delete_turn(
                alice, conversation_id=thread.pk, turn_id=last.pk
            ),
        )
        assert [result for result in results if isinstance(result, Exception)] == []
