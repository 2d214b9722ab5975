"""Stored conversations, turns and messages as the outside sees them: JSON, and the frames that end a turn."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import User
from conversations import frames, rendering
from conversations.models import Conversation, Message, Step, Turn
from conversations.models.steps import failed_node
from conversations.turns import asides, attachments, questions, wishes
from conversations.turns.failures import message_for, public_code
from cozechat.catalog.models import Assistant

# What of a conversation's newest messages travels in one `conversation.state`.
_STATE_BYTES = 40 * 1024


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn as the database has it, with its answer."""

    id: uuid.UUID
    conversation_id: uuid.UUID
    owner_id: int
    status: str
    seq: int
    answer_id: int
    answer_text: str
    breaks: list[int]
    ended_at: datetime | None
    error_code: str
    log_id: str
    usage: dict[str, int]
    withdrawn: bool = False
    steps: int = 0
    interrupt: Mapping[str, Any] | None = None
    run: Mapping[str, Any] | None = None
    failed_step: str = ""
    cached: bool = False
    # How much of what was thought aloud is kept, as a browser counts it.
    reasoning: int = 0
    seconds: float | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has no end yet."""
        return self.status in Turn.RUNNING

    @property
    def is_queued(self) -> bool:
        """Whether it waits for the turn before it."""
        return self.status == Turn.Status.QUEUED


def stored_turn(turn_id: uuid.UUID, *, owner: User | None = None) -> StoredTurn | None:
    """The turn's row; None when it was deleted meanwhile or is not this owner's."""
    turns = (
        Turn.objects.filter(pk=turn_id) if owner is None else Turn.objects.owned_by(owner).filter(pk=turn_id)
    )
    turn = turns.select_related("conversation__assistant").first()
    answer = Message.objects.filter(turn_id=turn_id, role=Message.Role.ASSISTANT).first()
    if turn is None or answer is None:
        return None
    return StoredTurn(
        id=turn.pk,
        conversation_id=turn.conversation_id,
        owner_id=turn.owner_id,
        status=turn.status,
        seq=turn.seq,
        answer_id=answer.pk,
        answer_text=answer.content,
        breaks=answer.breaks,
        ended_at=turn.ended_at,
        error_code=turn.error_code,
        log_id=turn.log_id,
        usage=_usage(turn),
        withdrawn=turn.withdrawn,
        steps=turn.steps.count(),
        interrupt=questions.shown(turn),
        run=wishes.run_of(turn, assistant=turn.conversation.assistant),
        failed_step=failed_node(turn.steps.all()) if turn.status == Turn.Status.FAILED else "",
        cached=turn.cached,
        reasoning=frames.utf16_length(answer.reasoning),
        seconds=asides.seconds_of(turn),
    )


def _usage(turn: Turn) -> dict[str, int]:
    return {
        "input_tokens": turn.input_tokens,
        "output_tokens": turn.output_tokens,
        "total_tokens": turn.total_tokens,
    }


def describe_question(question: Message, *, room: int = frames.PIECE_BYTES) -> dict[str, Any]:
    """`{id, content, created_at, attachments?}`, with `truncated` if not all of the content has room (bytes)."""
    return {
        "id": question.pk,
        "created_at": question.created_at.isoformat(),
        **content_within(question.content, room=room),
        **attachments.described(question),
    }


def content_within(content: str, *, room: int = frames.PIECE_BYTES) -> dict[str, Any]:
    """`{content}`, or `{content, truncated}` if it has no room in a frame (bytes)."""
    if frames.fits(content, room):
        return {"content": content}
    return {"content": content[: room // frames.BYTES_A_CHARACTER], "truncated": True}


def question_frame(kind: str, turn: Turn, *, question: Message) -> str:
    """`turn.started`: a question's answer begins. `turn.queued`: it waits."""
    return frames.build(
        kind,
        turn=turn.pk,
        conversation=turn.conversation_id,
        branch=turn.branch_id,
        client_id=turn.client_id,
        question=describe_question(question),
        **({"form": True} if turn.parameters else {}),
    )


def started_frame_of(turn_id: uuid.UUID) -> str | None:
    """`turn.started` for a stored turn; None when it is gone."""
    question = Message.objects.filter(turn_id=turn_id, role=Message.Role.USER).select_related("turn").first()
    if question is None or question.turn is None:
        return None
    return question_frame("turn.started", question.turn, question=question)


def terminal_frame(stored: StoredTurn, *, advice: Mapping[str, Any] | None = None) -> str:
    """The frame that ends a turn, in the language that is active.

    `length` and `digest` are those of the whole answer. `advice` is what Coze said about trying again, which
    stands in no row.
    """
    extra: dict[str, Any] = {}
    if stored.interrupt:
        extra["interrupt"] = stored.interrupt
    if stored.run:
        extra["run"] = stored.run
    if stored.status == Turn.Status.COMPLETED:
        extra |= {"usage": stored.usage, **({"cached": True} if stored.cached else {})}
    elif stored.status == Turn.Status.FAILED:
        extra["error"] = failure_json(stored.error_code, log_id=stored.log_id, step=stored.failed_step)
        extra["error"] |= advice or {}
    elif stored.withdrawn:
        extra["withdrawn"] = True
    return frames.build(
        f"turn.{stored.status}",
        turn=stored.id,
        conversation=stored.conversation_id,
        seq=stored.seq,
        message=stored.answer_id,
        steps=stored.steps,
        reasoning=stored.reasoning,
        seconds=stored.seconds,
        length=frames.utf16_length(stored.answer_text),
        digest=digest(stored.answer_text),
        **extra,
    )


