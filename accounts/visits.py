"""People without an account: each tab is a visitor of its own, goes when the tab does, and can be kept once."""

import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from accounts import passes
from accounts.models import User, Visit
from accounts.signals import visit_claimed
from cozechat.audit.recording import record_claim
from cozechat.catalog.environment import default_assistant, personal_token_of

# A visit is written down as living at most so often.
_RENEW_AFTER = timedelta(minutes=5)
_BATCH = 50


class Begun(NamedTuple):
    """A new visitor, and the pass that its tab keeps."""

    visitor: User
    shown: str


def _idle() -> timedelta:
    return timedelta(seconds=settings.VISIT_IDLE_SECONDS)


def are_welcome() -> bool:
    """Whether there can be visitors: where a personal access token serves, each of them would lock its one person out."""
    assistant = default_assistant() if settings.ALLOW_VISITORS else None
    return assistant is not None and not personal_token_of(assistant.app)


@transaction.atomic
def begin(*, language: str = "") -> Begun:
    """A visitor with a name at Coze of its own. Nothing about the person is known or kept."""
    shown, digest = passes.make()
    visitor = User(username=f"visitor-{secrets.token_hex(8)}", is_visitor=True, language=language)
    visitor.set_unusable_password()
    visitor.save()
    Visit.objects.create(visitor=visitor, key_digest=digest, ends_at=timezone.now() + _idle())
    return Begun(visitor, shown)


def visitor_of(shown: str) -> User | None:
    """Whose pass this is, while the visit lives; being asked keeps it alive."""
    now = timezone.now()
    visit = _living(shown, now=now)
    if visit is None or not visit.visitor.is_active or not visit.visitor.is_visitor:
        return None
    if visit.ends_at < now + _idle() - _RENEW_AFTER:
        Visit.objects.living(now).filter(pk=visit.pk).update(ends_at=now + _idle())
    return visit.visitor


def _living(shown: str, *, now: datetime) -> Visit | None:
    digest = passes.digest_of(shown) if settings.ALLOW_VISITORS else None
    if digest is None:
        return None
    return Visit.objects.living(now).filter(key_digest=digest).select_related("visitor").first()


def leave(shown: str) -> None:
    """The tab says that it closes. A reload says so as well: whoever comes back in time finds everything."""
    now = timezone.now()
    digest = passes.digest_of(shown)
    if digest is not None:
        grace = now + timedelta(seconds=settings.VISIT_GRACE_SECONDS)
        Visit.objects.living(now).filter(key_digest=digest).update(ends_at=grace)


def end(shown: str) -> bool:
    """Delete the visitor now, with all chats, here and at Coze. False: there is no such visit."""
    visit = _living(shown, now=timezone.now())
    return visit is not None and _remove(visit.pk, when=Visit.objects.living(timezone.now()))


def claim(shown: str, *, member: User) -> bool:
    """Give a visit's chats to a member: the first who shows its pass, and nobody after. False: no such visit."""
    now = timezone.now()
    visit = None if member.is_visitor else _living(shown, now=now)
    if visit is None:
        return False
    with transaction.atomic():
        won = Visit.objects.living(now).filter(pk=visit.pk).update(claimed_by=member, claimed_at=now) == 1
        if won:
            record_claim(visitor_id=visit.visitor_id, member_id=member.pk)
            visit_claimed.send(Visit, visit_id=visit.pk)
    return won


def take_over(shown: str) -> User | None:
    """The visitor's own row, for the member that signs up with it: name at Coze and chats stay as they are.

    To be called in the transaction that stores the member. The visit is gone with it; None: no such visit.
    """
    now = timezone.now()
    visit = _living(shown, now=now)
    if visit is None or not Visit.objects.living(now).filter(pk=visit.pk).delete()[0]:
        return None
    return User.objects.select_for_update().get(pk=visit.visitor_id)


def clear() -> None:
    """Remove visitors whose time is over; of several processes that try, one does each."""
    now = timezone.now()
    for pk in list(Visit.objects.over(now).order_by("ends_at").values_list("pk", flat=True)[:_BATCH]):
        _remove(pk, when=Visit.objects.over(now))


def remove(visitors: models.QuerySet[User]) -> int:
    """Those of these visitors whose time is over; returns how many went."""
    now = timezone.now()
    chosen = Visit.objects.over(now).filter(visitor__in=visitors).values_list("pk", flat=True)
    return sum(_remove(pk, when=Visit.objects.over(now)) for pk in list(chosen))


@transaction.atomic
def _remove(pk: int, *, when: models.QuerySet[Visit]) -> bool:
    visit = when.select_for_update(of=("self",)).select_related("visitor").filter(pk=pk).first()
    if visit is None:
        return False
    visit.visitor.delete()
    return True
