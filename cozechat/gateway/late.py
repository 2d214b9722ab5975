"""Calls whose process has died, or that went on at Coze for too long: asked for, and settled by the truth."""

import asyncio
import logging
from dataclasses import dataclass

from django.utils import timezone

from accounts import tokens
from accounts.models import User
from cozechat import database, logs
from cozechat.catalog.clients import coze_client
from cozechat.catalog.models import CozeApp
from cozechat.coze.errors import CozeError, TokenRefused
from cozechat.coze.statuses import Status
from cozechat.coze.types import Caller, Usage
from cozechat.gateway import errors, interruptions, memory
from cozechat.gateway.answers import Answer, Counts
from cozechat.gateway.errors import Refusal
from cozechat.gateway.models import StickyConversation, StoredCall
from cozechat.gateway.readings import interrupted
from cozechat.usage import reconciling, settling
from cozechat.usage.estimating import tokens_of
from cozechat.usage.models import Hold, UsageRecord
from cozechat.usage.settling import Outcome

logger = logging.getLogger(__name__)
# How many are asked for at a time: a process that comes back must not flood Coze.
_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Deserted:
    """A call of which Coze knows more than we do."""

    hold: Hold
    user: User
    app: CozeApp
    workflow_id: str


@dataclass(frozen=True, slots=True)
class Found:
    """How it ended at Coze."""

    status: Status
    usage: Usage
    outcome: Answer | Refusal
    workflow_id: str = ""


async def settle_deserted() -> int:
    """Ask Coze for every deserted call that it has taken, end the others; returns how many were ended."""
    # All at once: an app that is silent keeps nobody waiting who is asked for at another.
    done = await asyncio.gather(*map(_settle_one, await database.run(_deserted)))
    return sum(done) + await database.run(_end_the_rest)


async def _settle_one(deserted: Deserted) -> bool:
    """Whether it has been settled; whatever goes wrong is this call's own affair."""
    with logs.also(request_id=deserted.hold.request_id):
        return await _settled(deserted)


async def _settled(deserted: Deserted) -> bool:
    try:
        found = await _ask(deserted)
        if found is not None:
            await database.run(_settle, deserted.hold, found=found)
            await _tidy(deserted)
            return True
    except CozeError as error:
        logger.info("call %s is not settled yet: %s", deserted.hold.request_id, error)
    except Exception:
        logger.exception("call %s cannot be settled", deserted.hold.request_id)
    await database.run(_queue_again, deserted.hold)
    return False


def _deserted() -> list[Deserted]:
    now = timezone.now()
    rows = Hold.objects.deserted(now=now).known_to_coze().exclude(api_key_id=None).filter(expires_at__gt=now)
    found = []
    for hold in rows.select_related("app", "assistant").order_by("lease_until")[:_AT_ONCE]:
        user = User.objects.filter(session_name=hold.end_user).first()
        if user is None or hold.app is None:
            # With its end user or its app the right to ask is gone for good.
            Hold.objects.deserted(now=now).filter(pk=hold.pk).update(expires_at=now)
            continue
        workflow_id = hold.assistant.workflow_id if hold.assistant else hold.route.rpartition(":")[2]
        found.append(Deserted(hold, user, hold.app, workflow_id))
    return found


def _queue_again(hold: Hold) -> None:
    """Behind all others that are deserted: what cannot be learned must not keep them waiting."""
    now = timezone.now()
    Hold.objects.deserted(now=now).filter(pk=hold.pk).update(lease_until=now)


async def _ask(deserted: Deserted) -> Found | None:
    """What Coze says; None while the call still runs there."""
    token = await tokens.access_token(deserted.user, app=deserted.app)
    caller = Caller(token=token, session_name=deserted.user.session_name)
    try:
        if deserted.hold.execute_id:
            return await _ask_run(deserted, caller=caller)
        return await _ask_chat(deserted, caller=caller)
    except TokenRefused:
        await tokens.discard(deserted.user, app=deserted.app, token=token)
        raise


async def _ask_run(deserted: Deserted, *, caller: Caller) -> Found | None:
    hold = deserted.hold
    history = await coze_client(deserted.app).runs.history(caller, deserted.workflow_id, hold.execute_id)
    if not history.status.ended:
        return None
    outcome: Answer | Refusal = Answer(text=history.output.shown, execute_id=hold.execute_id)
    if history.interrupt is not None:
        outcome = interrupted(history.interrupt, execute_id=hold.execute_id)
    elif history.error is not None:
        outcome = errors.from_coze(history.error, accepted=True, execute_id=hold.execute_id)
    return Found(history.status, history.usage, outcome, deserted.workflow_id)


async def _ask_chat(deserted: Deserted, *, caller: Caller) -> Found | None:
    hold, chats = deserted.hold, coze_client(deserted.app).chats
    place = (hold.coze_conversation_id, hold.coze_chat_id)
    chat = await chats.retrieve(caller, *place)
    if not chat.status.ended:
        return None
    if chat.error is not None:
        return Found(chat.status, chat.usage, errors.from_coze(chat.error, accepted=True))
    said = [message for message in await chats.list_messages(caller, *place) if message.type == "answer"]
    return Found(chat.status, chat.usage, Answer(text="\n\n".join(message.content for message in said)))


async def _tidy(deserted: Deserted) -> None:
    """Delete the conversation that belonged to this call alone."""
    coze_id = deserted.hold.coze_conversation_id
    goes_on = StickyConversation.objects.filter(user=deserted.user, coze_conversation_id=coze_id)
    if not coze_id or await database.run(goes_on.exists):
        return
    try:
        token = await tokens.access_token(deserted.user, app=deserted.app)
        caller = Caller(token=token, session_name=deserted.user.session_name)
        await coze_client(deserted.app).conversations.delete(caller, coze_id)
    except CozeError as error:
        logger.info("conversation %s stays at Coze: %s", coze_id, error)


def _settle(hold: Hold, *, found: Found) -> None:
    """One transaction of the ledger's; whoever comes second changes nothing."""
    tokens_found = tokens_of(found.usage)
    completed = isinstance(found.outcome, Answer)
    if isinstance(found.outcome, Answer) and tokens_found is not None:
        found.outcome.counts = Counts(tokens_found.input, tokens_found.output)
    status = UsageRecord.Status.COMPLETED if completed else UsageRecord.Status.FAILED
    if found.status is Status.CANCELED:
        status = UsageRecord.Status.CANCELED
    code = "" if isinstance(found.outcome, Answer) else found.outcome.code
    outcome = Outcome(status=status, tokens=tokens_found, error_code=code)
    settling.settle(hold.request_id, outcome=outcome, now=timezone.now())
    if isinstance(found.outcome, Refusal) and hold.app_id is not None:
        interruptions.note(
            found.outcome,
            end_user=hold.end_user,
            app_id=hold.app_id,
            workflow_id=found.workflow_id,
            now=timezone.now(),
        )
    memory.finish(hold.request_id, outcome=found.outcome)


def _end_the_rest() -> int:
    """What nobody can ask for is ended as lost; stored calls that nobody makes any more are told so."""
    now = timezone.now()
    ended = reconciling.reconcile(now=now).lost
    open_holds = Hold.objects.open().values("request_id")
    forsaken = StoredCall.objects.filter(state=StoredCall.State.RUNNING, lease_until__lt=now)
    for stored in forsaken.exclude(request_id__in=open_holds)[:1000]:
        memory.finish(stored.request_id, outcome=errors.internal())
    StoredCall.objects.filter(expires_at__lt=now).delete()
    return ended
