"""All of a person's data as one ZIP file, a page of rows at a time."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import User
from conversations.models import Conversation, Message
from conversations.privacy import wording
from conversations.privacy.zipping import ZipStream
from conversations.turns import describe_conversation, describe_message
from cozechat import database
from cozechat.audit.models import AuditEvent
from cozechat.usage.models import UsageRecord
from cozechat.usage.pages.exporting import BOM, as_csv, safe
from cozechat.usage.pages.listing import pages

# An answer may be megabytes long.
_MESSAGES_AT_ONCE = 10
_CONVERSATIONS_AT_ONCE = 100
_EVENTS_AT_ONCE = 500

Chunks = AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class _Words:
    """What is said in the language of whoever asks: chosen now, for it may be another's while the file is sent."""

    explanation: str
    speakers: dict[str, str]


def archive(user: User, *, now: datetime) -> Chunks:
    """The file, from its first byte to its last."""
    speakers = {role.value: str(role.label) for role in Message.Role}
    return _written(user, words=_Words(_explanation(), speakers), now=now)


async def _written(user: User, *, words: _Words, now: datetime) -> Chunks:
    stream = ZipStream()
    async with aclosing(_entries(user, words=words)) as entries:  # type: ignore[type-var]
        async for name, chunks in entries:
            async with aclosing(chunks), aclosing(stream.entry(name, chunks=chunks, at=now)) as written:  # type: ignore[type-var]
                async for piece in written:
                    if piece:
                        yield piece
    yield stream.end()


async def _entries(user: User, *, words: _Words) -> AsyncIterator[tuple[str, Chunks]]:
    yield "README.txt", _text(words.explanation)
    yield "profile.json", _text(_json(await database.run(_profile, user)))
    after: tuple[Any, ...] | None = None
    while True:
        found = await database.run(_conversations, user, after=after)
        for conversation in found:
            name = f"conversations/{conversation.created_at:%Y-%m-%d}-{conversation.pk}"
            yield f"{name}.md", _markdown(conversation, user=user, words=words)
            yield f"{name}.json", _as_json(conversation, user=user)
        if len(found) < _CONVERSATIONS_AT_ONCE:
            break
        after = (found[-1].created_at, found[-1].pk)
    yield "usage.csv", as_csv(UsageRecord.objects.owned_by(user))
    yield "access-log.csv", _access_log(user)


async def _text(text: str) -> Chunks:
    yield text.encode(errors="replace")


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2)


def _explanation() -> str:
    return "\n".join(
        (
            _("What CozeChat has stored about you."),
            "",
            "profile.json      " + _("your account"),
            "conversations/    " + _("each conversation twice: to read (.md) and for programs (.json)"),
            "usage.csv         " + _("what your questions and your programs' calls came to"),
            "access-log.csv    " + _("who did what to your data and your account"),
            "",
        )
    )


def _profile(user: User) -> dict[str, Any]:
    fields = ("username", "display_name", "email", "first_name", "last_name", "language", "is_visitor")
    emails = user.emailaddress_set.values_list("email", "verified", "primary")  # type: ignore[attr-defined]
    return {
        **{name: getattr(user, name) for name in fields},
        "name_at_coze": user.session_name,
        "joined_at": user.date_joined.isoformat(),
        "last_login_at": user.last_login.isoformat() if user.last_login else None,
        "email_addresses": [
            {"email": email, "verified": verified, "primary": primary} for email, verified, primary in emails
        ],
    }


def _conversations(user: User, *, after: tuple[Any, ...] | None) -> list[Conversation]:
    rows = Conversation.objects.owned_by(user).with_running().select_related("assistant")
    rows = rows.order_by("created_at", "pk")
    if after:
        rows = rows.filter(created_at__gte=after[0]).exclude(created_at=after[0], pk__lte=after[1])
    return list(rows[:_CONVERSATIONS_AT_ONCE])


async def _messages(conversation: Conversation, *, user: User) -> AsyncIterator[list[dict[str, Any]]]:
    last = 0
    while True:
        found = await database.run(_page, conversation, user=user, after=last)
        if not found:
            return
        yield found
        last = found[-1]["id"]


def _page(conversation: Conversation, *, user: User, after: int) -> list[dict[str, Any]]:
    rows = Message.objects.owned_by(user).filter(conversation=conversation, pk__gt=after).worth_showing()
    rows = (
        rows.select_related("turn__feedback")
        .prefetch_related("turn__steps")
        .order_by("pk")[:_MESSAGES_AT_ONCE]
    )
    found = [describe_message(row, assistant=conversation.assistant) for row in rows]
    for message in found:
        message.pop("html")
    return found


async def _as_json(conversation: Conversation, *, user: User) -> Chunks:
    """As the export of one conversation, message by message."""
    head = {"version": 1, "conversation": describe_conversation(conversation)}
    yield (_json(head)[:-2] + ',\n  "messages": [').encode(errors="replace")
    comma = ""
    async with aclosing(_messages(conversation, user=user)) as found:  # type: ignore[type-var]
        async for messages in found:
            for message in messages:
                yield f"{comma}\n{_json(message)}".encode(errors="replace")
                comma = ","
    yield b"\n]}\n"


async def _markdown(conversation: Conversation, *, user: User, words: _Words) -> Chunks:
    yield f"# {conversation.title}\n\n".encode(errors="replace")
    async with aclosing(_messages(conversation, user=user)) as found:  # type: ignore[type-var]
        async for messages in found:
            for message in messages:
                head = (
                    f"## {words.speakers[message['role']]} · {message['created_at'][:16].replace('T', ' ')}"
                )
                yield f"{head}\n\n{message['content']}\n\n".encode(errors="replace")


_COLUMNS = ("time", "who", "as_staff", "act", "kind", "object", "detail", "reason", "network", "program")


async def _access_log(user: User) -> Chunks:
    yield (BOM + _lines([_COLUMNS])).encode()
    events = AuditEvent.objects.about(user)
    async with aclosing(pages(events, limit=_EVENTS_AT_ONCE)) as found:  # type: ignore[type-var]
        async for rows in found:
            names = await database.run(wording.names_of, rows)
            yield _lines(map(safe, _cells(row, user=user, names=names)) for row in rows).encode(
                errors="replace"
            )


def _cells(event: AuditEvent, *, user: User, names: dict[int, str]) -> tuple[Any, ...]:
    who = "" if event.actor_id is None else names.get(event.actor_id, "")
    is_own = event.actor_id in {user.pk, None} or not event.is_staff_act
    return (
        event.created_at.isoformat(), who, int(event.is_staff_act), event.verb, event.kind, event.object_id, event.detail,
        event.reason, event.address if is_own else "", event.agent if is_own else "",
    )  # fmt: skip


def _lines(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
