"""What this site itself refuses: one user's frames and changes on the other's conversation and turn."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from conversations import turns
from conversations.frames import Refused, TurnEdit, TurnStart
from conversations.isolation import hints
from conversations.isolation.report import Probe
from conversations.isolation.subjects import Subject, timed
from conversations.models import Turn
from conversations.outboxes import Outbox
from cozechat import database


async def probe_here(first: Subject, second: Subject) -> list[Probe]:
    """Both ways round: open, ask in, ask beside, resume, stop, edit, choose, clear, rename, delete."""
    probes: list[Probe] = []
    for one, other, names in ((first, second, "A on B"), (second, first, "B on A")):
        probes += [await _foreign(one, other, act, names=names) for act in _ATTEMPTS]
    return probes


async def _foreign(one: Subject, other: Subject, act: str, *, names: str) -> Probe:
    attempt = _ATTEMPTS[act]
    return await timed(f"here: {act}, {names}", lambda: _like_missing(one, other, attempt), hint=hints.HERE)


Attempt = Callable[[Subject, uuid.UUID, uuid.UUID], Awaitable[str]]


async def _like_missing(one: Subject, other: Subject, attempt: Attempt) -> str:
    """The answer is a refusal, and the same as for something that never was."""
    turn_id = await database.run(_newest_turn, other.conversation.pk)
    foreign = await attempt(one, other.conversation.pk, turn_id)
    missing = await attempt(one, uuid.uuid4(), uuid.uuid4())
    if foreign == _DONE:
        return "it was done"
    return "" if foreign == missing else f"a foreign row answers {foreign!r}, a missing one {missing!r}"


_DONE = "done"


def _newest_turn(conversation_id: uuid.UUID) -> uuid.UUID:
    turn = Turn.objects.filter(conversation=conversation_id).order_by("-created_at").first()
    return turn.pk if turn else uuid.uuid4()


def _outbox(subject: Subject) -> Outbox:
    return Outbox(owner_id=subject.user.pk, language="en", session_key="")


async def _answer(attempt: Awaitable[object]) -> str:
    try:
        await attempt
    except Refused as refused:
        return f"{refused.code} {refused.message}"
    except turns.SignedOut:
        # Nobody is logged in here; that is looked at only after the owner.
        return "signed_out"
    return _DONE


async def _open(subject: Subject, conversation: uuid.UUID, _turn: uuid.UUID) -> str:
    return await _answer(
        turns.open_conversation(subject.user, conversation_id=conversation, outbox=_outbox(subject))
    )


async def _ask_in(subject: Subject, conversation: uuid.UUID, _turn: uuid.UUID) -> str:
    frame = TurnStart(client_id=uuid.uuid4(), conversation=conversation, content="x")
    return await _answer(database.run(turns.begin, subject.user, frame=frame))


async def _resume(subject: Subject, _conversation: uuid.UUID, turn: uuid.UUID) -> str:
    return await _answer(turns.resume(subject.user, turn_id=turn, outbox=_outbox(subject)))


async def _stop(subject: Subject, _conversation: uuid.UUID, turn: uuid.UUID) -> str:
    return await _answer(turns.stop(subject.user, turn_id=turn))


async def _edit(subject: Subject, _conversation: uuid.UUID, turn: uuid.UUID) -> str:
    frame = TurnEdit(turn=turn, content="x")
    return await _answer(turns.edit(subject.user, frame=frame, outbox=_outbox(subject)))


def _ask_about(name: str) -> Attempt:
    """To have the other's turn stand beside one's own, or go on."""

    async def attempt(subject: Subject, conversation: uuid.UUID, turn: uuid.UUID) -> str:
        content = "" if name == "regenerates" else "x"
        about: dict[str, Any] = {name: turn}
        frame = TurnStart(client_id=uuid.uuid4(), conversation=conversation, content=content, **about)
        return await _answer(database.run(turns.begin, subject.user, frame=frame))

    return attempt


async def _choose(subject: Subject, conversation: uuid.UUID, turn: uuid.UUID) -> str:
    done = await database.run(turns.choose, subject.user, conversation_id=conversation, turn_id=turn)
    return _DONE if done else "not_found"


async def _ask_beside(subject: Subject, _conversation: uuid.UUID, turn: uuid.UUID) -> str:
    """In one's own conversation, beside the other's turn."""
    frame = TurnStart(
        client_id=uuid.uuid4(), conversation=subject.conversation.pk, content="", regenerates=turn
    )
    return await _answer(database.run(turns.begin, subject.user, frame=frame))


async def _delete_turn(subject: Subject, conversation: uuid.UUID, turn: uuid.UUID) -> str:
    done = await database.run(turns.delete_turn, subject.user, conversation_id=conversation, turn_id=turn)
    return _DONE if done else "not_found"


async def _clear(subject: Subject, conversation: uuid.UUID, _turn: uuid.UUID) -> str:
    done = await database.run(turns.clear_context, subject.user, conversation_id=conversation)
    return _DONE if done else "not_found"


async def _rename(subject: Subject, conversation: uuid.UUID, _turn: uuid.UUID) -> str:
    done = await database.run(
        turns.rename_conversation, subject.user, conversation_id=conversation, title="x"
    )
    return _DONE if done else "not_found"


async def _delete(subject: Subject, conversation: uuid.UUID, _turn: uuid.UUID) -> str:
    done = await database.run(turns.delete_conversation, subject.user, conversation_id=conversation)
    return _DONE if done else "not_found"


_ATTEMPTS: dict[str, Attempt] = {
    "open": _open,
    "ask in": _ask_in,
    "resume": _resume,
    "stop": _stop,
    "edit": _edit,
    "edit & resend": _ask_about("edits"),
    "regenerate": _ask_about("regenerates"),
    "regenerate in one's own": _ask_beside,
    "show a version": _choose,
    "delete a message": _delete_turn,
    "clear the context": _clear,
    "rename": _rename,
    "delete": _delete,
}
