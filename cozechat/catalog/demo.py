"""What the emulator has besides its chatflow: a bot, a run with a form, a long run, one that asks back."""

from typing import Any

from django.db.models import QuerySet

from cozechat.catalog.models import Assistant, CozeApp
from cozechat.emulator import seed

_TRIP: list[dict[str, Any]] = [
    {"name": "city", "label": "City · 城市", "type": "text", "required": True},
    {"name": "days", "label": "Days · 天数", "type": "integer", "default": 3, "help": "1–14"},
    {
        "name": "style",
        "label": "Style · 风格",
        "type": "choice",
        "choices": ["calm · 从容", "full · 充实", "adventurous · 冒险"],
    },
    {"name": "interests", "label": "Interests · 兴趣", "type": "list"},
    {"name": "notes", "label": "Notes · 备注", "type": "long_text"},
]
_REPORT: list[dict[str, Any]] = [
    {"name": "input", "label": "Topic · 主题", "type": "text", "required": True},
    {"name": "seconds", "label": "Seconds · 秒数", "type": "number", "default": 20, "help": "0–300"},
]
_ORDER: list[dict[str, Any]] = [{"name": "drink", "label": "Drink · 饮品", "type": "text", "required": True}]
_RUN, _LONG = Assistant.Kind.WORKFLOW_RUN, Assistant.Kind.LONG_WORKFLOW_RUN
_WORKFLOWS: tuple[tuple[str, str, Assistant.Kind, list[dict[str, Any]]], ...] = (
    (seed.TRIP_WORKFLOW_ID, "Trip planner", _RUN, _TRIP),
    (seed.LONG_WORKFLOW_ID, "Report", _LONG, _REPORT),
    (seed.ORDER_WORKFLOW_ID, "Order", _RUN, _ORDER),
)


def make(app: CozeApp) -> None:
    """Their rows, behind the chatflow's."""
    known: dict[str, Any] = {"app": app, "kind": Assistant.Kind.BOT, "bot_id": seed.TOOL_BOT_ID}
    Assistant.objects.get_or_create(**known, defaults={"name": "Barista", "position": 1})
    for place, (workflow_id, name, kind, inputs) in enumerate(_WORKFLOWS, 2):
        known = {"app": app, "kind": kind, "workflow_id": workflow_id}
        defaults = {"name": name, "position": place, "coze_app_id": seed.APP_ID, "inputs": inputs}
        Assistant.objects.get_or_create(**known, defaults=defaults)


def take_files(app: CozeApp) -> None:
    """The chatflow has an input for a file."""
    inputs = [{"name": seed.FILE_INPUT, "type": "file"}]
    app.assistants.filter(workflow_id=seed.WORKFLOW_ID, inputs=[]).update(inputs=inputs)


def of(app: CozeApp) -> QuerySet[Assistant]:
    """The rows of an app that only the emulator knows."""
    ids = [workflow_id for workflow_id, *_rest in _WORKFLOWS]
    return app.assistants.filter(bot_id=seed.TOOL_BOT_ID) | app.assistants.filter(workflow_id__in=ids)
