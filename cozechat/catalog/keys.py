"""The keys of a Coze app and how one takes over from the other: add, try, use, remove.

An app has a key in use and, for the time of a change, another one. While both are there people notice nothing of a key
that is deleted at Coze: the other one signs instead, and the app's row says so until the key in use is taken again.
"""

import hashlib
import logging

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import transaction
from django.utils import timezone

from cozechat.catalog.environment import credentials_of
from cozechat.catalog.models import CozeApp
from cozechat.coze import oauth
from cozechat.coze.calls import Limits
from cozechat.coze.client import CozeClient
from cozechat.coze.credentials import Credentials, KeyPair
from cozechat.coze.errors import CozeError

logger = logging.getLogger(__name__)

# Who tries an app out is a user of their own at Coze.
TRIAL_SESSION = "cozechat-diagnosis"
# Somebody waits for a trial; what takes longer is a finding.
TRIAL_LIMITS = Limits(connect_timeout=2.5, read_timeout=10, content_timeout=60)
_TRIAL_TTL = 60
_NO_REFUSAL = {"key_refusal": "", "key_refused_at": None}


class KeyChanged(Exception):
    """Somebody else has changed the app's keys meanwhile."""


def fingerprint(private_key: str) -> str:
    """Which key it is: SHA-256 of its public half, as `openssl rsa -pubout -outform DER | sha256sum` says."""
    try:
        key = oauth.parse_private_key(private_key)
    except (CozeError, ValueError):
        return "–"
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()


async def try_key(credentials: Credentials, key: KeyPair) -> None:
    """Buy a token with exactly this key, and throw it away. Raises CozeError."""
    client = CozeClient(credentials.with_key(key), limits=TRIAL_LIMITS)
    try:
        await client.exchange(session_name=TRIAL_SESSION, ttl=_TRIAL_TTL)
    finally:
        await client.aclose()


def key_of(app: CozeApp, *, other: bool) -> KeyPair | None:
    """The key in use or the other one, wherever they stand; None if there is none."""
    credentials = credentials_of(app)
    return credentials.other_key if other else credentials.key


def add_other(app: CozeApp, key: KeyPair) -> None:
    """Keep this pair as the next one, in the place of any other."""
    CozeApp.objects.filter(pk=app.pk).update(
        other_public_key_id=key.public_key_id, other_private_key=key.private_key, other_is_former=False
    )


def use_other(app: CozeApp, *, public_key_id: str) -> None:
    """The other key becomes the one in use, and that one the other. Raises KeyChanged if it is not `public_key_id`."""
    with transaction.atomic():
        row = CozeApp.objects.select_for_update().get(pk=app.pk)
        other = row.other_key
        if other is None or other.public_key_id != public_key_id:
            raise KeyChanged
        row.other_public_key_id, row.other_private_key = row.public_key_id, row.private_key or ""
        row.public_key_id, row.private_key = other.public_key_id, other.private_key
        row.other_is_former = True
        row.key_refusal, row.key_refused_at = "", None
        row.save()


def remove_other(app: CozeApp, *, public_key_id: str) -> bool:
    """Forget the other key; whether it was still there."""
    found = CozeApp.objects.filter(pk=app.pk, other_public_key_id=public_key_id).exclude(
        other_public_key_id=""
    )
    return found.update(other_public_key_id="", other_private_key="", other_is_former=False) == 1


def note(app: CozeApp, *, refusal: str) -> None:
    """Write down whether Coze takes the key in use; what `refusal` says stands in the admin."""
    row = CozeApp.objects.filter(pk=app.pk, public_key_id=app.public_key_id)
    if not refusal:
        row.update(**_NO_REFUSAL)
    elif row.filter(key_refused_at=None).update(key_refusal=refusal[:300], key_refused_at=timezone.now()):
        logger.warning("Coze app %s: its key in use is refused (%s); its other key is used", app.pk, refusal)
