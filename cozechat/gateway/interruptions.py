"""Runs that have asked back: remembered for whose they are, so that nobody else can answer."""

from datetime import datetime, timedelta
from typing import Any

from cozechat.gateway.errors import Refusal, interruption_not_found
from cozechat.gateway.models import Interruption
from cozechat.gateway.requests import Resume

# Somebody may have to sleep on it.
KEPT = timedelta(days=7)


def note(refusal: Refusal, *, end_user: str, app_id: int, workflow_id: str, now: datetime) -> None:
    """Remember an interruption that a client is about to be told of; other refusals are none."""
    event_id = str(refusal.coze.get("event_id", ""))
    if not event_id or len(event_id) > 200:
        return
    facts: dict[str, Any] = {
        "workflow_id": workflow_id,
        "kind": refusal.coze["interrupt_type"],
        "execute_id": str(refusal.coze.get("execute_id", ""))[:64],
        "expires_at": now + KEPT,
    }
    Interruption.objects.update_or_create(end_user=end_user, app_id=app_id, event_id=event_id, defaults=facts)


def find(resume: Resume, *, end_user: str, app_id: int, workflow_id: str, now: datetime) -> Interruption:
    """The end user's own interruption of this workflow; somebody else's and none are the same. Raises Refusal."""
    rows = Interruption.objects.of(end_user).filter(
        app_id=app_id, workflow_id=workflow_id, event_id=resume.event_id, expires_at__gt=now
    )
    found = rows.first()
    if found is None or resume.kind not in (None, found.kind):
        raise interruption_not_found()
    return found


def forget(*, now: datetime) -> None:
    """Nobody has answered these."""
    Interruption.objects.filter(expires_at__lte=now).delete()
