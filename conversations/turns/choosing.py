"""Which of several versions of a turn is shown, and with it what came after that one."""

import uuid

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from conversations.models import Branch, Conversation, Message, Path, Turn
from conversations.turns.placing import show


def choose(user: User, *, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> bool:
    """Show a version of a turn, as it was last shown. False: there is no such turn of this user's.

    An answer that runs goes on, shown or not.
    """
    with transaction.atomic():
        rows = Conversation.objects.owned_by(user).select_for_update(of=("self",)).select_related("branch")
        conversation = rows.filter(pk=conversation_id).first()
        turn = Turn.objects.owned_by(user).kept().filter(pk=turn_id, conversation=conversation_id).first()
        if conversation is None or turn is None:
            return False
        if show_turn(conversation, turn):
            conversation.save(update_fields=["branch", "main_shown_at", "revision"])
    return True


def show_turn(conversation: Conversation, turn: Turn) -> bool:
    """Show the line that leads through a turn; whether that is another one than now."""
    branch = line_through(conversation, turn)
    if branch == conversation.branch:
        return False
    show(conversation, branch, now=timezone.now())
    return True


def line_through(conversation: Conversation, turn: Turn) -> Branch | None:
    """Of the lines that lead through a turn, the one that is shown, or was last."""
    question = Message.objects.get(turn=turn, role=Message.Role.USER)
    lines = Branch.objects.lines_of(conversation.pk)
    through = lines.holding(turn.branch_id, message_id=question.pk)
    if conversation.branch_id in through:
        return conversation.branch
    branches = Branch.objects.filter(pk__in=[line for line in through if line]).order_by("-shown_at")
    newest = branches.first()
    if None in through and (newest is None or newest.shown_at < conversation.main_shown_at):
        return None
    return newest


def path_through(conversation: Conversation, turn_id: uuid.UUID) -> Path | None:
    """The path to look at a turn of a conversation; None: it has no such turn."""
    turn = Turn.objects.kept().filter(pk=turn_id, conversation=conversation).first()
    if turn is None:
        return None
    branch = line_through(conversation, turn)
    return Branch.objects.lines_of(conversation.pk).path(branch.pk if branch else None)


def leave_dead_end(conversation: Conversation, deleted: Turn) -> None:
    """Where the shown line ends with the deletion of a turn, and others stand beside it, show the newest of them."""
    path = Branch.objects.lines_of(conversation.pk).path(conversation.branch_id)
    questions = Message.objects.filter(conversation=conversation, role=Message.Role.USER)
    beside = Turn.objects.kept().filter(conversation=conversation, parent=deleted.parent_id)
    was_shown = questions.filter(turn=deleted).newest_on(path, limit=1)
    goes_on = questions.filter(turn__in=beside).newest_on(path, limit=1)
    other = beside.order_by("-created_at", "-id").first()
    if was_shown and not goes_on and other is not None:
        show_turn(conversation, other)
