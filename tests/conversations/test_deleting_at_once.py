"""A conversation is deleted at the moment in which its answer ends."""

import pytest

from conversations import turns
from conversations.models import Conversation, Turn
from conversations.turns.processes import stopping
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
