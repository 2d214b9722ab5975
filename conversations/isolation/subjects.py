"""The two users of a check, each with what is needed to act in their name."""

import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from django.utils.functional import Promise

from accounts import tokens
from accounts.models import User
from conversations import turns
from conversations.frames import TurnStart
from conversations.isolation import hints
from conversations.isolation.report import Outcome, Probe
from conversations.models import Branch, Conversation, Message, Turn
from cozechat import database
from cozechat.catalog.models import Assistant
from cozechat.coze.errors import WrongConversation
from cozechat.coze.types import Caller


class CannotRun(Exception):
    """A turn of the check failed, so nothing can be said."""


class AnsweredElsewhere(Exception):
    """Coze answered in another conversation than this subject's."""


@dataclass(slots=True)
class Subject:
    """One of the two users, with a conversation of their own."""

    user: User
    assistant: Assistant
    conversation: Conversation

    async def ask(self, question: str, *, regenerates: uuid.UUID | None = None) -> str:
        """Put a question through the turn engine; returns the answer. Raises CannotRun when the turn failed."""
        frame = TurnStart(
            client_id=uuid.uuid4(),
            conversation=self.conversation.pk,
            content=question,
            regenerates=regenerates,
        )
        stored = await turns.ask(self.user, frame=frame)
        if stored.status not in {Turn.Status.COMPLETED, Turn.Status.REQUIRES_ACTION}:
            text = await database.run(_coze_error, stored.id)
            if text.startswith(WrongConversation.__name__):
                raise AnsweredElsewhere(text)
            raise CannotRun(f"{question!r}: {stored.status} {stored.error_code} {text}".strip())
        return stored.answer_text

    async def ask_again(self) -> None:
        """Have the last answer once more, in a branch with a conversation of its own at Coze. Raises CannotRun."""
        turn_id = await database.run(_last_turn, self.conversation.pk)
        await self.ask("", regenerates=turn_id)

    async def branch_at_coze(self) -> str:
        """The id that Coze gave to the newest branch of this subject's conversation; "" where there is none."""
        return await database.run(_branch_id, self.conversation.pk)

    async def caller(self) -> Caller:
        """Who this subject is at Coze."""
        token = await tokens.access_token(self.user, app=self.assistant.app)
        return Caller(token=token, session_name=self.user.session_name)

    async def coze_conversation_id(self) -> str:
        """The id that Coze gave to this subject's conversation; "" before the first question."""
        return await database.run(_coze_id, self.conversation.pk)


def _coze_error(turn_id: uuid.UUID) -> str:
    return Turn.objects.values_list("coze_error", flat=True).get(pk=turn_id)


def _coze_id(conversation_id: uuid.UUID) -> str:
    return Conversation.objects.values_list("coze_conversation_id", flat=True).get(pk=conversation_id)


def _last_turn(conversation_id: uuid.UUID) -> uuid.UUID:
    turns_here = Turn.objects.filter(conversation=conversation_id)
    return turns_here.order_by("-created_at").values_list("pk", flat=True)[0]


def _branch_id(conversation_id: uuid.UUID) -> str:
    rows = Branch.objects.filter(conversation=conversation_id).order_by("-created_at")
    return rows.values_list("coze_conversation_id", flat=True).first() or ""


@asynccontextmanager
async def subjects(*users: User, assistant: Assistant) -> AsyncIterator[list[Subject]]:
    """Each user with a fresh conversation, deleted again at the end, here and at Coze."""
    made = [await database.run(_new_subject, user, assistant=assistant) for user in users]
    try:
        yield made
    finally:
        for subject in made:
            await database.run(
                turns.delete_conversation, subject.user, conversation_id=subject.conversation.pk
            )
        await turns.engine().mirror.finish([subject.conversation.pk for subject in made])


def _new_subject(user: User, *, assistant: Assistant) -> Subject:
    conversation = Conversation.objects.create(
        owner=user, assistant=assistant, title="Isolation check", title_is_manual=True
    )
    return Subject(user=user, assistant=assistant, conversation=conversation)


@asynccontextmanager
async def temporary_users(count: int) -> AsyncIterator[list[User]]:
    """Users that nobody can log in as, gone afterwards."""
    users = [await database.run(_new_user, number) for number in range(count)]
    try:
        yield users
    finally:
        for user in users:
            await database.run(_forget, user)


def _new_user(number: int) -> User:
    user = User(username=f"isolation-check-{number}-{uuid.uuid4().hex[:12]}", is_active=False)
    user.set_unusable_password()
    user.save()
    return user


def _forget(user: User) -> None:
    Message.objects.filter(conversation__owner=user).delete()
    user.delete()


async def timed(name: str, attempt: Callable[[], Awaitable[str]], *, hint: Promise | str) -> Probe:
    """Run one probe. `attempt` returns "" when all is well, else what leaked; CannotRun and others are errors."""
    started = time.monotonic()
    try:
        leaked = await attempt()
        outcome, detail = (Outcome.LEAK, leaked) if leaked else (Outcome.ISOLATED, "")
    except (AnsweredElsewhere, WrongConversation) as error:
        outcome, detail, hint = Outcome.LEAK, str(error), hints.CREATED
    except Exception as error:
        outcome, detail = Outcome.ERROR, f"{type(error).__name__}: {error}"[:300]
    shown = str(hint) if outcome == Outcome.LEAK else ""
    return Probe(name, outcome, detail=detail, hint=shown, seconds=round(time.monotonic() - started, 3))
