"""A conversation as others see it: made once, read by its link, taken back by its owner."""

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from conversations import rendering
from conversations.models import Conversation, Message, Share
from conversations.turns import newest_messages
from cozechat.audit.models import Verb
from cozechat.audit.recording import record

# A longer conversation is shared from its end.
MOST_MESSAGES = 2_000
# Links that work, for each owner.
MOST_SHARES = 100
# What one can choose (days); 0 is without an end.
DAYS = (1, 7, 30, 0)


class NothingToShare(Exception):
    """The conversation has no finished message yet."""


class TooManyShares(Exception):
    """The owner has as many links that work as one may have."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a share of a conversation would hold, told before it is made."""

    count: int
    older: bool


def days_offered() -> list[int]:
    """The choices that the site allows."""
    most = settings.SHARE_MAX_DAYS
    return [days for days in DAYS if not most or 0 < days <= most] or [most]


def own_conversation(user: User, conversation_id: uuid.UUID) -> Conversation | None:
    """The owner's conversation; None for anybody else."""
    rows = Conversation.objects.owned_by(user).select_related("assistant")
    return rows.filter(pk=conversation_id).first()


def contents_of(conversation: Conversation) -> Contents:
    """How much would be shown."""
    messages, older = _finished(conversation)
    return Contents(count=len(messages), older=older)


def make(user: User, conversation: Conversation, *, days: int, now: datetime) -> Share:
    """Share what the conversation says now. Raises NothingToShare and TooManyShares."""
    messages, _older = _finished(conversation)
    if not messages:
        raise NothingToShare
    token = secrets.token_urlsafe(24)
    shown = [_shown(message, assistant=conversation.assistant.name) for message in messages]
    with transaction.atomic():
        # The owner's row is locked, so that two calls at once cannot both be the last one.
        User.objects.select_for_update().get(pk=user.pk)
        if Share.objects.owned_by(user).open(now=now).count() >= MOST_SHARES:
            raise TooManyShares
        _record(Verb.SHARED, user, conversation_id=conversation.pk)
        return Share.objects.create(
            conversation=conversation,
            owner=user,
            digest=digest(token),
            token=token,
            title=conversation.title,
            messages=shown,
            count=len(shown),
            expires_at=now + timedelta(days=days) if days else None,
        )


def digest(token: str) -> str:
    """What finds a link's row: SHA-256 in hex, so that a copy of the database opens no link."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def opened(token: str, *, viewer: Any, now: datetime) -> Share | None:
    """The share behind a link; None when there is none, or not any more. Its owner's looks are not counted."""
    share = Share.objects.open(now=now).filter(digest=digest(token)).first()
    if share is not None and share.owner_id != viewer.pk:
        Share.objects.filter(pk=share.pk).update(views=F("views") + 1)
    return share


def html_of(share: Share) -> list[dict[str, Any]]:
    """The messages as the page shows them: answers as safe HTML, made anew when the rendering has changed."""
    return [
        {
            **message,
            "html": message["html"]
            if message["html_version"] == rendering.version()
            else rendering.render(message["content"]),
            "created_at": datetime.fromisoformat(message["created_at"]),
        }
        for message in share.messages
    ]


def revoke(user: User, share_id: uuid.UUID) -> bool:
    """Take a link back: from now on it opens nothing, and what it showed is removed. False if it is not theirs."""
    found = Share.objects.owned_by(user).filter(pk=share_id)
    with transaction.atomic():
        share = found.first()
        if found.filter(revoked_at=None).update(revoked_at=timezone.now(), messages=[], token="") and share:
            _record(Verb.UNSHARED, user, conversation_id=share.conversation_id)
    return share is not None


def _record(verb: Verb, user: User, *, conversation_id: uuid.UUID) -> None:
    kind, object_id = "conversations.conversation", str(conversation_id)
    record(verb, subject_id=user.pk, actor_id=user.pk, kind=kind, object_id=object_id)


def shares_of(user: User) -> Sequence[Share]:
    """The owner's shares, newest first, without what they show."""
    return list(Share.objects.owned_by(user).defer("messages").select_related("conversation")[:MOST_SHARES])


def _finished(conversation: Conversation) -> tuple[list[dict[str, Any]], bool]:
    """What has an end and says something: never half an answer, and no question that nobody has answered."""
    messages, older = newest_messages(conversation, limit=MOST_MESSAGES)
    running = {message["turn"] for message in messages if message["status"] in {"created", "in_progress"}}
    ended = [message for message in messages if message["content"] and message["turn"] not in running]
    return ended, older


def _shown(message: dict[str, Any], *, assistant: str) -> dict[str, Any]:
    is_answer = message["role"] == Message.Role.ASSISTANT
    return {
        "role": message["role"],
        "name": assistant if is_answer else "",
        "content": message["content"],
        "html": message["html"] if is_answer else "",
        "html_version": rendering.version(),
        "created_at": message["created_at"],
    }
