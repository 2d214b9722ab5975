"""What a running turn reads and writes is found by an index: a site keeps its turns for years."""

import uuid

import pytest
from django.db import connection

from conversations import turns
from conversations.frames import TurnStart
from conversations.models import Turn
from conversations.turns.processes import orphans

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("act", ["select", "keep", "release"])
def test_a_leased_turn_is_found_by_its_index(alice, act):
    if connection.vendor != "sqlite":
        pytest.skip("so SQLite explains its plans")
    frame = TurnStart(client_id=uuid.uuid4(), conversation=None, content="hello")
    lease = turns.begin(alice, frame=frame).turn.lease
    acts = {
        "select": lambda: Turn.objects.leased(lease).exists(),
        "keep": lambda: orphans.keep(orphans.Orphan(uuid.uuid4(), lease, None)),
        "release": lambda: orphans.release([lease]),
    }
    asked: list[tuple] = []
    with connection.execute_wrapper(lambda do, *query: (asked.append(query[:2]), do(*query))[1]):
        assert acts[act]() is not False
    [(statement, values)] = [query for query in asked if "conversations_turn" in query[0]]
    with connection.cursor() as cursor:
        # With the values apart, as they are sent: that decides which partial index may serve.
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        plan = [row[-1] for row in cursor.fetchall()]
    assert [step for step in plan if "turns_by_lease" in step and step.startswith("SEARCH")], plan
    assert not [step for step in plan if step.startswith("SCAN")], plan
