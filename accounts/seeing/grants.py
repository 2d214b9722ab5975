"""The right to see the site as one user for half an hour: who may have it, and where it stands.

It stands in the superuser's own session, which is kept on the server. So nothing that a browser sends makes one; and
whoever the session signs in must be a superuser with every single request, so one that is forged, kept or inherited
opens nothing to anybody else.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction

from accounts.models import User
from accounts.signals import login_ended
from cozechat.audit.models import Verb
from cozechat.audit.recording import record

LASTS = timedelta(minutes=30)
_KEY = "seeing_as"


class Grant(NamedTuple):
    """Who sees as whom, and until when (seconds since the epoch)."""

    by: int
    subject: int
    until: float


def may_see(actor: Any, *, subject: User) -> bool:
    """Superusers see as members and visitors; nobody sees as staff."""
    return (
        settings.ALLOW_IMPERSONATION
        and isinstance(actor, User)
        and actor.is_active
        and actor.is_superuser
        and subject.is_active
        and not subject.is_staff
        and not subject.is_superuser
        and subject.end_user_of_id is None
        and subject.pk != actor.pk
    )


def begin(session: SessionBase, *, actor: User, subject: User, reason: str, now: datetime) -> None:
    """Write the grant, and the reason into the trail. The superuser's open sockets end: this log-in opens none now."""
    with transaction.atomic():
        _record(Verb.SEEING_BEGAN, actor_id=actor.pk, subject_id=subject.pk, reason=reason)
        session[_KEY] = Grant(actor.pk, subject.pk, (now + LASTS).timestamp())
        session.save()
    login_ended.send_robust(User, user_id=actor.pk, session_key=session.session_key)


def end(session: SessionBase, *, detail: str = "") -> Grant | None:
    """Take the grant back, if there is one."""
    grant = _read(session.pop(_KEY, None))
    if grant is not None:
        _record(Verb.SEEING_ENDED, actor_id=grant.by, subject_id=grant.subject, detail=detail)
    return grant


def subject_seen(session: SessionBase, *, actor: Any, now: datetime) -> User | None:
    """As whom this request sees the site; a grant that is over, or not this superuser's, is taken back."""
    grant = _read(session.get(_KEY))
    if grant is None:
        if _KEY in session:
            del session[_KEY]
        return None
    subject = User.objects.filter(pk=grant.subject).first()
    if grant.by == actor.pk and now.timestamp() < grant.until and subject and may_see(actor, subject=subject):
        return subject
    end(session, detail="time" if now.timestamp() >= grant.until else "void")
    return None


def is_on(session: SessionBase, *, now: datetime) -> bool:
    """Whether a log-in is used to see as somebody now: then it opens no socket."""
    grant = _read(session.get(_KEY))
    return settings.ALLOW_IMPERSONATION and grant is not None and now.timestamp() < grant.until


def ends_at(session: SessionBase) -> float:
    """When it is over, in seconds since the epoch; 0 without a grant."""
    grant = _read(session.get(_KEY))
    return grant.until if grant else 0.0


def _read(stored: Any) -> Grant | None:
    if not isinstance(stored, list | tuple) or len(stored) != 3:
        return None
    by, subject, until = stored
    fits = isinstance(by, int) and isinstance(subject, int) and isinstance(until, int | float)
    return Grant(by, subject, float(until)) if fits else None


def _record(verb: Verb, *, actor_id: int, subject_id: int, reason: str = "", detail: str = "") -> None:
    named = {"kind": "accounts.user", "object_id": str(subject_id), "is_staff_act": True}
    record(verb, subject_id=subject_id, actor_id=actor_id, reason=reason, detail=detail, **named)
