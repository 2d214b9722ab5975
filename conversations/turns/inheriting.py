"""A member keeps what a visitor has said: the conversations change their owner, as soon as nothing runs in them.

At Coze they stay behind, under the visitor's name, and are deleted there: a member's conversations are made with the
member's own token. With the next question Coze gets a new one, and is told what was said before (`counterparts`).
"""

import uuid
from typing import NamedTuple

from django.db import transaction

from accounts import visits
from accounts.models import User, Visit
from conversations.models import Attachment, Branch, Conversation, Feedback, Message, Share, Turn
from conversations.turns.forgetting import forget
from conversations.turns.processes.news import News
from cozechat import database


class Moved(NamedTuple):
    """A conversation that has a new owner."""

    owner_id: int
    conversation_id: uuid.UUID


async def look_after_visits(news: News) -> None:
    """What was claimed goes to its member, as far as it can; visitors whose time is over go."""
    tell(news, await database.run(settle))
    await database.run(visits.clear)


def tell(news: News, moved: list[Moved]) -> None:
    """The new owner's tabs do not know these conversations yet."""
    for owner_id, conversation_id in moved:
        news.conversation_changed(owner_id, conversation_id)


def settle() -> list[Moved]:
    """Move what can be moved now of all that was claimed."""
    claimed = Visit.objects.claimed().order_by("claimed_at").values_list("pk", flat=True)
    return [moved for pk in list(claimed[:20]) for moved in move(pk)]


@transaction.atomic
def move(visit_id: int) -> list[Moved]:
    """Move a claimed visit's conversations. Those in which something runs or waits come later; then the visitor goes."""
    rows = Visit.objects.claimed().select_for_update(of=("self",)).filter(pk=visit_id)
    visit = rows.select_related("visitor", "claimed_by").first()
    if visit is None or visit.claimed_by is None:
        return []
    visitor, member = visit.visitor, visit.claimed_by
    moved = _at_rest(visitor)
    for conversation in moved:
        # What the visitor has at Coze is not the member's.
        forget(conversation, [*Branch.objects.lines_of(conversation.pk)])
    ids = [conversation.pk for conversation in moved]
    _draw_new_client_ids(ids, member=member)
    Turn.objects.filter(conversation_id__in=ids).update(owner=member)
    Share.objects.filter(conversation_id__in=ids).update(owner=member)
    Attachment.objects.filter(conversation_id__in=ids).update(owner=member)
    # Coze's message goes, so there is nobody left to tell.
    Feedback.objects.filter(turn__conversation_id__in=ids).update(owner=member, tell_at=None)
    Conversation.objects.filter(pk__in=ids).update(owner=member, folder=None)
    # The index knows them by their owner.
    Message.objects.filter(conversation_id__in=ids).update(is_indexed=False)
    _remove_if_empty(visitor)
    return [Moved(member.pk, pk) for pk in ids]


def _at_rest(visitor: User) -> list[Conversation]:
    """Turns are locked first, then conversations, as by whoever ends a turn; then nothing begins in these any more."""
    open_turns = Turn.objects.filter(owner=visitor, status__in=Turn.OPEN)
    list(open_turns.select_for_update().order_by("pk").values_list("pk", flat=True))
    own = Conversation.objects.owned_by(visitor).select_for_update(of=("self",)).order_by("pk")
    found = list(own.select_related("assistant", "owner", "branch"))
    busy = set(open_turns.order_by().values_list("conversation_id", flat=True))
    return [conversation for conversation in found if conversation.pk not in busy]


def _draw_new_client_ids(conversation_ids: list[uuid.UUID], *, member: User) -> None:
    """Browsers draw these at random; whoever chooses them by hand must not stop the move."""
    theirs = Turn.objects.filter(owner=member).values("client_id")
    for turn in Turn.objects.filter(conversation_id__in=conversation_ids, client_id__in=theirs):
        Turn.objects.filter(pk=turn.pk).update(client_id=uuid.uuid4())


def _remove_if_empty(visitor: User) -> None:
    # Locked before the look: what still begins for this visitor is either seen, or finds no such user.
    User.objects.select_for_update().get(pk=visitor.pk)
    if not Conversation.objects.owned_by(visitor).exists():
        visitor.delete()
