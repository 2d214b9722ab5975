"""The nodes of a workflow's run as steps: begun when they are first heard of, ended when Coze says so.

Only what was seen to run has a duration: a node that is finished when it is first heard of took nobody knows how long.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import DatabaseError, transaction
from django.utils import timezone

from conversations.models import Step, Turn
from conversations.models.steps import SHOWN
from conversations.text import clean
from conversations.turns.running import RunningTurn
from cozechat import database
from cozechat.coze.run_events import RunMessage
from cozechat.coze.run_records import NodeState

logger = logging.getLogger(__name__)

# A loop may run for thousands of rounds; nobody looks at more of them.
MOST = 200


@dataclass(slots=True)
class _Node:
    """A step, and when it was first heard of; None: not by us."""

    step: Step
    since: float | None


class Nodes:
    """What is known of the nodes of one run."""

    def __init__(self, running: RunningTurn) -> None:
        self._running = running
        self._known: dict[str, _Node] = {}

    async def load(self) -> None:
        """What the process before us has seen."""
        for step in await database.run(_stored, self._running):
            self._known[step.tool] = _Node(step, None)

    async def spoke(self, message: RunMessage, *, is_end: bool) -> None:
        """A node of a stream has put something out."""
        title = message.node_title or message.node_id
        if not title:
            return
        node = await self._meet(_key(message.node_execute_uuid, title), title=title)
        if node is None or not message.is_finished:
            return
        if is_end:
            node.step.outcome = clean(message.content)[:SHOWN]
        elif message.usage is not None:
            node.step.tokens = message.usage.total_tokens or None
        await self._end(node, status=Step.Status.COMPLETED)

    async def look_at(self, states: Iterable[NodeState]) -> None:
        """The nodes as a run's history has them."""
        for state in states:
            node = await self._meet(_key(state.execute_uuid, state.title), title=state.title)
            if node is not None and state.is_finished:
                await self._end(node, status=Step.Status.COMPLETED)

    async def asks(self, title: str) -> None:
        """A node has asked back: that is all it does for now."""
        for node in self._known.values():
            if node.step.title == clean(title)[:200]:
                await self._end(node, status=Step.Status.COMPLETED)

    async def fail(self) -> None:
        """The run has failed: so has what was running. Coze does not say which node it was."""
        for node in self._known.values():
            await self._end(node, status=Step.Status.FAILED)

    async def _meet(self, key: str, *, title: str) -> _Node | None:
        """The node of this key; None where there are too many, or the turn is not ours any more."""
        known = self._known.get(key)
        if known is not None or len(self._known) >= MOST:
            return known
        step = await database.run(_begin, self._running, key=key, title=title)
        if step is None:
            return None
        node = self._known[key] = _Node(step, time.monotonic())
        self._running.live.show_step(step.described())
        return node

    async def _end(self, node: _Node, *, status: Step.Status) -> None:
        step = node.step
        if step.status != Step.Status.RUNNING:
            return
        step.status = status
        if node.since is not None:
            step.seconds = round(time.monotonic() - node.since, 3)
        try:
            await database.run(step.save, update_fields=["status", "seconds", "outcome", "tokens"])
        except DatabaseError:
            # It has run, whatever the row says.
            logger.exception("a step of turn %s could not be saved", self._running.id)
        self._running.live.show_step(step.described())


def _key(uuid: str, title: str) -> str:
    return clean(uuid or title)[:128]


def _begin(running: RunningTurn, *, key: str, title: str) -> Step | None:
    with transaction.atomic():
        if not Turn.objects.leased(running.lease).exists():
            running.stop()
            return None
        return Step.objects.create(
            turn=running.begun.turn,
            kind=Step.Kind.NODE,
            tool=key,
            title=clean(title)[:200],
            started_at=timezone.now(),
        )


def _stored(running: RunningTurn) -> list[Step]:
    return list(Step.objects.filter(turn_id=running.id, kind=Step.Kind.NODE))
