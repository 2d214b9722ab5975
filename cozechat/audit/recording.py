"""Adds an act to the trail.

`record` is for what must not happen unseen: it writes in the caller's transaction, and its failure is the act's. What
people do with their own things in reading, and their sign-ins, must not fail because of it: `record_softly`.
"""

import logging
from collections.abc import Iterable
from typing import Any

from django.db import DatabaseError, transaction

from cozechat.audit.circumstances import current
from cozechat.audit.models import DETAIL_LENGTH, REASON_LENGTH, AuditEvent, Verb

logger = logging.getLogger(__name__)

# Of one act on many rows; how many there were beyond stands in the detail of the last.
MOST_AT_ONCE = 1000


def record(verb: Verb, *, subject_id: int | None, **fields: Any) -> AuditEvent:
    """Write one event now; who acts, from where and with what is the current request's, unless it is given."""
    event = _event(verb, subject_id=subject_id, **fields)
    event.save()
    return event


def record_softly(verb: Verb, *, subject_id: int | None, **fields: Any) -> None:
    """The same; a database that cannot take it costs the event, and is said in the log."""
    try:
        with transaction.atomic():
            record(verb, subject_id=subject_id, **fields)
    except DatabaseError:
        logger.exception("an act could not be written into the audit trail: %s", verb)


def record_each(verb: Verb, *, objects: Iterable[tuple[str, int | None]], **fields: Any) -> None:
    """One act on several rows: an event for each `(object_id, subject_id)`, in one statement."""
    AuditEvent.objects.bulk_create(
        [
            _event(verb, object_id=object_id, subject_id=subject_id, **fields)
            for object_id, subject_id in objects
        ]
    )


def record_claim(*, visitor_id: int, member_id: int) -> None:
    """A visitor's conversations went to a member: it stands in the member's log."""
    record(
        Verb.CLAIMED,
        subject_id=member_id,
        kind="accounts.user",
        object_id=str(visitor_id),
    )


def _event(verb: Verb, *, subject_id: int | None, **fields: Any) -> AuditEvent:
    around = current()
    given = {
        "actor_id": around.actor_id,
        "address": around.address,
        "agent": around.agent,
        "request_id": around.request_id,
        **fields,
    }
    given["detail"] = str(given.get("detail", ""))[:DETAIL_LENGTH]
    given["reason"] = str(given.get("reason", ""))[:REASON_LENGTH]
    return AuditEvent(verb=verb, subject_id=subject_id, **given)
