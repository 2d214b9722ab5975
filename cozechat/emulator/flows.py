"""The workflows with several nodes: a trip that is planned, an order that asks back. Pure."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from cozechat.emulator import seed

_HAN = re.compile(r"[\u3400-\u9fff]")
# A city that nobody can plan for: the second node fails.
_NOWHERE = re.compile(r"亚特兰蒂斯|(?i:\batlantis\b)")
NODE_FAILED = 720701013


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What a run says node by node, and what it comes to; `fails` in its last node."""

    parts: tuple[tuple[str, str], ...]
    result: dict[str, Any]
    fails: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run wants to know: options to choose from, or inputs (then Coze's type is 5)."""

    question: str
    options: tuple[str, ...] = ()
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)


def flow_of(workflow_id: str, parameters: dict[str, Any]) -> Flow | None:
    """None for a workflow of one node."""
    return _trip(parameters) if workflow_id == seed.TRIP_WORKFLOW_ID else None


def missing(workflow_id: str, parameters: dict[str, Any]) -> str:
    """The start node's parameter that is needed and not there; "" if none is."""
    if workflow_id == seed.TRIP_WORKFLOW_ID and not _text(parameters, "city"):
        return "city"
    return ""


def nodes_of(workflow_id: str) -> tuple[str, ...]:
    """The nodes that a run's history tells of, in their order."""
    if workflow_id == seed.LONG_WORKFLOW_ID:
        return ("Start", "Research", "Write", "End")
    return ("Start", "End")


def _text(parameters: dict[str, Any], name: str) -> str:
    value = parameters.get(name)
    return value.strip() if isinstance(value, str) else ""


def _trip(parameters: dict[str, Any]) -> Flow:
    city, style = _text(parameters, "city"), _text(parameters, "style")
    days = parameters.get("days")
    count = min(max(days, 1), 14) if isinstance(days, int) and not isinstance(days, bool) else 2
    likes = parameters.get("interests")
    wishes = [str(item) for item in likes][:5] if isinstance(likes, list) else []
    chinese = _HAN.search(city + style + "".join(wishes)) is not None
    first, second = _zh(city, count, style, wishes) if chinese else _en(city, count, style, wishes)
    titles = ("调研", "写行程") if chinese else ("Research", "Write the plan")
    schedule = [{"day": day, "places": 2 + day % 2} for day in range(1, count + 1)]
    return Flow(
        parts=((titles[0], first), (titles[1], second)),
        result={"city": city, "days": count, "style": style, "schedule": schedule},
        fails=_NOWHERE.search(city) is not None,
    )


def _en(city: str, days: int, style: str, likes: list[str]) -> tuple[str, str]:
    about = f", with an eye on {', '.join(likes)}" if likes else ""
    first = f"Looking into **{city}**{about}. This is what a {style or 'calm'} stay there needs."
    lines = [
        f"| {day} | {('old town', 'museums', 'a park')[day % 3]} | {('market', 'river', 'hills')[day % 3]} |"
        for day in range(1, days + 1)
    ]
    table = "\n".join(["| Day | Morning | Afternoon |", "|----:|---------|-----------|", *lines])
    return first, f"## {days} days in {city}\n\n{table}\n\nThe places are made up; the table is not."


def _zh(city: str, days: int, style: str, likes: list[str]) -> tuple[str, str]:
    about = f",并留意{'、'.join(likes)}" if likes else ""
    first = f"正在了解**{city}**{about}。一次{style or '从容'}的旅行需要这些。"
    lines = [
        f"| {day} | {('老城', '博物馆', '公园')[day % 3]} | {('市集', '江边', '山上')[day % 3]} |"
        for day in range(1, days + 1)
    ]
    table = "\n".join(["| 天 | 上午 | 下午 |", "|---:|------|------|", *lines])
    return first, f"## {city}{days}日行程\n\n{table}\n\n地点是编的,表格是真的。"


SIZES_EN, SIZES_ZH = ("Small", "Medium", "Large"), ("小杯", "中杯", "大杯")


def first_question(drink: str) -> Asked:
    """Which size it should be."""
    if _HAN.search(drink):
        return Asked(question=f"{drink},要多大杯?", options=SIZES_ZH)
    return Asked(question=f"What size should your {drink} be?", options=SIZES_EN)


def second_question(drink: str) -> Asked:
    """Whom it is for, as typed inputs."""
    chinese = _HAN.search(drink) is not None
    name, minutes, receipt = (
        ("取餐时报的名字", "几分钟后来取", "是否需要小票")
        if chinese
        else ("The name to call out", "In how many minutes you come", "Whether you want a receipt")
    )
    return Asked(
        question="",
        inputs={
            "name": {"type": "string", "required": True, "description": name},
            "minutes": {"type": "integer", "required": False, "description": minutes, "default_value": "10"},
            "receipt": {"type": "boolean", "required": False, "description": receipt},
        },
    )


def read_inputs(reply: str, asked: Asked) -> dict[str, Any] | None:
    """The values in an answer, as JSON or as lines of `name: value`; None where a needed one is missing."""
    try:
        value = json.loads(reply)
    except ValueError:
        pairs = (line.partition(":") for line in reply.replace("\uff1a", ":").splitlines())
        value = {name.strip(): rest.strip() for name, _colon, rest in pairs if rest.strip()}
    if not isinstance(value, dict):
        return None
    needed = (name for name, definition in asked.inputs.items() if definition["required"])
    return value if all(value.get(name) not in (None, "") for name in needed) else None
