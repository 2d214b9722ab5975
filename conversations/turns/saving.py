"""Everything a running turn writes: each write names its lease, so a turn that was taken away writes nothing."""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from conversations import rendering
from conversations.models import Conversation, Cut, Message, Turn
from conversations.turns import asides, leftovers, metering, questions
from conversations.turns.beginning import LEASE
from conversations.turns.failures import Failure
from conversations.turns.metering import Spent
from conversations.turns.running import RunningTurn
from cozechat.coze.types import Usage
from cozechat.usage.estimating import tokens_of
from cozechat.usage.reserving import CozeIds

_MOST_TOKENS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Text and sequence number of a turn, taken together in the event loop."""

    running: RunningTurn
    seq: int
    content: str | None
    breaks: list[int]
    thought: dict[str, Any]


def take_snapshot(running: RunningTurn) -> Snapshot:
    """What there is to save now; content None when nothing was added since the last time."""
    live = running.live
    dirty, live.dirty = live.dirty, False
    return Snapshot(
        running, live.seq, live.text if dirty else None, list(live.breaks), asides.of_message(live)
    )


def mark_in_progress(running: RunningTurn) -> bool:
    """Coze has begun. False: the turn was taken away."""
    with transaction.atomic():
        begun = Turn.objects.leased(running.lease).update(
            status=Turn.Status.IN_PROGRESS,
            coze_chat_id=running.coze_chat_id,
            execute_id=running.execute_id,
            run_began_at=running.run_began_at,
            lease_until=timezone.now() + LEASE,
        )
        if begun and (running.assistant.is_run or running.begun.turn.answers_id):
            questions.settle(running.begun.turn)
        if begun and running.begun.is_held:
            metering.accepted(running.begun.turn, ids=_ids(running))
    return bool(begun)


def keep_coze_conversation(running: RunningTurn, *, coze_id: str, name: str) -> bool:
    """Coze made a conversation for this line. False: another turn was quicker.

    A deleted conversation keeps the id too: it has to be deleted at Coze.
    """
    line = running.begun.line
    rows = type(line)._default_manager.filter(pk=line.pk, coze_conversation_id="")
    if rows.update(coze_conversation_id=coze_id, coze_title=name):
        return True
    # The line or the account was deleted while Coze was asked, or has one by now: nobody else knows of this one.
    session_name = running.begun.owner.session_name
    leftovers.leave(app_id=running.assistant.app_id, session_name=session_name, coze_id=coze_id)
    return False


def coze_conversation_of(running: RunningTurn) -> str:
    """What the line has at Coze by now; nothing for a turn that was taken away."""
    if not Turn.objects.leased(running.lease).exists():
        return ""
    line = running.begun.line
    rows = type(line)._default_manager.filter(pk=line.pk)
    return rows.values_list("coze_conversation_id", flat=True).first() or ""


def forget_coze_conversation(running: RunningTurn, *, coze_id: str) -> None:
    """Coze no longer knows this conversation."""
    line = running.begun.line
    rows = type(line)._default_manager.filter(pk=line.pk, coze_conversation_id=coze_id)
    rows.update(coze_conversation_id="", coze_title="")


def note_cut(running: RunningTurn) -> None:
    """Coze's conversation of this line holds nothing any more from above the last cut."""
    turn = running.begun.turn
    cuts = Cut.objects.filter(conversation_id=turn.conversation_id, branch=turn.branch, applied_at=None)
    cuts.update(applied_at=timezone.now())


def save_progress(
    snapshots: Iterable[Snapshot], *, now: datetime | None = None, lease: timedelta = LEASE
) -> list[RunningTurn]:
    """Save all running turns and renew their leases in one transaction; returns those that were taken away."""
    lease_until = (now or timezone.now()) + lease
    lost: list[RunningTurn] = []
    with transaction.atomic():
        # In the order of their keys, as everybody locks several turns.
        for snapshot in sorted(snapshots, key=lambda each: each.running.id):
            turns = Turn.objects.leased(snapshot.running.lease)
            if not turns.update(lease_until=lease_until, seq=snapshot.seq):
                lost.append(snapshot.running)
            elif snapshot.content is not None:
                answer = Message.objects.filter(pk=snapshot.running.begun.answer.pk)
                answer.update(content=snapshot.content, breaks=snapshot.breaks, **snapshot.thought)
    return lost


