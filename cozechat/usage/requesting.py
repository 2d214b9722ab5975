"""Asking for credits: one open request a user, decided once."""

from datetime import datetime
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction

from cozechat.usage import crediting
from cozechat.usage.models import TopUpRequest
from cozechat.usage.money import LARGEST_CREDIT, Nano, UnfitAmount

State = TopUpRequest.State


class AlreadyOpen(Exception):
    """The user's last request waits for an answer."""


def ask(user_id: int, *, amount: Nano, note: str, now: datetime) -> TopUpRequest:
    """Store a request for staff to see. Raises AlreadyOpen."""
    if not 0 < amount <= LARGEST_CREDIT:
        raise UnfitAmount(amount)
    try:
        with transaction.atomic():
            return TopUpRequest.objects.create(
                owner_id=user_id, amount=amount, note=note[:300], created_at=now
            )
    except IntegrityError as error:
        if TopUpRequest.objects.open().filter(owner_id=user_id).exists():
            raise AlreadyOpen from error
        raise


def withdraw(request: TopUpRequest, *, now: datetime) -> bool:
    """Take it back; False if it was decided meanwhile."""
    return _decide(request, to=State.WITHDRAWN, now=now)


def refuse(request: TopUpRequest, *, answer: str, actor: Any, now: datetime) -> bool:
    """Turn it down, with a word for the user; False if it was decided meanwhile."""
    return _decide(request, to=State.REFUSED, now=now, answer=answer[:300], **_by(actor))


def grant(request: TopUpRequest, *, answer: str, actor: Any, now: datetime) -> bool:
    """Book what was asked for, in the transaction that decides; False if it was decided meanwhile."""
    if request.owner_id is None:
        return False
    claim = partial(_decide, request, to=State.GRANTED, now=now, answer=answer[:300], **_by(actor))
    return crediting.top_up(
        request.owner_id, amount=request.amount, ref=request.ref, now=now, actor=actor, claim=claim
    )


def _decide(request: TopUpRequest, *, to: State, now: datetime, **why: Any) -> bool:
    return TopUpRequest.objects.filter(pk=request.pk).decide(to=to, now=now, **why)


def _by(actor: Any) -> dict[str, Any]:
    return {"actor_id": actor.pk, "actor_name": actor.get_username()}