def digest(text: str) -> str:
    """What a page, or a test, compares its own text with: SHA-256 of the UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


_FINAL = frozenset({"auth", "not_found", "not_published", "quota", "content_refused"})


def failure_json(code: str, *, log_id: str = "", step: str = "") -> dict[str, Any]:
    """Why a turn failed: `{code, message, retryable, log_id?, step?}`; `step` is the node that failed."""
    public = public_code(code)
    failure: dict[str, Any] = {
        "code": public,
        "message": message_for(code),
        "retryable": public not in _FINAL,
    }
    if log_id:
        failure["log_id"] = log_id
    if step:
        failure["step"] = step
    return failure


def described(conversation_id: uuid.UUID, *, owner_id: int) -> dict[str, Any] | None:
    """A conversation for a list; None when it is gone or not this owner's."""
    rows = Conversation.objects.with_running().filter(pk=conversation_id, owner_id=owner_id, deleted_at=None)
    conversation = rows.first()
    return describe_conversation(conversation) if conversation else None


def describe_conversation(conversation: Any, *, running: bool | None = None) -> dict[str, Any]:
    """A conversation (with `running`, unless it is given) as the outside sees it."""
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.active_at.isoformat(),
        "asked_at": conversation.asked_at.isoformat(),
        "pinned": conversation.is_pinned,
        "archived": conversation.is_archived,
        "folder": str(conversation.folder_id) if conversation.folder_id else None,
        "unread": conversation.is_unread,
        "running": bool(conversation.running) if running is None else running,
        "branch": str(conversation.branch_id) if conversation.branch_id else None,
        "revision": conversation.revision,
        "assistant": {
            "id": str(conversation.assistant_id),
            "name": conversation.assistant.name,
            "kind": conversation.assistant.kind,
        },
    }


def describe_message(message: Message, *, assistant: Assistant | None = None) -> dict[str, Any]:
    """{id, turn, role, content, html, status, created_at} and, where there is any: `parameters` and `attachments` of a
    question, `error`, `usage`, `cached`, `steps`, `interrupt` and `run` of an answer.

    `html` only of an answer that has ended; `turn` is null where the message came by itself.
    """
    turn, is_answer = message.turn, message.role == Message.Role.ASSISTANT
    described = {
        "id": message.pk,
        "turn": str(turn.pk) if turn else None,
        "role": message.role,
        "content": message.content,
        "html": _html(message) if is_answer and not (turn and turn.is_running) else "",
        "status": turn.status if turn and is_answer else Turn.Status.COMPLETED.value,
        "created_at": message.created_at.isoformat(),
    }
    if turn is None:
        return described
    if not is_answer:
        described |= {"parameters": turn.parameters} if turn.parameters else {}
        return described | attachments.described(message)
    return (
        described
        | _how_it_ended(turn)
        | asides.described(message, turn=turn)
        | _of_run(turn, assistant=assistant)
    )


def _how_it_ended(turn: Turn) -> dict[str, Any]:
    described: dict[str, Any] = {}
    steps = list(turn.steps.all())
    if turn.status == Turn.Status.FAILED:
        described["error"] = failure_json(turn.error_code, log_id=turn.log_id, step=failed_node(steps))
    if turn.total_tokens:
        described["usage"] = _usage(turn)
    described |= {"cached": True} if turn.cached else {}
    shown = [step.described(turn_runs=turn.is_running) for step in steps]
    return described | ({"steps": shown} if shown else {})


def _of_run(turn: Turn, *, assistant: Assistant | None) -> dict[str, Any]:
    interrupt, run = questions.shown(turn), wishes.run_of(turn, assistant=assistant) if assistant else None
    return {**({"interrupt": interrupt} if interrupt else {}), **({"run": run} if run else {})}


def steps_of(turn_id: uuid.UUID) -> list[dict[str, Any]]:
    """The tools that were invoked for a running turn, in their order."""
    return [step.described() for step in Step.objects.filter(turn_id=turn_id)]


def _html(message: Message) -> str:
    if message.html_version == rendering.version():
        return message.html
    return rendering.render(message.content, breaks=message.breaks)


def state_messages(messages: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """The newest messages that fit into one frame, and whether some were left out or cut.

    They travel without HTML, and steps without payload and outcome; a single one that does not fit is cut and
    marked `truncated`.
    """
    kept: list[dict[str, Any]] = []
    room, cut = _STATE_BYTES, False
    for message in reversed(list(messages)):
        plain = _plain(message)
        size = len(frames.build("", message=plain).encode())
        if size > room and kept:
            cut = True
            break
        if size > room:
            plain |= {"content": plain["content"][: _STATE_BYTES // 6], "truncated": True}
        kept.append(plain)
        room -= size
    return kept[::-1], cut


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in message.items() if key not in {"html", "reasoning"}}
    if "steps" in plain:
        plain["steps"] = [
            {key: value for key, value in step.items() if key not in {"payload", "outcome"}}
            for step in plain["steps"]
        ]
    return plain
