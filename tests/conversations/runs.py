"""Assistants that run workflows, as the tests of runs need them."""

from typing import Any

from conversations.models import Turn
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant
from cozechat.emulator import seed


def named(name: str) -> int:
    """One of the demo's assistants; `waited` is the trip without a stream, `ask` a run that asks for words."""
    app = default_assistant().app
    made = {"app": app, "coze_app_id": seed.APP_ID, "kind": Assistant.Kind.WORKFLOW_RUN}
    rows: dict[str, dict[str, Any]] = {
        "waited": {"workflow_id": seed.TRIP_WORKFLOW_ID, "is_streamed": False},
        "ask": {"workflow_id": seed.QUESTION_WORKFLOW_ID},
        "waited-order": {"workflow_id": seed.ORDER_WORKFLOW_ID, "is_streamed": False},
        "long-order": {"workflow_id": seed.ORDER_WORKFLOW_ID, "kind": Assistant.Kind.LONG_WORKFLOW_RUN},
        "plain": {"workflow_id": seed.RUN_WORKFLOW_ID},
    }
    if name in rows:
        trip = Assistant.objects.get(name="Trip planner").inputs
        inputs = trip if rows[name]["workflow_id"] == seed.TRIP_WORKFLOW_ID else []
        if rows[name]["workflow_id"] == seed.ORDER_WORKFLOW_ID:
            inputs = Assistant.objects.get(name="Order").inputs
        return Assistant.objects.get_or_create(name=name, defaults=made | rows[name] | {"inputs": inputs})[
            0
        ].pk
    return Assistant.objects.get(name=name).pk


def stored(turn: str) -> Turn:
    return Turn.objects.select_related("answers").get(pk=turn)
