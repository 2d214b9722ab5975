"""What a socket can ask of the engine: start, stop, edit, resume, open."""

import time
import uuid
from collections.abc import Iterable
from dataclasses import replace

from django.utils.translation import gettext as _

from accounts.models import User
from accounts.sockets import login_is_valid
from conversations import frames, live, outboxes
from conversations.frames import Refused, TurnEdit, TurnStart
from conversations.live import LiveTurn
from conversations.models import Conversation
from conversations.outboxes import Outbox
from conversations.turns import allowances, pacing, queueing
from conversations.turns.beginning import Begun, begin
from conversations.turns.ending import stored_end
from conversations.turns.engine import engine
from conversations.turns.processes import stopping
from conversations.turns.reading import (
    StoredTurn,
    describe_conversation,
    state_messages,
    stored_turn,
    terminal_frame,
)
from conversations.turns.showing import newest_messages
from conversations.turns.telling import tell_conversation, tell_usage
from cozechat import database

# How often a conversation is read again because a turn began or ended meanwhile.
_ATTEMPTS = 5


class SignedOut(Exception):
    """The log-in behind this socket has ended."""


async def start(user: User, *, frame: TurnStart, outbox: Outbox) -> Begun:
    """Store a question and let it run; the socket hears `turn.accepted` and then follows the answer.

    Raises Refused and SignedOut. The same `client_id` again is accepted again and starts nothing. A tab that
    goes away meanwhile changes nothing: what is in the database also runs.
    """
    return await engine().own(_start(user, frame=frame, outbox=outbox))


async def _start(user: User, *, frame: TurnStart, outbox: Outbox) -> Begun:
    if engine().draining:
        raise Refused(
            "busy", _("The site is restarting. Try again in a moment."), client_id=str(frame.client_id)
        )
    if frame.conversation is None:
        return await _accept(user, frame=frame, outbox=outbox)
    async with engine().succession.in_order(frame.conversation, owner_id=user.pk):
        return await _accept(user, frame=frame, outbox=outbox)


async def _accept(user: User, *, frame: TurnStart, outbox: Outbox) -> Begun:
    begun = await database.run(_begin_if_signed_in, user, frame=frame, session_key=outbox.session_key)
    _follow(outbox, begun.conversation.pk, user=user)
    outbox.offer(_accepted_frame(begun))
    if begun.replayed:
        await _catch_up(begun.turn.pk, user=user, outbox=outbox)
        return begun
    succession = engine().succession
    if begun.is_queued:
        succession.tell_queued(begun)
        succession.wake(begun.conversation.pk, owner_id=user.pk)
    else:
        succession.tell_started(begun, but=outbox)
        engine().start(begun)
    tell_conversation(engine().hub, user.pk, describe_conversation(begun.conversation, running=True))
    if begun.is_counted:
        tell_usage(engine().hub, user.pk, await database.run(allowances.news_of, user.pk))
    return begun


def _accepted_frame(begun: Begun) -> str:
    queued = {"queued": True} if begun.is_queued else {}
    return frames.build(
        "turn.accepted",
        client_id=begun.turn.client_id,
        conversation=begun.conversation.pk,
        turn=begun.turn.pk,
        message=begun.question.pk,
        branch=begun.turn.branch_id,
        **queued,
    )


async def ask(user: User, *, frame: TurnStart) -> StoredTurn:
    """Put a question and wait for the end of its answer: what commands and the isolation check do.

    Nobody pays for it. Raises Refused (busy) where something runs or waits: whether this process would ever get
    round to it nobody can say.
    """
    begun = await database.run(begin, user, frame=replace(frame, queue=False), is_free=True)
    running = engine().start(begun)
    await running.ended.wait()
    return await database.run(_owned, begun.turn.pk, user=user)


def _begin_if_signed_in(user: User, *, frame: TurnStart, session_key: str) -> Begun:
    if not login_is_valid(session_key, user.pk):
        raise SignedOut
    pace = pacing.admit(user, frame=frame)
    return begin(user, frame=frame, per_day=pace.per_day)


async def stop(user: User, *, turn_id: uuid.UUID, outbox: Outbox | None = None) -> None:
    """End the owner's running turn, wherever it runs, or withdraw a queued one. Raises Refused (not_found).

    One that has ended already stays as it is, and only whoever asked is told so.
    """
    await engine().own(_stop(user, turn_id=turn_id, outbox=outbox))


async def _stop(user: User, *, turn_id: uuid.UUID, outbox: Outbox | None) -> None:
    if await _stop_here(user, turn_id=turn_id):
        return
    stored = await database.run(_owned, turn_id, user=user)
    if stored.is_queued:
        async with engine().succession.in_order(stored.conversation_id, owner_id=user.pk):
            if await database.run(queueing.withdraw, user, turn_id=turn_id):
                end = await database.run(stored_end, turn_id, is_news=True)
                if end is not None:
                    await engine().announce(end)
                return
        # It has begun meanwhile.
        await _stop(user, turn_id=turn_id, outbox=outbox)
    elif stored.is_running:
        await stopping.stop_elsewhere(engine(), stored)
    elif outbox is not None:
        outboxes.send([outbox], lambda: terminal_frame(stored))


async def _stop_here(user: User, *, turn_id: uuid.UUID) -> bool:
    running = engine().running.get(turn_id)
    if running is None or running.live.owner_id != user.pk:
        return False
    await engine().stop(running)
    return True


async def edit(user: User, *, frame: TurnEdit, outbox: Outbox) -> None:
    """Word a queued question anew.

    Raises SignedOut, and Refused: not_found, or busy when it does not wait any more.
    """
    await engine().own(_edit(user, frame=frame, session_key=outbox.session_key))


