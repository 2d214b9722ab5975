"""Tools that an assistant wants on the way to its answer: invoked here, shown as steps, told to Coze.

A tool is invoked by the engine that runs the turn, and by nothing else: whoever recovers a turn invokes none.
"""

import asyncio
import json
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone

from conversations.models import Step, Turn
from conversations.models.steps import SHOWN
from conversations.text import clean
from conversations.turns.failures import Failure
from conversations.turns.running import RunningTurn
from cozechat import database
from cozechat.catalog import tools as catalog
from cozechat.catalog.models import KaiTool
from cozechat.coze.errors import BadRequest, BadResponse, CozeError, NotFound, UpstreamFailed
from cozechat.coze.tools import ToolCall, ToolOutput
from cozechat.kai import Kai
from cozechat.kai.errors import KaiError, ToolTimeout

logger = logging.getLogger(__name__)

# How often one turn may ask for tools, for how many at once, and how many of those run together.
ROUNDS = 8
CALLS = 16
AT_ONCE = 4
# Coze does not go on after these: what it was told made no sense to it, or it is gone.
_CANNOT_GO_ON = (BadRequest, NotFound, UpstreamFailed, BadResponse)


class ToolsFailed(Exception):
    """The turn cannot go on for its tools: too many rounds, or Coze would not hear the outcomes."""

    @property
    def failure(self) -> Failure:
        """As its owner hears of it."""
        return Failure(code="tool_failed", coze_error=clean(str(self))[:300])


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One call: what it is about, its step, and what is to be done."""

    call: ToolCall
    step: Step
    tool: KaiTool | None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a call, in words for a model."""

    text: str
    status: Step.Status = Step.Status.COMPLETED


def are_tools(calls: Sequence[ToolCall]) -> bool:
    """Whether all that is waited for is tools; a question to the person is not."""
    return bool(calls) and all(call.id and call.type == "function" for call in calls)


def cannot_go_on(error: CozeError) -> bool:
    """Whether Coze's refusal of the outcomes is the end of the turn's tools, and not of the connection."""
    return isinstance(error, _CANNOT_GO_ON)


async def run(running: RunningTurn, calls: Sequence[ToolCall]) -> list[ToolOutput]:
    """Invoke what may be invoked and say of the rest why not; nothing when the turn is stopped meanwhile.

    Raises ToolsFailed for more calls than one turn may have at once.
    """
    if len(calls) > CALLS:
        raise ToolsFailed(f"{len(calls)} tools were wanted at once")
    wanted = await database.run(_store, running, calls)
    _show(running, [each.step for each in wanted])
    kai = await _client(wanted)
    room = asyncio.Semaphore(AT_ONCE)
    tasks = [asyncio.create_task(_one(running, each, kai=kai, room=room)) for each in wanted]
    ended = asyncio.create_task(running.ended.wait())
    pending = set(tasks)
    try:
        while pending and not ended.done():
            done, _others = await asyncio.wait({ended, *pending}, return_when=asyncio.FIRST_COMPLETED)
            pending -= done
        return [] if running.stopped or ended.done() else [task.result() for task in tasks]
    finally:
        for task in (*tasks, ended):
            task.cancel()


def _store(running: RunningTurn, calls: Sequence[ToolCall]) -> list[_Wanted]:
    """A row for each call, while the turn is ours; nothing when it has been taken away."""
    allowed = catalog.allowed_tools(call.name for call in calls)
    now = timezone.now()
    with transaction.atomic():
        if not Turn.objects.leased(running.lease).exists():
            running.stop()
            return []
        steps = Step.objects.bulk_create(_step(running, call, allowed.get(call.name), now) for call in calls)
    return [_Wanted(call, step, allowed.get(call.name)) for call, step in zip(calls, steps, strict=True)]


def _step(running: RunningTurn, call: ToolCall, tool: KaiTool | None, now: Any) -> Step:
    return Step(
        turn=running.begun.turn,
        tool=clean(call.name)[:128],
        title=clean((tool.title if tool else "") or call.name)[:200],
        payload=clean(call.arguments)[:SHOWN],
        started_at=now,
    )


async def _client(wanted: Iterable[_Wanted]) -> Kai | None:
    """Nobody is connected to for tools that nobody allows."""
    return await catalog.kai() if any(each.tool for each in wanted) else None


async def _one(
    running: RunningTurn, wanted: _Wanted, *, kai: Kai | None, room: asyncio.Semaphore
) -> ToolOutput:
    async with room:
        began = time.monotonic()
        outcome = await _invoke(wanted, kai=kai)
        seconds = time.monotonic() - began
    step = wanted.step
    step.status, step.seconds = outcome.status, round(seconds, 3)
    step.outcome = clean(outcome.text)[:SHOWN]
    logger.info("turn %s: tool %s %s in %.2f s", running.id, step.tool, step.status, seconds)
    try:
        await database.run(step.save, update_fields=["status", "seconds", "outcome"])
    except DatabaseError:
        # The tool has run, and Coze waits for what came of it.
        logger.exception("a step of turn %s could not be saved", running.id)
    _show(running, [step])
    return ToolOutput(wanted.call.id, outcome.text)


async def _invoke(wanted: _Wanted, *, kai: Kai | None) -> _Outcome:
    tool = wanted.tool
    if tool is None or kai is None:
        return _failed("unknown_tool", "There is no such tool here. Go on without it.")
    payload = _payload(wanted.call.arguments)
    if payload is None:
        return _failed("bad_arguments", "The arguments are not one JSON object.")
    try:
        return _Outcome(await kai.invoke_tool(tool.name, payload, timeout=tool.timeout_seconds))
    except ToolTimeout:
        text = f"The tool took longer than {tool.timeout_seconds:g} s. Go on without it."
        return _failed("tool_timeout", text, status=Step.Status.TIMED_OUT)
    except KaiError as error:
        return _failed(error.kind, error.message)


def _failed(kind: str, message: str, *, status: Step.Status = Step.Status.FAILED) -> _Outcome:
    return _Outcome(json.dumps({"error": kind, "message": message}, ensure_ascii=False), status)


def _payload(arguments: str) -> dict[str, Any] | None:
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _show(running: RunningTurn, steps: Iterable[Step]) -> None:
    for step in steps:
        running.live.show_step(step.described())
