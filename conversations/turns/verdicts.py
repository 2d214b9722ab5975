"""Tells Coze what readers think of answers: each with its reader's own token, again at growing intervals if it fails.

What is yet to be told stands in the rows, so a restart forgets nothing; telling it twice does no harm. What Coze
does not know any more is not told.
"""

import logging
from datetime import timedelta

from django.utils import timezone

from accounts import tokens
from accounts.models import User
from conversations.models import Feedback
from conversations.models.feedback import FeedbackQuerySet
from cozechat import database
from cozechat.catalog.clients import coze_client
from cozechat.catalog.models import CozeApp
from cozechat.coze.errors import CONVERSATION_GONE, BadRequest, CozeError, TokenRefused
from cozechat.coze.messages import Feedback as CozeFeedback
from cozechat.coze.types import Caller

logger = logging.getLogger(__name__)

_BATCH = 20
# Whoever takes one has so long to tell it; after a failure it is told again, at first after so long.
_CLAIM = timedelta(seconds=90)
_FIRST_WAIT, _LONGEST_WAIT = 15.0, 3600.0
# About three days.
_MOST_FAILURES = 80


async def tell_coze() -> None:
    """One round."""
    for feedback in await database.run(_take):
        try:
            await _tell(feedback)
        except (*CONVERSATION_GONE, BadRequest) as error:
            logger.info("what was said of turn %s is not told: %s", feedback.turn_id, error)
            await database.run(_settle, feedback)
        except CozeError as error:
            wait = await database.run(_put_off, feedback)
            logger.warning(
                "what was said of turn %s could not be told: %s; again in %.0f s",
                feedback.turn_id,
                error,
                wait,
            )
        else:
            await database.run(_settle, feedback)


def _take() -> list[Feedback]:
    """Some that are due, and ours for a while: of several processes one tells each."""
    now = timezone.now()
    rows = Feedback.objects.untold(now).select_related(
        "owner", "turn__conversation__assistant__app", "turn__branch"
    )
    taken = []
    for feedback in rows[:_BATCH]:
        claimed = _unchanged(feedback).filter(tell_at=feedback.tell_at).update(tell_at=now + _CLAIM)
        if claimed:
            taken.append(feedback)
    return taken


def _unchanged(feedback: Feedback) -> FeedbackQuerySet:
    """The row, unless its reader has changed his mind meanwhile."""
    return Feedback.objects.filter(pk=feedback.pk, changed_at=feedback.changed_at, told_at=None)


def _settle(feedback: Feedback) -> None:
    rows = _unchanged(feedback)
    if feedback.rating:
        rows.update(told_at=timezone.now())
    else:
        rows.delete()


def _put_off(feedback: Feedback) -> float:
    wait: float = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(feedback.failures, 10))
    if feedback.failures >= _MOST_FAILURES:
        _settle(feedback)
    else:
        at = timezone.now() + timedelta(seconds=wait)
        _unchanged(feedback).update(tell_at=at, failures=feedback.failures + 1)
    return wait


async def _tell(feedback: Feedback) -> None:
    owner, app = feedback.owner, feedback.turn.conversation.assistant.app
    assert isinstance(owner, User)  # noqa: S101 - the type checker cannot see through the setting
    token = await tokens.access_token(owner, app=app)
    try:
        await _say(feedback, app=app, caller=Caller(token=token, session_name=owner.session_name))
    except TokenRefused:
        await tokens.discard(owner, app=app, token=token)
        raise


async def _say(feedback: Feedback, *, app: CozeApp, caller: Caller) -> None:
    turn, messages = feedback.turn, coze_client(app).messages
    place = (turn.line.coze_conversation_id, turn.answer_coze_id)
    if not all(place):
        return
    if feedback.rating:
        kind = CozeFeedback(feedback.rating)
        await messages.set_feedback(
            caller, *place, feedback=kind, reasons=feedback.reasons, comment=feedback.comment
        )
    else:
        await messages.remove_feedback(caller, *place)
