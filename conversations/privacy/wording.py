"""The trail in plain words, for whose data it is about."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from conversations.models import Conversation
from cozechat.audit.models import AuditEvent, Verb

_CONVERSATION = "conversations.conversation"

_OWN: dict[str, Promise] = {
    Verb.SIGNED_UP: gettext_lazy("You joined"),
    Verb.SIGNED_IN: gettext_lazy("You signed in"),
    Verb.SIGNED_OUT: gettext_lazy("You signed out"),
    Verb.SIGN_IN_FAILED: gettext_lazy("Somebody tried to sign in with a wrong password"),
    Verb.PASSWORD_CHANGED: gettext_lazy("Your password was changed"),
    Verb.EMAIL_CHANGED: gettext_lazy("Your email addresses were changed"),
    Verb.FACTOR_ADDED: gettext_lazy("Two-step sign-in was set up"),
    Verb.FACTOR_REMOVED: gettext_lazy("Two-step sign-in was switched off"),
    Verb.KEY_MADE: gettext_lazy("An API key was made"),
    Verb.KEY_ROTATED: gettext_lazy("An API key was rotated"),
    Verb.KEY_CHANGED: gettext_lazy("An API key was changed"),
    Verb.KEY_REVOKED: gettext_lazy("An API key was revoked"),
    Verb.RENAMED: gettext_lazy("You renamed a conversation"),
    Verb.EXPORTED: gettext_lazy("You exported a conversation"),
    Verb.DELETED: gettext_lazy("You deleted a conversation"),
    Verb.CLAIMED: gettext_lazy("What you said as a visitor became yours"),
    Verb.SHARED: gettext_lazy("You shared a conversation"),
    Verb.UNSHARED: gettext_lazy("You ended sharing a conversation"),
}
_STAFF: dict[str, Promise] = {
    Verb.LISTED: gettext_lazy("%(who)s saw a list: %(what)s"),
    Verb.SEARCHED: gettext_lazy("%(who)s searched: %(what)s"),
    Verb.OPENED: gettext_lazy("%(who)s opened: %(what)s"),
    Verb.MADE: gettext_lazy("%(who)s added: %(what)s"),
    Verb.CHANGED: gettext_lazy("%(who)s changed: %(what)s"),
    Verb.DELETED: gettext_lazy("%(who)s deleted: %(what)s"),
    Verb.EXPORTED: gettext_lazy("%(who)s exported: %(what)s"),
    Verb.SEEING_BEGAN: gettext_lazy("%(who)s began to see the site as you, for support"),
    Verb.SEEING_ENDED: gettext_lazy("%(who)s stopped seeing the site as you"),
}
_EXPORTED_ALL = gettext_lazy("You took all your data with you")
_OTHERWISE = gettext_lazy("%(who)s did something with: %(what)s")
_WARNED_OF = frozenset({Verb.SIGN_IN_FAILED})
_TOLD_MORE = frozenset({Verb.MADE, Verb.CHANGED, Verb.ACTED})


@dataclass(frozen=True, slots=True)
class Line:
    """One event as the page shows it."""

    iso: str
    time: str
    text: str
    # What was changed, or which action it was.
    detail: str
    reason: str
    where: str
    is_staff_act: bool
    is_warning: bool
    # The conversation's page, if it is still there.
    href: str


def names_of(events: Iterable[AuditEvent]) -> dict[int, str]:
    """Who acted, by number; the deleted are missing."""
    numbers = {event.actor_id for event in events if event.actor_id is not None}
    return dict(User.objects.filter(pk__in=numbers).values_list("pk", "username"))


def lines_of(events: list[AuditEvent], *, user: User) -> list[Line]:
    """The events about this user, in words."""
    names = names_of(events)
    ids = {event.object_id for event in events if event.kind == _CONVERSATION}
    mine = Conversation.objects.owned_by(user).filter(pk__in=[each for each in ids if _is_uuid(each)])
    there = {str(pk) for pk in mine.values_list("pk", flat=True)}
    return [_line(event, names=names, there=there) for event in events]


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4


def _line(event: AuditEvent, *, names: dict[int, str], there: set[str]) -> Line:
    at = timezone.localtime(event.created_at)
    where = "" if event.is_staff_act else " · ".join(filter(None, (event.agent, event.address)))
    return Line(
        iso=event.created_at.isoformat(),
        time=date_format(at, "Y-m-d H:i"),
        text=_sentence(event, names=names),
        detail=_detail(event) if event.is_staff_act else "",
        reason=event.reason,
        where=where,
        is_staff_act=event.is_staff_act,
        is_warning=event.verb in _WARNED_OF,
        href=f"/c/{event.object_id}/" if event.object_id in there else "",
    )


def _sentence(event: AuditEvent, *, names: dict[int, str]) -> str:
    if not event.is_staff_act:
        if event.verb == Verb.EXPORTED and event.kind != _CONVERSATION:
            return str(_EXPORTED_ALL)
        return str(_OWN.get(event.verb) or event.get_verb_display())
    name = names.get(event.actor_id or 0)
    who = _("Administrator %(name)s") % {"name": name} if name else _("A former administrator")
    return str(_STAFF.get(event.verb, _OTHERWISE)) % {"who": who, "what": _what(event)}


def _what(event: AuditEvent) -> str:
    if event.kind == _CONVERSATION:
        return (
            _("your conversations")
            if event.verb in {Verb.LISTED, Verb.SEARCHED}
            else _("one of your conversations")
        )
    if event.kind == "accounts.user":
        return _("your account")
    try:
        model: Any = apps.get_model(event.kind)
    except (LookupError, ValueError):
        return event.kind
    return str(model._meta.verbose_name)


def _detail(event: AuditEvent) -> str:
    """Which fields or action; which of the admin's pages somebody looked at says nothing to who does not know them."""
    return event.detail if event.verb in _TOLD_MORE else ""
