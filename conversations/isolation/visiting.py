"""What the isolation check tries with visitors: another tab's pass, a member's conversation, a visit that was claimed."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from accounts import probes, visits
from accounts.models import User
from accounts.visits import Begun
from conversations.models import Conversation
from cozechat import database
from cozechat.catalog.models import Assistant, CozeApp


def register() -> None:
    """Both attempts are made here; at Coze a visitor is a session_name like any other."""
    probes.register("visitors: a tab's pass opens that tab's chats alone", attempt=_passes)
    probes.register("visitors: chats are claimed once, with their pass alone", attempt=_claims)


@contextmanager
def _people() -> Iterator[tuple[Begun, Begun, User]]:
    """Two visitors and a member; all gone afterwards, with what was theirs."""
    first, second = visits.begin(), visits.begin()
    member = User(username=f"isolation-check-member-{uuid.uuid4().hex[:12]}", is_active=False)
    member.set_unusable_password()
    member.save()
    made = [first.visitor.pk, second.visitor.pk, member.pk]
    try:
        yield first, second, member
    finally:
        for user in User.objects.filter(pk__in=made):
            user.delete()


def _forged(first: Begun, second: Begun) -> list[str]:
    """What a tab can make of two passes: one's key with the other's signature, and what is no pass at all."""
    (key, _dot, signature), (other, _dot, others) = (each.shown.partition(".") for each in (first, second))
    return [f"{key}.{others}", f"{other}.{signature}", key, f"{key}.", "", first.visitor.session_name]


def _chat(owner: User, *, app: CozeApp) -> Conversation | None:
    assistant = Assistant.objects.filter(app=app).first()
    if assistant is None:
        return None
    return Conversation.objects.create(owner=owner, assistant=assistant, title="Isolation check")


async def _passes(app: CozeApp) -> str:
    return await database.run(_try_passes, app)


def _try_passes(app: CozeApp) -> str:
    with _people() as (first, second, member):
        chats = [_chat(owner, app=app) for owner in (first.visitor, second.visitor, member)]
        for visit, own in ((first, chats[0]), (second, chats[1])):
            opened = visits.visitor_of(visit.shown)
            if opened is None and not settings.ALLOW_VISITORS:
                continue
            if opened is None or opened.pk != visit.visitor.pk:
                return f"the pass of visitor {visit.visitor.pk} opens {opened and opened.pk}"
            seen = {chat.pk for chat in Conversation.objects.owned_by(opened)}
            if seen - {own.pk if own else None}:
                return f"visitor {visit.visitor.pk} sees conversations of others"
        found = [shown for shown in _forged(first, second) if visits.visitor_of(shown) is not None]
        return f"{len(found)} forged passes open a visit" if found else ""


async def _claims(app: CozeApp) -> str:
    return await database.run(_try_claims, app)


def _try_claims(app: CozeApp) -> str:
    with _people() as (first, second, member):
        _chat(first.visitor, app=app)
        if any(visits.claim(shown, member=member) for shown in _forged(first, second)):
            return "a forged pass claims a visit"
        won = [visits.claim(first.shown, member=member) for _attempt in range(2)]
        if won != [bool(settings.ALLOW_VISITORS), False]:
            return f"two claims of one visit came to {won}"
        is_open = settings.ALLOW_VISITORS and visits.visitor_of(first.shown) is not None
        return "a claimed visit opens for its pass still" if is_open else ""
