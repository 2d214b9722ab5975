"""The table of access tokens as several processes share it: what a row offers now, and who may renew it.

Every function is one short visit to the database, made on a database thread; none of them waits for Coze.
"""

import logging
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hmac import compare_digest

from django.conf import settings
from django.db.models import F

from accounts.models import AccessToken

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A token in hand; times are Unix seconds."""

    session_name: str
    token: str = field(repr=False)
    issued_at: float
    expires_at: float

    @property
    def margin(self) -> float:
        """How long before its end the next token is due: 5 minutes, less for short lives."""
        return min(float(settings.COZE_TOKEN_MARGIN), 0.2 * max(0.0, self.expires_at - self.issued_at))

    def is_fresh(self, now: float) -> bool:
        """Whether there is no need yet to think of the next one."""
        return now < self.expires_at - self.margin

    def is_alive(self, now: float) -> bool:
        """Whether a request that starts now will still find it valid at Coze."""
        return now < self.expires_at - 0.1 * self.margin


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose token is wanted, and for which app."""

    app_id: int
    user_id: int
    session_name: str
    origin: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at the row came to: a working token, the right to exchange the next, both, or neither."""

    held: Held | None
    claim: uuid.UUID | None


def row_of(wanted: Wanted) -> AccessToken:
    """The row of this user and app; made, without a token, where there is none."""
    row, _made = AccessToken.objects.get_or_create(
        app_id=wanted.app_id, user_id=wanted.user_id, defaults={"session_name": wanted.session_name}
    )
    return row


def look(wanted: Wanted, *, now: float, lease: float) -> Found:
    """Read the row, and claim it if its token is due."""
    row = row_of(wanted)
    held = _token_of(row, wanted=wanted)
    if held and held.is_fresh(now):
        return Found(held, None)
    claim = uuid.uuid4()
    won = AccessToken.objects.claim(row, claim=claim, now=_moment(now), until=_moment(now + lease))
    return Found(held if held and held.is_alive(now) else None, claim if won else None)


def _token_of(row: AccessToken, *, wanted: Wanted) -> Held | None:
    if row.session_name != wanted.session_name:
        logger.critical(
            "isolation alarm: access token %s of user %s was issued for another session_name; it is not used",
            row.pk,
            wanted.user_id,
        )
        return None
    if row.origin != wanted.origin:
        return None
    # An unreadable token (its key is gone) decodes to None: a miss like any other.
    if not row.token or row.issued_at is None or row.expires_at is None:
        return None
    return Held(row.session_name, row.token, row.issued_at.timestamp(), row.expires_at.timestamp())


def extend(claim: uuid.UUID, *, until: float) -> None:
    """Keep a claim while Coze takes its time."""
    AccessToken.objects.filter(claim=claim).update(claimed_until=_moment(until))


def release(claim: uuid.UUID) -> None:
    """Let somebody else try at once."""
    AccessToken.objects.filter(claim=claim).update(claim=None, claimed_until=None)


def store(claim: uuid.UUID, *, held: Held, origin: str) -> None:
    """Put the claim's token into its row; if the claim was lost meanwhile, its next owner fills the row."""
    AccessToken.objects.filter(claim=claim).update(
        session_name=held.session_name,
        origin=origin,
        token=held.token,
        issued_at=_moment(held.issued_at),
        expires_at=_moment(held.expires_at),
        version=F("version") + 1,
        claim=None,
        claimed_until=None,
    )


def clear(*, app_id: int, user_id: int, token: str) -> None:
    """Take this very token out of its row; another one that has come in its place stays."""
    row = AccessToken.objects.filter(app_id=app_id, user_id=user_id).first()
    if row and row.token and compare_digest(row.token.encode(), token.encode()):
        AccessToken.objects.seen(row).update(
            token="", issued_at=None, expires_at=None, version=F("version") + 1
        )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
