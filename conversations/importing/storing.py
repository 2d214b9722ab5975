"""A saved conversation becomes rows again: with new ids, of this owner, without anything of Coze's."""

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from conversations.importing.reading import Said, Saved
from conversations.models import Conversation, Message, Step, Turn
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant

_AT_ONCE = 500


class NoAssistant(Exception):
    """There is nobody who could go on with a conversation."""


@transaction.atomic
def store(user: User, saved: Saved) -> Conversation:
    """The conversation, as its owner would have had it. Raises NoAssistant.

    With its first question Coze gets a new conversation and is told what was said (`turns.counterparts`). A run's id
    at Coze is never taken from a file: it would let anybody look up a run that is not theirs.
    """
    now = timezone.now()
    conversation = Conversation.objects.create(
        owner=user,
        assistant=_assistant(saved),
        title=saved.title,
        title_is_manual=bool(saved.title),
        active_at=min(saved.active_at, now),
        asked_at=min(saved.asked_at, now),
        is_pinned=saved.is_pinned,
        is_archived=saved.is_archived,
        is_unread=saved.is_unread,
    )
    Conversation.objects.filter(pk=conversation.pk).update(created_at=min(saved.created_at, now))
    turns = _turns(saved, conversation, now=now)
    messages = [
        Message(
            conversation=conversation,
            turn=turns.get(said.turn or ""),
            coze_message_id="" if said.turn else f"imported:{uuid.uuid4()}",
            role=said.role,
            content=said.content,
            reasoning=said.reasoning,
            reasoning_seconds=said.reasoning_seconds,
        )
        for said in saved.messages
    ]
    made = Message.objects.bulk_create(messages, batch_size=_AT_ONCE)
    for message, said in zip(made, saved.messages, strict=True):
        message.created_at = min(said.created_at, now)
    Message.objects.bulk_update(made, ["created_at"], batch_size=_AT_ONCE)
    return conversation


def _assistant(saved: Saved) -> Assistant:
    """The same one if it is still offered, else whoever is asked by default."""
    pk, name = saved.assistant["id"], saved.assistant["name"]
    offered = Assistant.objects.offered()
    if pk.isascii() and pk.isdigit() and len(pk) < 18:
        same = offered.filter(pk=int(pk), name=name).first()
        if same is not None:
            return same
    found = offered.filter(name=name).first() or default_assistant()
    if found is None:
        raise NoAssistant
    return found


def _turns(saved: Saved, conversation: Conversation, *, now: datetime) -> dict[str, Turn]:
    turns: dict[str, Turn] = {}
    steps: list[Step] = []
    for said in saved.messages:
        if said.turn is None:
            continue
        if said.turn not in turns:
            before = next(reversed(turns.values()), None)
            turns[said.turn] = _turn(conversation, before=before, asked_at=min(said.created_at, now))
        turn = turns[said.turn]
        if said.role == Message.Role.USER:
            turn.parameters = said.parameters
        else:
            _take_end(turn, said)
            steps += [Step(turn=turn, **step) for step in said.steps]
    asked = {turn.pk: turn.created_at for turn in turns.values()}
    made = Turn.objects.bulk_create(turns.values(), batch_size=_AT_ONCE)
    for turn in made:
        turn.created_at = asked[turn.pk]
    Turn.objects.bulk_update(made, ["created_at"], batch_size=_AT_ONCE)
    Step.objects.bulk_create(steps, batch_size=_AT_ONCE)
    return turns


def _turn(conversation: Conversation, *, before: Turn | None, asked_at: datetime) -> Turn:
    return Turn(
        conversation=conversation,
        owner_id=conversation.owner_id,
        client_id=uuid.uuid4(),
        parent=before,
        status=Turn.Status.COMPLETED,
        created_at=asked_at,
        ended_at=asked_at,
        # What was asked elsewhere is none of this site's figures.
        summed=True,
    )


def _take_end(turn: Turn, said: Said) -> None:
    turn.status = said.status
    turn.cached, turn.log_id, turn.suggestions = said.is_cached, said.log_id, list(said.suggestions)
    turn.ended_at = turn.created_at + timedelta(seconds=said.seconds)
    if said.status == Turn.Status.FAILED:
        turn.error_code = said.error_code
    for name, tokens in said.usage.items():
        setattr(turn, name, tokens)
