"""The files beside a question: whose they are, and the words that it has without any."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db.models import prefetch_related_objects
from django.utils.translation import gettext as _

from accounts.models import User
from conversations.frames import Refused, TurnStart
from conversations.models import Attachment, Conversation, Message
from cozechat.catalog.models import Assistant


def wanted(user: User, frame: TurnStart) -> list[Attachment]:
    """The frame's attachments, in its order. Raises Refused (attachment): gone, somebody else's, another chat's."""
    if not frame.attachments:
        return _of_replaced(user, frame)
    # Locked, so that none is swept away meanwhile.
    rows = Attachment.objects.owned_by(user).select_for_update(of=("self",))
    found = rows.in_bulk(list(frame.attachments))
    for attachment in found.values():
        if attachment.conversation_id not in (None, frame.conversation):
            found = {}
            break
    if len(found) < len(frame.attachments):
        text = _("An attached file is not there any more. Attach it again.")
        raise Refused("attachment", text, client_id=str(frame.client_id))
    return [found[each] for each in frame.attachments]


def _of_replaced(user: User, frame: TurnStart) -> list[Attachment]:
    """A question that is asked again or edited has the files that it had."""
    if frame.replaces is None:
        return []
    rows = Attachment.objects.owned_by(user).filter(conversation=frame.conversation)
    return list(rows.filter(messages__turn=frame.replaces).distinct())


def worded(frame: TurnStart, attached: Sequence[Attachment]) -> TurnStart:
    """A question that consists of files has their names for its words: Coze takes no files alone."""
    if frame.content or frame.regenerates or not attached:
        return frame
    return replace(frame, content=", ".join(each.name for each in attached))


def attach(
    question: Message, attached: Sequence[Attachment], *, conversation: Conversation, frame: TurnStart
) -> None:
    """They belong to the question, and to its conversation, from now on. Raises Refused (attachment)."""
    if len(attached) > conversation.assistant.files_at_most:
        raise Refused("attachment", _too_many(conversation.assistant), client_id=str(frame.client_id))
    if attached:
        question.attachments.set(attached)
        Attachment.objects.filter(pk__in=[each.pk for each in attached]).update(conversation=conversation)
    prefetch_related_objects([question], "attachments")


def _too_many(assistant: Assistant) -> str:
    if not assistant.files_at_most:
        return _("This assistant takes no files.")
    return _("This assistant takes at most %(count)d of your files at once.") % {
        "count": assistant.files_at_most
    }


def described(question: Message) -> dict[str, Any]:
    """`{attachments}` of a question that has any."""
    found = [each.described() for each in question.attachments.all()]
    return {"attachments": found} if found else {}
