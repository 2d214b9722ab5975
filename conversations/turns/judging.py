"""What a reader says of an answer: kept here at once, told to Coze soon after (see `verdicts`)."""

import uuid
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from conversations import frames
from conversations.models import Feedback, Message, Turn
from conversations.turns.engine import Engine, from_thread
from conversations.turns.processes.hints import QueueChanged


def judge(
    user: User,
    *,
    conversation_id: uuid.UUID,
    turn_id: uuid.UUID,
    rating: str,
    reasons: Sequence[str] = (),
    comment: str = "",
) -> Feedback | None:
    """Keep what a reader thinks of an answer ("" takes it back). None: no such answer of this user's."""
    now = timezone.now()
    with transaction.atomic():
        turn = _answered(user, conversation_id=conversation_id, turn_id=turn_id)
        if turn is None:
            return None
        can_tell = bool(turn.answer_coze_id)
        said = {"rating": rating, "reasons": list(reasons), "comment": comment, "changed_at": now}
        told = {"told_at": None if can_tell else now, "tell_at": now, "failures": 0}
        feedback, _made = Feedback.objects.update_or_create(
            turn=turn, defaults={"owner": user, **said, **told}
        )
    transaction.on_commit(lambda: _tell_tabs(feedback, conversation_id=conversation_id))
    return feedback


def _answered(user: User, *, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> Turn | None:
    turns = Turn.objects.owned_by(user).kept().filter(pk=turn_id, conversation_id=conversation_id)
    turn = turns.exclude(status__in=Turn.OPEN).first()
    answers = Message.objects.filter(turn=turn, role=Message.Role.ASSISTANT).exclude(content="")
    return turn if turn and answers.exists() else None


def _tell_tabs(feedback: Feedback, *, conversation_id: uuid.UUID) -> None:
    owner_id = feedback.owner_id
    text = frames.build(
        "turn.feedback", turn=feedback.turn_id, conversation=conversation_id, feedback=feedback.described()
    )

    def tell(engine: Engine) -> None:
        for outbox in engine.hub.followers(conversation_id, owner_id=owner_id):
            outbox.offer(text)
        engine.news.queue_changed(owner_id, conversation_id, text)
        engine.mirror.wake()

    from_thread(tell, hint=QueueChanged(owner_id, conversation_id, text))
