"""The queue of a conversation in the database: who is next, what waits, and what its owner changes about that.

Every change names the status that it expects, in one statement on the turn's own row; that one turn of a
conversation runs at most is a unique constraint. So of many processes that try the same thing one succeeds.
"""

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from conversations.frames import Refused
from conversations.models import Attachment, Conversation, Message, Turn, TurnDay
from conversations.turns import failures, metering, wishes
from conversations.turns.beginning import LEASE, Begun, begun_of, is_full
from conversations.turns.metering import NotCovered
from conversations.turns.reading import describe_question

# What a conversation's queue may take of one `conversation.state` (bytes).
_STATE_BYTES = 16 * 1024
# Conversations whose next turn is begun at one look of the chore.
_BATCH = 200


def begin_next(conversation_id: uuid.UUID) -> Begun | None:
    """Begin the oldest queued turn, if nothing runs in its conversation; None when there is nothing to begin.

    One that nothing is left to pay for has ended instead: `refused` says why. The questions of a deactivated
    account wait, and those of an owner of whom as many answers run as may, or whose other calls hold the money.
    """
    waiting = _waiting().filter(conversation_id=conversation_id, turn__owner__is_active=True)
    first = waiting.values_list("turn_id", "turn__owner_id").first()
    if first is None or is_full(first[1]):
        return None
    turn_id = first[0]
    now = timezone.now()
    running = Turn.objects.running().filter(conversation=OuterRef("conversation"))
    try:
        with transaction.atomic():
            claimed = Turn.objects.queued().filter(~Exists(running), pk=turn_id)
            # Read in the transaction of the claim: nobody edits what is no longer queued.
            if not claimed.update(status=Turn.Status.CREATED, lease=uuid.uuid4(), lease_until=now + LEASE):
                return None
            begun = look_up(turn_id)
            if begun:
                wishes.link(begun.turn, conversation=begun.conversation)
            begun = begun and _with_hold(begun, now=now)
    except (IntegrityError, _MoneyHeld):
        return None
    if begun and begun.refused:
        _touch(turn_id)
    return begun


class _MoneyHeld(Exception):
    """What would pay for a question may come back: it is only set aside for the owner's other calls."""


def _with_hold(begun: Begun, *, now: datetime) -> Begun:
    """Raises _MoneyHeld."""
    turn, assistant = begun.turn, begun.conversation.assistant
    # Looked at first: a hold that ends in between must not leave the question without money and without hope.
    may_come_back = metering.is_holding(turn.owner_id)
    try:
        is_held = metering.reserve(turn, assistant=assistant, question=begun.question.content, now=now)
    except NotCovered as why:
        if may_come_back:
            raise _MoneyHeld from None
        Turn.objects.filter(pk=turn.pk).update(
            status=Turn.Status.FAILED,
            error_code=failures.NOT_COVERED,
            lease=None,
            lease_until=None,
            ended_at=now,
        )
        return replace(begun, refused=why)
    return replace(begun, is_held=is_held)


def _touch(turn_id: uuid.UUID) -> None:
    """Other processes look for ends only where something has happened a moment ago.

    (By itself: a deletion locks the conversation first and its turns after.)
    """
    Conversation.objects.filter(turns=turn_id).update(active_at=timezone.now())


def _waiting() -> Any:
    """The queued questions, oldest first: their numbers were given under the lock of their conversation."""
    questions = Message.objects.filter(role=Message.Role.USER, turn__status=Turn.Status.QUEUED)
    # In one that is deleted nothing begins, not even while that may be taken back.
    return questions.filter(conversation__deleted_at=None).order_by("pk")


def look_up(turn_id: uuid.UUID, *, is_held: bool = False) -> Begun | None:
    """A turn with all that belongs to it; None when it is gone."""
    rows = Turn.objects.filter(pk=turn_id).select_related(
        "owner", "answers", "conversation__assistant__app", "branch"
    )
    turn = rows.first()
    return None if turn is None else replace(begun_of(turn), is_held=is_held)


def give_back(begun: Begun) -> None:
    """Queue a turn again that was begun a moment ago and was not asked."""
    turns = Turn.objects.filter(pk=begun.turn.pk, lease=begun.turn.lease, status=Turn.Status.CREATED)
    with transaction.atomic():
        if turns.update(status=Turn.Status.QUEUED, lease=None, lease_until=None) and begun.is_held:
            metering.undo(begun.turn)


def idle() -> list[tuple[uuid.UUID, int]]:
    """Conversations in which a question waits and nothing runs, with their owners; without owners who are full."""
    running = Turn.objects.running().filter(conversation=OuterRef("conversation"))
    all_running = Turn.objects.running().filter(ended_at=None, lease_until__isnull=False).order_by()
    full = (
        all_running.values("owner_id").annotate(count=Count("pk")).filter(count__gte=settings.TURNS_AT_ONCE)
    )
    turns = Turn.objects.queued().filter(~Exists(running), owner__is_active=True).order_by()
    turns = turns.filter(conversation__deleted_at=None)
    turns = turns.exclude(owner_id__in=full.values("owner_id"))
    return list(turns.values_list("conversation_id", "owner_id").distinct()[:_BATCH])


def queued_in(conversation: Conversation) -> list[dict[str, Any]]:
    """What waits, oldest first: `{turn, client_id, question}` each."""
    questions = list(
        _waiting().filter(conversation=conversation).select_related("turn").prefetch_related("attachments")
    )
    room = _STATE_BYTES // max(len(questions), 1)
    return [
        {
            "turn": str(question.turn_id),
            "client_id": str(question.turn.client_id),
            "question": describe_question(question, room=room),
            **({"form": True} if question.turn.parameters else {}),
        }
        for question in questions
    ]


def edit(user: User, *, turn_id: uuid.UUID, content: str) -> bool:
    """Change a queued question. False: it is not queued any more (or never was this user's)."""
    with transaction.atomic():
        # Locked, so that it does not begin between this look and the change.
        turns = Turn.objects.queued().select_for_update().filter(pk=turn_id, owner_id=user.pk)
        turn = turns.first()
        if turn is None:
            return False
        if turn.parameters:
            raise Refused(
                "bad_frame",
                _("This was filled in as a form: remove it and send the form again."),
                turn=turn_id,
            )
        Message.objects.filter(turn_id=turn_id, role=Message.Role.USER).update(content=content)
    return True


def withdraw(user: User, *, turn_id: uuid.UUID) -> bool:
    """Take a queued question back: its text goes, its row stays. False: it is not queued any more."""
    with transaction.atomic():
        around = Turn.objects.select_for_update(no_key=True).filter(Q(pk=turn_id) | Q(parent=turn_id))
        before = dict(around.order_by("pk").values_list("pk", "parent")).get(turn_id)
        withdrawn = Turn.objects.queued().filter(pk=turn_id, owner_id=user.pk).update(
            status=Turn.Status.CANCELED, withdrawn=True, parameters={}, answers=None, ended_at=timezone.now()
        )  # fmt: skip
        if withdrawn:
            Message.objects.filter(turn_id=turn_id).update(content="")
            Turn.objects.filter(parent=turn_id).update(parent=before)
            Attachment.messages.through.objects.filter(message__turn_id=turn_id).delete()
            TurnDay.objects.give_back(Turn.objects.get(pk=turn_id))
    if withdrawn:
        _touch(turn_id)
    return bool(withdrawn)
