"""API keys: made once, shown once, recognised by their digest."""

import hashlib
import secrets
import uuid
from copy import copy
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.base import ModelState
from django.http import HttpRequest

from cozechat.audit.models import Verb
from cozechat.audit.recording import record
from cozechat.gateway.errors import NO_RETRY, Refusal, invalid_key
from cozechat.gateway.models import ApiKey
from cozechat.usage.models import Account

PREFIX = "sk-cc-"
# How long programs have to learn the successor of a key.
GRACE = timedelta(days=1)
# `last_used_at` is for people: no call waits for a write that only moves it by seconds.
_USED_EVERY = timedelta(seconds=60)


class Elsewhere(Refusal):
    """A key that is used from an address where it may not be."""

    def __init__(self, key: ApiKey) -> None:
        message = "This key may not be used from this address."
        super().__init__(403, "ip_not_allowed", message, headers=NO_RETRY)
        self.key = key


def digest(secret: str) -> str:
    """What is stored of a key. 240 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def give_secret(key: ApiKey) -> str:
    """Draw a secret for a key that has none; this once it is known."""
    secret = PREFIX + secrets.token_hex(30)
    key.digest, key.hint = digest(secret), f"{secret[:10]}…{secret[-4:]}"
    return secret


def create(owner: Any, *, name: str, **settings_of_key: Any) -> tuple[ApiKey, str]:
    """A new key and its secret. Raises ValidationError."""
    key = ApiKey(owner=owner, name=name, **settings_of_key)
    secret = give_secret(key)
    key.full_clean(exclude=["owner"])
    with transaction.atomic():
        key.save()
        open_account(key)
        record_change(Verb.KEY_MADE, key)
    return key, secret


def record_change(verb: Verb, key: ApiKey) -> None:
    """Into the audit trail, in the transaction of the change; a key's name is its owner's own affair."""
    record(verb, subject_id=key.owner_id, kind="gateway.apikey", object_id=str(key.pk))


def open_account(key: ApiKey) -> None:
    """Who owns a key has a balance, so that somebody can put something on it."""
    Account.objects.of(key.owner_id)


def rotate(
    key: ApiKey, *, now: datetime, grace: timedelta = GRACE, ticket: uuid.UUID | None = None
) -> tuple[ApiKey, str]:
    """A successor with all of the key's settings and its end users' sessions; the old one works a while longer."""
    until = now + grace
    successor = copy(key)
    successor.pk, successor.last_used_at, successor._state = None, None, ModelState()
    successor.ticket = ticket
    secret = give_secret(successor)
    with transaction.atomic():
        if key.expires_at is None or key.expires_at > until:
            ApiKey.objects.filter(pk=key.pk).update(expires_at=until)
        successor.save(force_insert=True)
        record_change(Verb.KEY_ROTATED, key)
    return successor, secret


def authenticate(authorization: str, *, address: str, now: datetime) -> ApiKey:
    """The key in an Authorization header. Raises Refusal."""
    scheme, _space, secret = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise invalid_key()
    try:
        # Not `first`, which has the database sort the one row there is.
        key = ApiKey.objects.get(digest=digest(secret.strip()), owner__is_active=True)
    except ApiKey.DoesNotExist:
        raise invalid_key() from None
    if key.has_ended(now=now):
        raise invalid_key()
    if not key.admits(address):
        raise Elsewhere(key)
    if key.last_used_at is None or key.last_used_at < now - _USED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


def address_of(request: HttpRequest) -> str:
    """Where the request comes from: what the nearest proxy of ours says, if there is one."""
    proxies = int(settings.ALLAUTH_TRUSTED_PROXY_COUNT)
    parts = (part.strip() for part in request.headers.get("x-forwarded-for", "").split(","))
    forwarded = [part for part in parts if part]
    if proxies and len(forwarded) >= proxies:
        return forwarded[-proxies]
    return str(request.META.get("REMOTE_ADDR", ""))
