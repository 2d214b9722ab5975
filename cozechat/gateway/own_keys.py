"""What owners do with their own keys: make, change, switch off, rotate and revoke them.

Each act is one short transaction. Those that could make one key too many lock their owner first, so that the bound holds
for forms that arrive at once, and a form that is sent twice makes one key.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.models import User
from cozechat.audit.models import Verb
from cozechat.gateway import keys
from cozechat.gateway.models import ApiKey

# Of keys that have not ended, for each owner.
MOST = 50
# What owners may always change, also of a key whose limits are staff's.
ALWAYS_OWN = frozenset({"name"})


class TooManyKeys(Exception):
    """The owner has as many keys as one may have."""


class MadeBefore(Exception):
    """This form has made its key already, and the answer showed it."""


class NotAllowed(Exception):
    """The key is in no state for this, or it is for staff to do."""


def own(owner: User, key_id: int) -> ApiKey:
    """The owner's key of that number. Raises ApiKey.DoesNotExist, alike for nobody's and for somebody else's."""
    return ApiKey.objects.owned_by(owner).told_of_successors().get(pk=key_id)


def create(owner: User, *, ticket: uuid.UUID, now: datetime, **limits: Any) -> tuple[ApiKey, str]:
    """A new key and its secret. Raises MadeBefore, TooManyKeys, ValidationError."""
    with transaction.atomic():
        _lock(owner)
        _refuse_second(owner, ticket=ticket)
        _refuse_one_too_many(owner, now=now)
        return keys.create(owner, ticket=ticket, **limits)


def rotate(
    owner: User, key_id: int, *, ticket: uuid.UUID, grace: timedelta, now: datetime
) -> tuple[ApiKey, str]:
    """A successor and its secret. Raises MadeBefore, NotAllowed, TooManyKeys, ApiKey.DoesNotExist."""
    with transaction.atomic():
        _lock(owner)
        key = own(owner, key_id)
        _refuse_second(owner, ticket=ticket)
        if not can_rotate(key, now=now):
            raise NotAllowed
        _refuse_one_too_many(owner, now=now)
        return keys.rotate(key, now=now, grace=grace, ticket=ticket)


def change(owner: User, key_id: int, *, now: datetime, **limits: Any) -> None:
    """Other limits or another name, and nothing else of the row.

    Raises NotAllowed, TooManyKeys if a key would rise from the dead beyond the bound, ApiKey.DoesNotExist.
    """
    with transaction.atomic():
        _lock(owner)
        key = own(owner, key_id)
        if not can_change(key) or (key.is_privileged and not ALWAYS_OWN.issuperset(limits)):
            raise NotAllowed
        had_expired = key.has_expired(now=now)
        for name, value in limits.items():
            setattr(key, name, value)
        if had_expired and not key.has_expired(now=now):
            _refuse_one_too_many(owner, now=now)
        key.save(update_fields=limits)
        keys.record_change(Verb.KEY_CHANGED, key)


def can_change(key: ApiKey) -> bool:
    """Whether a key from `own` is still its owner's to change: neither revoked nor on its way out."""
    return key.is_active and not key.is_replaced


def can_rotate(key: ApiKey, *, now: datetime) -> bool:
    """Whether a key from `own` opens something that a successor could go on with."""
    return not key.has_ended(now=now) and not key.is_replaced


def switch(owner: User, key_id: int, *, off: bool) -> None:
    """Off, and on again, until it is revoked. Raises NotAllowed, ApiKey.DoesNotExist."""
    _update(owner, key_id, Verb.KEY_CHANGED, is_paused=off)


def revoke(owner: User, key_id: int) -> None:
    """It opens nothing from now on; calls that run are finished and charged. Raises as `switch` does."""
    _update(owner, key_id, Verb.KEY_REVOKED, is_active=False)


def _update(owner: User, key_id: int, verb: Verb, /, **values: bool) -> None:
    rows = ApiKey.objects.owned_by(owner).filter(pk=key_id)
    with transaction.atomic():
        changed = rows.filter(is_active=True).update(**values)
        key = rows.get()
        if not changed:
            raise NotAllowed
        keys.record_change(verb, key)


def _lock(owner: User) -> None:
    """Whoever else wants to change the number of this owner's keys waits; SQLite has one writer anyway."""
    User.objects.select_for_update(no_key=True).values_list("pk").get(pk=owner.pk)


def _refuse_second(owner: User, *, ticket: uuid.UUID) -> None:
    if ApiKey.objects.owned_by(owner).filter(ticket=ticket).exists():
        raise MadeBefore


def _refuse_one_too_many(owner: User, *, now: datetime) -> None:
    if ApiKey.objects.owned_by(owner).standing(now=now).count() >= MOST:
        raise TooManyKeys
