"""Turns whose process has died: claimed by one of the others, which then ends them.

A claim is a new lease, written where the old one has run out: of many processes that try, one succeeds. Its former
owner, should it only have slept, finds the lease gone and writes nothing more.
"""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from conversations import rendering
from conversations.models import Conversation, Message, Turn
from conversations.turns import metering, saving
from conversations.turns.beginning import LEASE
from conversations.turns.ending import End, stored_end
from cozechat.coze.types import Usage
from cozechat.usage.estimating import tokens_of


@dataclass(frozen=True, slots=True)
class Orphan:
    """A turn that we have claimed; `silent_since` is when its owner last gave a sign of life."""

    id: uuid.UUID
    lease: uuid.UUID
    silent_since: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer as Coze has it; `breaks` say where its messages begin, `usage` what Coze counted, if it did."""

    content: str
    breaks: list[int]
    reasoning: str = ""
    usage: Usage | None = None


def claim(*, now: datetime | None = None, living: Collection[uuid.UUID] = ()) -> list[Orphan]:
    """Take over every turn whose lease has run out.

    `living` are those that run in this very process: it may have been too slow to renew their leases.
    """
    now = now or timezone.now()
    claimed = []
    # `ended_at` says nothing new, but makes the index of leases serve.
    lapsed = Turn.objects.orphaned(now).filter(ended_at=None).order_by()
    for turn_id, lease, until in list(lapsed.values_list("pk", "lease", "lease_until")):
        if turn_id in living:
            continue
        new = uuid.uuid4()
        turns = Turn.objects.orphaned(now).filter(pk=turn_id, lease=lease)
        if turns.update(lease=new, lease_until=timezone.now() + LEASE):
            claimed.append(Orphan(turn_id, new, (until or now) - LEASE))
    return claimed


def keep(orphan: Orphan) -> bool:
    """Renew the claim. False: somebody has ended the turn meanwhile."""
    return bool(Turn.objects.leased(orphan.lease).update(lease_until=timezone.now() + LEASE))


def release(leases: Iterable[uuid.UUID]) -> None:
    """Let others claim these turns at once."""
    now = timezone.now()
    for lease in leases:
        Turn.objects.leased(lease).update(lease_until=now)


def settle(orphan: Orphan, *, answer: Answer | None) -> End | None:
    """End a claimed turn: with the whole answer, or interrupted with the text so far. None: it had an end already."""
    message = (
        Message.objects.select_related("turn")
        .filter(turn_id=orphan.id, turn__lease=orphan.lease, role=Message.Role.ASSISTANT)
        .first()
    )
    if message is None or message.turn is None:
        return None
    seq = message.turn.seq
    if answer is not None:
        # Where what was shown and what is stored now differ, that counts as one delta more.
        seq += message.content != answer.content
        message.content, message.breaks = answer.content, answer.breaks
        message.reasoning = answer.reasoning or message.reasoning
    message.html = rendering.render(message.content, breaks=message.breaks)
    message.html_version = rendering.version()
    status = Turn.Status.INTERRUPTED if answer is None else Turn.Status.COMPLETED
    usage = answer.usage if answer else None
    saved = _save(orphan, message, status=status, seq=seq, usage=usage)
    return stored_end(orphan.id, is_news=True) if saved else None


def _save(orphan: Orphan, message: Message, *, status: Turn.Status, seq: int, usage: Usage | None) -> bool:
    now, counts = timezone.now(), saving.storable_counts(usage) if usage else {}
    with transaction.atomic():
        turns = Turn.objects.leased(orphan.lease)
        ended = turns.update(status=status, seq=seq, lease=None, lease_until=None, ended_at=now, **counts)
        if ended:
            message.save(update_fields=["content", "breaks", "html", "html_version", "reasoning"])
            Conversation.objects.filter(pk=message.conversation_id).update(active_at=now)
            metering.meter_stored(orphan.id, status=status, tokens=tokens_of(usage))
    return bool(ended)
