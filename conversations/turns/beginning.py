"""A question becomes a turn: one transaction, once for each `client_id`."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from conversations.frames import Refused, TurnStart
from conversations.models import Branch, Conversation, Cut, Message, Turn
from conversations.turns import allowances, attachments, metering, pacing, placing, pruning, wishes
from conversations.turns.metering import NotCovered
from conversations.turns.placing import Place
from cozechat import counters
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant

# How long an engine may be silent before its turns are taken from it.
LEASE = timedelta(seconds=15)
# How many questions may wait in one conversation.
QUEUE = 10
# When to try again where a user's answers run already, all that may (seconds).
_FULL_RETRY = 5
_TITLE_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Begun:
    """A turn in the database, with what its engine needs.

    `replayed`: it was there already. `is_held`: money was set aside for it. `is_counted`: its owner has one question
    less today. `is_free`: the site asks for itself. `refused`: it waited, and ended when its turn came, because
    nothing was left to pay for it. `is_cut`: Coze has to be told first that its owner cut the context.
    """

    turn: Turn
    conversation: Conversation
    owner: User
    question: Message
    answer: Message
    replayed: bool = False
    is_held: bool = False
    is_counted: bool = False
    is_free: bool = False
    refused: NotCovered | None = None
    is_cut: bool = False

    @property
    def line(self) -> Conversation | Branch:
        """What has a conversation at Coze: the branch, or the conversation where it is on the main line."""
        return self.turn.branch or self.conversation

    @property
    def is_queued(self) -> bool:
        """Whether it waits for the turn before it, and is not to be run yet."""
        return self.turn.status == Turn.Status.QUEUED


def begin(user: User, *, frame: TurnStart, per_day: int = 0, is_free: bool = False) -> Begun:
    """Store question and turn; the same `client_id` again finds what it made the first time.

    Where a turn runs or waits already, this one is queued if the frame allows it. Raises Refused: not_found, busy
    (it may not wait, or the queue is full), attachment (see `attachments`), rate_limited and quota (unless `is_free`:
    the site's own checks); quota also for more than `per_day` questions of today, if that is a limit. What must not
    happen twice is refused by the database, so that of many simultaneous calls one wins.
    """
    try:
        with transaction.atomic():
            attached = attachments.wanted(user, frame)
            begun = _create(user, attachments.worded(frame, attached), per_day=per_day, is_free=is_free)
            attachments.attach(begun.question, attached, conversation=begun.conversation, frame=frame)
            return begun if begun.is_queued or is_free else _with_hold(begun)
    except (IntegrityError, Refused) as error:
        known = _known(user, frame)
        if known:
            return known
        if isinstance(error, Refused):
            raise
        raise _busy(frame) from None


def _with_hold(begun: Begun) -> Begun:
    """Set aside what the answer may cost: nothing is asked without. Raises Refused (quota)."""
    turn, assistant = begun.turn, begun.conversation.assistant
    try:
        is_held = metering.reserve(
            turn, assistant=assistant, question=begun.question.content, now=timezone.now()
        )
    except NotCovered as why:
        raise allowances.refused(why, client_id=str(turn.client_id)) from None
    return replace(begun, is_held=is_held)


def _busy(frame: TurnStart) -> Refused:
    text = _("An answer is still running here. Wait for it or stop it.")
    return Refused("busy", text, client_id=str(frame.client_id))


def _known(user: User, frame: TurnStart) -> Begun | None:
    turn = (
        Turn.objects.filter(owner=user, client_id=frame.client_id)
        .select_related("owner", "conversation__assistant__app", "branch")
        .first()
    )
    return None if turn is None else begun_of(turn, replayed=True)


def begun_of(turn: Turn, *, replayed: bool = False) -> Begun:
    """A turn that is in the database already, with its messages."""
    messages = {message.role: message for message in turn.messages.prefetch_related("attachments")}
    return Begun(
        turn=turn,
        conversation=turn.conversation,
        owner=turn.owner,
        question=messages[Message.Role.USER],
        answer=messages[Message.Role.ASSISTANT],
        replayed=replayed,
        is_cut=_is_cut(turn),
    )


def _is_cut(turn: Turn) -> bool:
    cuts = Cut.objects.filter(conversation_id=turn.conversation_id, branch=turn.branch, applied_at=None)
    return cuts.exists()


def _create(user: User, frame: TurnStart, *, per_day: int, is_free: bool) -> Begun:
    now = timezone.now()
    conversation = (
        _new_conversation(user, frame, now=now) if frame.conversation is None else _conversation(user, frame)
    )
    if not (is_free or conversation.assistant.can_be_asked):
        text = _("This assistant is not available any more.")
        raise Refused("not_found", text, client_id=str(frame.client_id))
    place = Place() if frame.conversation is None else placing.place(conversation, frame)
    wish = wishes.of(
        frame, conversation=conversation, is_new=frame.conversation is None, replaced=place.replaced
    )
    if frame.conversation is None:
        conversation.title = title_from(wish.title or wish.content)
        conversation.save(force_insert=True)
    waits = frame.conversation is not None and _must_wait(conversation, frame)
    if not (waits or is_free) and is_full(user.pk):
        text = _(
            "As many of your answers are running as may at once. This question is sent when one has ended."
        )
        counters.add("limits_refused", label="at_once")
        advice = {"retry_after": _FULL_RETRY}
        raise Refused("rate_limited", text, client_id=str(frame.client_id), advice=advice)
    pacing.count_today(user.pk, frame=frame, limit=per_day)
    turn = Turn.objects.create(
        conversation=conversation,
        owner=user,
        client_id=frame.client_id,
        parameters=wish.parameters,
        answers=wish.answers,
        execute_id=wish.execute_id,
        status=Turn.Status.QUEUED if waits else Turn.Status.CREATED,
        lease=None if waits else uuid.uuid4(),
        lease_until=None if waits else now + LEASE,
        branch=place.branch,
        parent_id=place.parent_id,
        repeats=place.repeats,
        continues=place.continues,
    )
    question, answer = _write(turn, content=wish.content)
    if frame.conversation:
        _touch(conversation, place, title=wish.title or wish.content, now=now)
    return Begun(
        turn=turn,
        conversation=conversation,
        owner=user,
        question=question,
        answer=answer,
        is_counted=bool(per_day),
        is_free=is_free,
        is_cut=frame.conversation is not None and _is_cut(turn),
    )


def _write(turn: Turn, *, content: str) -> list[Message]:
    fields = {"conversation": turn.conversation, "branch": turn.branch, "turn": turn}
    texts = ((Message.Role.USER, content), (Message.Role.ASSISTANT, ""))
    return Message.objects.bulk_create([Message(**fields, role=role, content=text) for role, text in texts])


def _touch(conversation: Conversation, place: Place, *, title: str, now: datetime) -> None:
    """Something was asked here: a branch that was made for it is shown from now on."""
    if place.replaced is not None:
        placing.show(conversation, place.branch, now=now)
    conversation.title = conversation.title or title_from(title)
    conversation.active_at = conversation.asked_at = now
    conversation.save(update_fields=["title", "active_at", "asked_at", "branch", "main_shown_at", "revision"])


def is_full(owner_id: int) -> bool:
    """Whether as many answers of this user run as may.

    Nothing is locked for that: what begins at the same moment in other threads may come on top.
    """
    return Turn.objects.running_of(owner_id).count() >= settings.TURNS_AT_ONCE


def _must_wait(conversation: Conversation, frame: TurnStart) -> bool:
    """Whether something runs or waits here; its row is locked, so nobody else begins or queues meanwhile."""
    states = list(conversation.turns.filter(status__in=Turn.OPEN).order_by().values_list("status", flat=True))
    if not states:
        return False
    if frame.replaces or not frame.queue:
        raise _busy(frame)
    if states.count(Turn.Status.QUEUED) >= QUEUE:
        text = _("%(count)d questions are waiting here already. Send this one later.") % {"count": QUEUE}
        raise Refused("busy", text, client_id=str(frame.client_id))
    return True


def _new_conversation(user: User, frame: TurnStart, *, now: datetime) -> Conversation:
    return Conversation(owner=user, assistant=_assistant(frame), active_at=now, asked_at=now)


def _conversation(user: User, frame: TurnStart) -> Conversation:
    # Locked, so that a deletion and a question take turns.
    conversation = (
        Conversation.objects.select_for_update(of=("self",))
        .owned_by(user)
        .select_related("assistant__app", "branch")
        .filter(pk=str(frame.conversation))
        .first()
    )
    if conversation is None:
        raise Refused("not_found", _("This conversation does not exist."), client_id=str(frame.client_id))
    pruning.settle(conversation)
    return conversation


def _assistant(frame: TurnStart) -> Assistant:
    default = default_assistant() or Assistant.objects.offered().first()
    chosen = (
        default if frame.assistant is None else Assistant.objects.offered().filter(pk=frame.assistant).first()
    )
    if chosen is None:
        raise Refused("not_found", _("This assistant is not available."), client_id=str(frame.client_id))
    return chosen


def title_from(question: str) -> str:
    """A title for a new conversation: the beginning of its first question."""
    line = " ".join(question.split())
    return line if len(line) <= _TITLE_CHARACTERS else line[: _TITLE_CHARACTERS - 1].rstrip() + "…"