async def _edit(user: User, *, frame: TurnEdit, session_key: str) -> None:
    stored = await database.run(_owned, frame.turn, user=user)
    succession = engine().succession
    async with succession.in_order(stored.conversation_id, owner_id=user.pk):
        if not await database.run(_edit_if_signed_in, user, frame=frame, session_key=session_key):
            text = _("This question does not wait any more.")
            raise Refused("busy", text, turn=frame.turn)
        succession.tell_edited(stored, content=frame.content)


def _edit_if_signed_in(user: User, *, frame: TurnEdit, session_key: str) -> bool:
    if not login_is_valid(session_key, user.pk):
        raise SignedOut
    return queueing.edit(user, turn_id=frame.turn, content=frame.content)


def _owned(turn_id: uuid.UUID, *, user: User) -> StoredTurn:
    stored = stored_turn(turn_id, owner=user)
    if stored is None:
        raise Refused("not_found", _("This turn does not exist."))
    return stored


async def resume(user: User, *, turn_id: uuid.UUID, outbox: Outbox) -> None:
    """Give a tab that missed something the whole answer so far. Raises Refused (not_found)."""
    stored = await database.run(_owned, turn_id, user=user)
    async with engine().succession.in_order(stored.conversation_id, owner_id=user.pk):
        await _catch_up(turn_id, user=user, outbox=outbox)


def _follow(outbox: Outbox, conversation_id: uuid.UUID, *, user: User, since: float | None = None) -> None:
    """Follow a conversation from here on: what its running turn has not sent yet goes to the others first."""
    running = engine().live_in(conversation_id, owner_id=user.pk)
    if running is not None:
        running.live.flush()
    engine().hub.follow(outbox, conversation_id, since=since)


async def _growing(turn_id: uuid.UUID, *, user: User, outbox: Outbox) -> LiveTurn | None:
    """The turn as it grows, here or in another process; None when it has ended, or is not this user's.

    One whose end is being saved here grows no more, but its last frame is still to come.
    """
    running = engine().running.get(turn_id)
    if running is not None:
        return running.live if running.live.owner_id == user.pk else None
    turn = await engine().elsewhere.meet(turn_id, owner_id=user.pk, asker=outbox)
    return None if turn is None or turn.ended else turn


async def _catch_up(turn_id: uuid.UUID, *, user: User, outbox: Outbox) -> None:
    """Follow the turn's conversation, with a sync of the turn, and its end if it has one.

    Between following and the sync nothing is awaited: so what comes after it fits.
    """
    growing = await _growing(turn_id, user=user, outbox=outbox)
    if growing is not None:
        _follow(outbox, growing.conversation_id, user=user)
        _offer(outbox, growing.sync_frames())
        return
    stored = await database.run(_owned, turn_id, user=user)
    _follow(outbox, stored.conversation_id, user=user)
    if stored.is_queued:
        await _tell_waiting(turn_id, outbox=outbox)
        return
    if not stored.withdrawn:
        _offer(outbox, live.sync(turn_id, seq=stored.seq, content=stored.answer_text, status=stored.status))
    if not stored.is_running:
        outboxes.send([outbox], lambda: terminal_frame(stored))


async def _tell_waiting(turn_id: uuid.UUID, *, outbox: Outbox) -> None:
    begun = await database.run(queueing.look_up, turn_id)
    if begun is not None and begun.is_queued:
        engine().succession.tell_queued(begun, only=outbox)


def _offer(outbox: Outbox, texts: Iterable[str]) -> None:
    for text in texts:
        outbox.offer(text)


async def open_conversation(user: User, *, conversation_id: uuid.UUID, outbox: Outbox) -> None:
    """Tell a tab all about a conversation and let it follow what happens there. Raises Refused (not_found)."""
    async with engine().succession.in_order(conversation_id, owner_id=user.pk):
        await _open(user, conversation_id=conversation_id, outbox=outbox)


async def _open(user: User, *, conversation_id: uuid.UUID, outbox: Outbox) -> None:
    """What was read and what runs must be of one moment: when a turn began or ended while we read, read again.

    Only then the tab follows, so the state is the first that it hears.
    """
    for _attempt in range(_ATTEMPTS):
        since = time.time()
        state, running_id, is_shown = await database.run(_state, user, conversation_id=conversation_id)
        growing = await _growing(running_id, user=user, outbox=outbox) if running_id else None
        here = engine().live_in(conversation_id, owner_id=user.pk)
        if (here is None or here.id == running_id) and (running_id is None) == (growing is None):
            break
    _follow(outbox, conversation_id, user=user, since=since)
    outbox.offer(frames.build("conversation.state", **state, turn=running_id if is_shown else None))
    if growing is not None and is_shown:
        _offer(outbox, growing.sync_frames())


def _state(user: User, *, conversation_id: uuid.UUID) -> tuple[dict[str, object], uuid.UUID | None, bool]:
    """The state without the turn, the turn that runs, and whether it is on the path that is shown."""
    rows = Conversation.objects.owned_by(user).with_running().select_related("assistant__app")
    conversation = rows.filter(pk=conversation_id).first()
    if conversation is None:
        raise Refused("not_found", _("This conversation does not exist."))
    running = conversation.turns.running().values_list("pk", "branch").first()
    newest, more = newest_messages(conversation)
    messages, cut = state_messages(newest)
    described = describe_conversation(conversation)
    state = {
        "conversation": described,
        "messages": messages,
        "has_more": more or cut,
        "queued": queueing.queued_in(conversation),
        "available": conversation.assistant.can_be_asked,
    }
    if running is None:
        return state, None, False
    return state, running[0], running[1] == conversation.branch_id
