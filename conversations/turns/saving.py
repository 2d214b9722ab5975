"""Everything a running turn writes: each write names its lease, so a turn that was taken away writes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from conversations import rendering
from conversations.models import Conversation, Message, Turn
from conversations.turns.beginning import LEASE
from conversations.turns.failures import Failure
from conversations.turns.running import RunningTurn
from cozechat.coze.types import Usage


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Text and sequence number of a turn, taken together in the event loop."""

    running: RunningTurn
    seq: int
    content: str | None
    breaks: list[int]


def take_snapshot(running: RunningTurn) -> Snapshot:
    """What there is to save now; content None when nothing was added since the last time."""
    live = running.live
    dirty, live.dirty = live.dirty, False
    return Snapshot(running, live.seq, live.text if dirty else None, list(live.breaks))


def mark_in_progress(running: RunningTurn) -> bool:
    """Coze has begun. False: the turn was taken away."""
    turns = Turn.objects.leased(running.lease)
    return bool(
        turns.update(
            status=Turn.Status.IN_PROGRESS,
            coze_chat_id=running.coze_chat_id,
            lease_until=timezone.now() + LEASE,
        )
    )


def keep_coze_conversation(running: RunningTurn, *, coze_id: str, name: str) -> bool:
    """Coze made a conversation for this one. False: a later turn was quicker, so this one has lost its lease.

    A deleted conversation keeps the id too: it has to be deleted at Coze.
    """
    rows = Conversation.objects.filter(pk=running.begun.conversation.pk, coze_conversation_id="")
    return bool(rows.update(coze_conversation_id=coze_id, coze_title=name))


def forget_coze_conversation(running: RunningTurn, *, coze_id: str) -> None:
    """Coze no longer knows this conversation."""
    rows = Conversation.objects.filter(pk=running.begun.conversation.pk, coze_conversation_id=coze_id)
    rows.update(coze_conversation_id="", coze_title="")


def save_progress(
    snapshots: Iterable[Snapshot], *, now: datetime | None = None, lease: timedelta = LEASE
) -> list[RunningTurn]:
    """Save all running turns and renew their leases in one transaction; returns those that were taken away."""
    lease_until = (now or timezone.now()) + lease
    lost: list[RunningTurn] = []
    with transaction.atomic():
        for snapshot in snapshots:
            turns = Turn.objects.leased(snapshot.running.lease)
            if not turns.update(lease_until=lease_until, seq=snapshot.seq):
                lost.append(snapshot.running)
            elif snapshot.content is not None:
                answer = Message.objects.filter(pk=snapshot.running.begun.answer.pk)
                answer.update(content=snapshot.content, breaks=snapshot.breaks)
    return lost


def leave(snapshots: Iterable[Snapshot]) -> None:
    """Save turns for the last time here: another process may claim them at once."""
    save_progress(snapshots, lease=timedelta(0))


def save_end(
    running: RunningTurn, *, status: Turn.Status, failure: Failure | None, content: str, html: str
) -> bool:
    """The one end of a turn, with the whole answer. False: somebody else has ended it."""
    now, usage = timezone.now(), running.usage or Usage(0, 0, 0)
    with transaction.atomic():
        ended = Turn.objects.leased(running.lease).update(
            status=status,
            seq=running.live.seq,
            lease=None,
            lease_until=None,
            ended_at=now,
            first_delta_at=_moment(running.first_delta_at),
            coze_chat_id=running.coze_chat_id,
            log_id=(failure.log_id if failure and failure.log_id else running.log_id)[:64],
            error_code=failure.code if failure else "",
            coze_error=failure.coze_error if failure else "",
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            total_tokens=usage.total_tokens,
        )
        if ended:
            answer = Message.objects.filter(pk=running.begun.answer.pk)
            answer.update(
                content=content, breaks=running.live.breaks, html=html, html_version=rendering.VERSION
            )
            Conversation.objects.filter(pk=running.begun.conversation.pk).update(active_at=now)
    return bool(ended)


def _moment(epoch: float | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, tz=timezone.get_current_timezone())