def leave(snapshots: Iterable[Snapshot]) -> None:
    """Save turns for the last time here: another process may claim them at once."""
    save_progress(snapshots, lease=timedelta(0))


def save_end(
    running: RunningTurn, *, status: Turn.Status, failure: Failure | None, content: str, html: str
) -> bool:
    """The one end of a turn, with the whole answer. False: somebody else has ended it."""
    now, usage = timezone.now(), running.usage or Usage()
    with transaction.atomic():
        ended = Turn.objects.leased(running.lease).update(
            status=status,
            seq=running.live.seq,
            cached=running.cached,
            lease=None,
            lease_until=None,
            ended_at=now,
            first_delta_at=_moment(running.first_delta_at),
            coze_chat_id=running.coze_chat_id,
            execute_id=running.execute_id,
            interrupt=running.interrupt,
            interrupt_state=asks_back(running, status),
            log_id=_log_id(running, failure),
            error_code=failure.code if failure else "",
            coze_error=failure.coze_error if failure else "",
            **asides.of_turn(running, status=status),
            **storable_counts(usage),
        )
        if ended:
            answer = Message.objects.filter(pk=running.begun.answer.pk)
            answer.update(
                content=content,
                breaks=running.live.breaks,
                html=html,
                html_version=rendering.version(),
                **asides.of_message(running.live),
            )
            Conversation.objects.filter(pk=running.begun.conversation.pk).update(
                active_at=now, is_unread=True
            )
            spent = _spent(running, status=status, failure=failure, now=now)
            metering.meter(spent, is_held=running.begun.is_held)
    return bool(ended)


def asks_back(running: RunningTurn, status: Turn.Status) -> Turn.Interrupt:
    """Whether a turn that ends so waits for an answer."""
    waits = status == Turn.Status.REQUIRES_ACTION and running.interrupt
    return Turn.Interrupt.OPEN if waits else Turn.Interrupt.NONE


def storable_counts(usage: Usage) -> dict[str, int]:
    """Coze's counts as a turn's row has room for them: an impossible one must not keep a turn from ending."""
    return {name: min(count, _MOST_TOKENS) for name, count in asdict(usage).items()}


def note_lost_race(running: RunningTurn, *, failure: Failure | None) -> None:
    """Somebody else has ended the turn, who perhaps could not know yet that Coze took it, and as which run."""
    if running.execute_id:
        # Its owner may look it up though it was stopped.
        rows = Turn.objects.filter(pk=running.id, execute_id="")
        rows.update(execute_id=running.execute_id, run_began_at=running.run_began_at)
    status = Turn.objects.filter(pk=running.id).values_list("status", flat=True).first()
    ended = Turn.Status(status or Turn.Status.CANCELED)
    if ended not in Turn.OPEN:
        spent = _spent(running, status=ended, failure=failure, now=timezone.now())
        metering.note_lost_race(spent, is_held=running.begun.is_held)


def _spent(running: RunningTurn, *, status: Turn.Status, failure: Failure | None, now: datetime) -> Spent:
    begun, took = running.begun, time.monotonic() - running.began
    first = running.first_delta_after
    return Spent(
        turn=begun.turn,
        assistant=running.assistant,
        taken=running.taken,
        status=status,
        question=begun.question.content,
        answer=running.live.text,
        tokens=tokens_of(running.usage),
        ids=replace(_ids(running), log_id=_log_id(running, failure)),
        error_code=failure.code if failure else "",
        began_at=now - timedelta(seconds=took),
        latency_ms=round(took * 1000),
        first_token_ms=None if first is None else round(first * 1000),
    )


def _ids(running: RunningTurn) -> CozeIds:
    coze_conversation_id = running.begun.line.coze_conversation_id
    return CozeIds(running.coze_chat_id, coze_conversation_id, running.execute_id, running.log_id)


def _log_id(running: RunningTurn, failure: Failure | None) -> str:
    return (failure.log_id if failure and failure.log_id else running.log_id)[:64]


def _moment(epoch: float | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, tz=timezone.get_current_timezone())
