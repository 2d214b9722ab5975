"""An answer that its owner has had already: the same first question, asked again a moment later, need not go to Coze.

Only where `ANSWER_CACHE_SECONDS` says so. What is looked for is a turn of this very owner's, found through the owner:
there is no store beside the rows that could mix up whose answer it is.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from conversations.models import Message, Turn
from conversations.turns.running import RunningTurn
from cozechat import counters, database

# A long answer is shown piece by piece (characters), with everybody else's turn between them.
_PIECE = 2_000


@dataclass(frozen=True, slots=True)
class Earlier:
    """The text of an answer, and where in it Coze began another message."""

    content: str
    breaks: list[int]


async def recall(running: RunningTurn) -> bool:
    """Give the owner's own earlier answer, if there is one; False: Coze has to be asked."""
    # A run does something: it is never taken for done.
    if not settings.ANSWER_CACHE_SECONDS or running.begun.is_free or running.assistant.is_run:
        return False
    earlier = await database.run(find, running)
    if earlier is None:
        return False
    counters.add("answer_cache_hits")
    running.cached = True
    await _tell(running, earlier)
    return True


def find(running: RunningTurn) -> Earlier | None:
    """The newest answer to the same question that may stand for this one's."""
    begun = running.begun
    if Message.objects.filter(conversation=begun.conversation, pk__lt=begun.question.pk).exists():
        # What was said before belongs to the question, and is never quite the same.
        return None
    if begun.question.attachments.exists():
        return None
    for answer in _answers(begun.question, owner_id=begun.owner.pk)[:5]:
        turn = answer.turn
        if turn and turn.parameters == begun.turn.parameters:
            return Earlier(answer.content, list(answer.breaks))
    counters.add("answer_cache_misses")
    return None


def _answers(question: Message, *, owner_id: int) -> Any:
    """Whole answers of this owner's, of the same assistant, to the same first question; newest first."""
    since = timezone.now() - timedelta(seconds=settings.ANSWER_CACHE_SECONDS)
    same = Message.objects.filter(
        turn=OuterRef("turn"),
        role=Message.Role.USER,
        content=question.content,
        conversation__owner_id=owner_id,
        attachments=None,
    )
    before = Message.objects.filter(conversation=OuterRef("conversation"), pk__lt=OuterRef("pk")).exclude(
        turn=OuterRef("turn")
    )
    turns = Turn.objects.kept().filter(owner_id=owner_id, status=Turn.Status.COMPLETED, ended_at__gte=since)
    answers = Message.objects.filter(
        role=Message.Role.ASSISTANT,
        turn__in=turns.filter(cached=False, steps=None),
        conversation__owner_id=owner_id,
        conversation__deleted_at=None,
        conversation__assistant_id=question.conversation.assistant_id,
    )
    return (
        answers.filter(Exists(same), ~Exists(before))
        .exclude(content="")
        .select_related("turn")
        .order_by("-pk")
    )


async def _tell(running: RunningTurn, earlier: Earlier) -> None:
    starts = [0, *earlier.breaks]
    for start, end in zip(starts, [*earlier.breaks, len(earlier.content)], strict=True):
        if start:
            running.live.part()
        for at in range(start, end, _PIECE):
            if running.stopped:
                return
            running.live.append(earlier.content[at : min(at + _PIECE, end)])
            running.live.flush()
            await asyncio.sleep(0)
