"""Calls that are told again instead of made again: idempotency keys, retries of runs, stored responses."""

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from cozechat import database
from cozechat.gateway.answers import Answer
from cozechat.gateway.errors import NO_RETRY, Refusal, internal, retry_after
from cozechat.gateway.models import ApiKey, StoredCall
from cozechat.usage.reserving import LEASE

KEPT = timedelta(hours=24)
# A client that gives up after ten minutes asks again within a few seconds more.
_RETRIED_WITHIN = timedelta(minutes=15)
State = StoredCall.State


def digest(*parts: bytes) -> str:
    """One name for all of it."""
    sealed = hashlib.sha256()
    for part in parts:
        sealed.update(len(part).to_bytes(8, "big") + part)
    return sealed.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A call that asks to be remembered, and by what it is known again."""

    key: ApiKey
    end_user: str
    request_id: str
    model: str
    body_digest: str
    idempotency: str = ""
    is_response: bool = False
    is_background: bool = False
    is_retry: bool = False


def claim(wanted: Wanted, *, now: datetime) -> StoredCall | None:
    """Write the call down before it is made; or the one that it repeats. Raises Refusal."""
    before = _named(wanted, now=now) if wanted.idempotency else None
    if before is not None:
        return _repeated(before, wanted=wanted)
    if wanted.is_retry and not wanted.idempotency:
        before = (
            StoredCall.objects.of(wanted.key)
            .unheard()
            .filter(
                end_user=wanted.end_user, body_digest=wanted.body_digest, created_at__gt=now - _RETRIED_WITHIN
            )
            .first()
        )
        if before is not None:
            return before
    try:
        with transaction.atomic():
            _create(wanted, now=now)
    except IntegrityError:
        # Another call was quicker.
        return _repeated(_named(wanted, now=now), wanted=wanted)
    return None


def _named(wanted: Wanted, *, now: datetime) -> StoredCall | None:
    """The call of this name, also if it came with the key that this one succeeds."""
    rows = StoredCall.objects.of(wanted.key).filter(idempotency=wanted.idempotency, expires_at__gt=now)
    return rows.first()


def _create(wanted: Wanted, *, now: datetime) -> None:
    expired = StoredCall.objects.filter(api_key=wanted.key, expires_at__lte=now)
    expired.filter(idempotency=wanted.idempotency).exclude(idempotency="").delete()
    StoredCall.objects.create(
        request_id=wanted.request_id,
        api_key=wanted.key,
        end_user=wanted.end_user,
        model=wanted.model[:200],
        idempotency=wanted.idempotency,
        body_digest=wanted.body_digest,
        is_response=wanted.is_response,
        is_background=wanted.is_background,
        lease_until=now + LEASE,
        created_at=now,
        expires_at=now + KEPT,
    )


def _repeated(found: StoredCall | None, *, wanted: Wanted) -> StoredCall:
    if found is None or found.body_digest != wanted.body_digest:
        message = "This idempotency key was used for another request."
        raise Refusal(422, "idempotency_key_reused", message, kind="conflict", headers=NO_RETRY)
    if found.state == State.RUNNING:
        message = "The request with this idempotency key is still running."
        raise Refusal(409, "idempotency_in_progress", message, headers=retry_after(1))
    return found


def finish(request_id: str, *, outcome: Answer | Refusal) -> bool:
    """Keep what came of a call. False if it had been ended before."""
    is_answer = isinstance(outcome, Answer)
    running = StoredCall.objects.filter(request_id=request_id, state=State.RUNNING)
    return bool(
        running.update(
            state=State.COMPLETED if is_answer else State.FAILED, outcome=json.dumps(outcome.as_json())
        )
    )


def hear(request_id: str, *, now: datetime) -> None:
    """A client has had the end of it."""
    ended = StoredCall.objects.filter(request_id=request_id, heard_at=None).exclude(state=State.RUNNING)
    ended.update(heard_at=now)


def forget(request_id: str) -> None:
    """The call was never made: the same may be asked again."""
    StoredCall.objects.filter(request_id=request_id, state=State.RUNNING).delete()


def outcome_of(stored: StoredCall) -> Answer | Refusal | None:
    """What came of it; None while it runs."""
    if stored.state == State.RUNNING:
        return None
    if not stored.outcome:
        # Its key is gone: the text cannot be read any more.
        return internal()
    read = Answer if stored.state == State.COMPLETED else Refusal
    return read.from_json(json.loads(stored.outcome))


async def ended(stored: StoredCall, *, patience: float = 600.0) -> Answer | Refusal:
    """Wait for a call that is being made already, here or in another process."""
    seen: StoredCall | None = stored
    given_up = time.monotonic() + patience
    while seen is not None and time.monotonic() < given_up:
        outcome = outcome_of(seen)
        if outcome is not None:
            return outcome
        await asyncio.sleep(1.0)
        seen = await database.run(StoredCall.objects.filter(pk=stored.pk).first)
    message = "The request that this one repeats is still running."
    return Refusal(409, "idempotency_in_progress", message, headers=retry_after(1))
