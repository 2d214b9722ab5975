"""What a person may still ask: the budget as the page's meter shows it, and the words where a question does not fit."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from conversations.frames import Refused
from conversations.turns import pacing
from conversations.turns.metering import NotCovered, has_price
from cozechat.catalog.environment import default_assistant
from cozechat.usage.budgets import Budget, Period, period_end
from cozechat.usage.models import Account
from cozechat.usage.money import short
from cozechat.usage.reports import Quota, quota


def allowance_of(owner_id: int) -> dict[str, Any] | None:
    """The owner's own budget, in credits: `{used, limit, left, period, resets_at}`; None where nothing is limited."""
    account = Account.objects.filter(owner_id=owner_id).first()
    if account is None or account.budget is None:
        return None
    found = quota(account.budget, now=timezone.now())
    return {
        "used": short(found.used),
        "limit": short(found.limit),
        "left": short(found.left),
        "period": account.budget.period.value,
        "resets_at": found.resets_at.isoformat() if found.resets_at else None,
    }


def is_charged() -> bool:
    """Whether a question to the assistant that is offered first has to be paid for."""
    assistant = default_assistant() if settings.CHARGE_CHAT else None
    return assistant is not None and has_price(assistant, now=timezone.now())


def news_of(owner_id: int) -> dict[str, Any] | None:
    """The fields of `usage.updated` after one of the owner's turns; None where a turn changes nothing."""
    turns = pacing.turns_today(owner_id)
    if turns is None and not settings.CHARGE_CHAT:
        return None
    return {"quota": allowance_of(owner_id), "turns": turns}


def refused(why: NotCovered, *, client_id: str) -> Refused:
    """The answer to a question that is not covered, in the language that is active."""
    return Refused("quota", _sentence(why.budget), client_id=client_id, advice=advice(why))


def advice(why: NotCovered) -> dict[str, Any]:
    """When to come back: `{retry_after, resets_at}`, if time helps at all."""
    now = timezone.now()
    end = period_end(why.budget.period, now=now) if why.budget else None
    if end is None:
        return {}
    return {"retry_after": round((end - now).total_seconds()), "resets_at": end.isoformat()}


def _sentence(budget: Budget | None) -> str:
    if budget is None:
        return _("Your balance does not cover this question.")
    found = quota(budget, now=timezone.now())
    if found.resets_at is not None:
        return _with_time(budget, found=found, resets_at=found.resets_at)
    if found.left:
        return _("What is left of your allowance does not cover this question.")
    return _("Your allowance is used up.")


def _with_time(budget: Budget, *, found: Quota, resets_at: datetime) -> str:
    # The site's own time, with its zone: the page shows the reader's.
    time = timezone.localtime(resets_at, timezone.get_default_timezone()).strftime("%Y-%m-%d %H:%M %Z")
    if found.left:
        text = _("What is left of your allowance does not cover this question. It resets at %(time)s.")
    elif budget.period == Period.DAY:
        text = _("Today's allowance is used up. Resets at %(time)s")
    else:
        text = _("Your allowance is used up. Resets at %(time)s")
    return text % {"time": time}
