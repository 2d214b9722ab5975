"""What is done about an event: in one transaction with the end of its row, so it is done once or not at all."""

import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from conversations.models import Conversation
from conversations.turns import TurnStillRuns
from cozechat.webhooks import comparing, messages
from cozechat.webhooks.facts import BadFact
from cozechat.webhooks.messages import Unwanted
from cozechat.webhooks.models import Event

logger = logging.getLogger(__name__)

# A claim lasts so long; what a process that died had claimed, another one claims then.
LEASE = timedelta(seconds=30)
# Seconds until an event that could not be handled is tried again; after the last it has failed.
PAUSES = (5, 30, 120, 600, 3600)
_WHILE_A_TURN_RUNS = timedelta(seconds=2)

State, Source = Event.State, Event.Source
_Ended = tuple[Event.State, str, Conversation | None]


class _Taken(Exception):
    """Somebody else handles this event now: what was done here is undone."""


def handle(event: Event, *, now: datetime) -> None:
    """Bring a claimed event to its end, or put it off. Never raises for what the event says."""
    if not event.begin(until=now + LEASE):
        return
    if event.attempts > len(PAUSES) + 1:
        event.end(State.FAILED, now=now, reason="Given up: the processes that handled it have died.")
        return
    try:
        act = _planned(event, now=now)
        with transaction.atomic():
            _end(event, *act(), now=now)
    except _Taken:
        logger.info("event %s is handled elsewhere", event.pk)
    except Unwanted as why:
        event.end(State.IGNORED, now=now, reason=str(why))
    except BadFact as why:
        event.end(State.FAILED, now=now, reason=str(why))
    except TurnStillRuns:
        event.put_off(until=now + _WHILE_A_TURN_RUNS, reason="A turn runs.", counts=False)
    except Exception as error:
        # The error's own words may repeat the event's: only its kind is told.
        logger.warning("event %s could not be handled: %s", event.pk, type(error).__name__)
        _try_again(event, why=type(error).__name__, now=now)


def _planned(event: Event, *, now: datetime) -> Callable[[], _Ended]:
    """What is to be done in the transaction; all that takes its time has been done before."""
    data = _data_of(event)
    match event.source, event.kind:
        case Source.WEBHOOK, messages.KIND:
            told = messages.read(data, event_id=event.event_id)
            return lambda: _take_message(told)
        case Source.CALLBACK, kind if kind in comparing.KINDS:
            return lambda: _compare(data, now=now)
        case _:
            return lambda: (State.IGNORED, f"Nothing is done about {event.kind}.", None)


def _take_message(told: messages.Told) -> _Ended:
    conversation, remark = messages.take(told)
    return State.HANDLED, remark, conversation


def _compare(data: dict[str, Any], *, now: datetime) -> _Ended:
    comparing.take(data, now=now)
    return State.HANDLED, "", None


def _end(
    event: Event, state: Event.State, remark: str, conversation: Conversation | None, *, now: datetime
) -> None:
    fields = {"conversation": conversation} if conversation else {}
    if not event.end(state, now=now, reason=remark, **fields):
        raise _Taken


def _data_of(event: Event) -> dict[str, Any]:
    whole = json.loads(event.body)
    data = whole.get("event" if "header" in whole else "data", {})
    return data if isinstance(data, dict) else {}


def _try_again(event: Event, *, why: str, now: datetime) -> None:
    if event.attempts > len(PAUSES):
        event.end(State.FAILED, now=now, reason=f"Given up after {event.attempts} attempts: {why}")
        return
    pause = timedelta(seconds=PAUSES[event.attempts - 1])
    event.put_off(until=now + pause, reason=why, counts=True)
