"""The same numbers for a page or a script of the user's own; with the log-in cookie."""

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from cozechat import logs
from cozechat.usage.models import Account, UsageRecord
from cozechat.usage.money import short
from cozechat.usage.pages import sums
from cozechat.usage.pages.members import is_member
from cozechat.usage.pages.ranges import last_days
from cozechat.usage.reports import Quota, quota_of


@require_safe
@never_cache
def my_usage(request: HttpRequest) -> JsonResponse:
    """Balance, budget and today's sums; amounts are credits, written out."""
    if not request.user.is_authenticated:
        return _problem(401, "signed_out", _("Sign in first."))
    if not is_member(request.user):
        return _problem(403, "forbidden", _("Only members have a balance."))
    now = timezone.now()
    account = Account.objects.filter(owner_id=request.user.pk).first() or Account()
    quota = quota_of(request.user, now=now)
    today = last_days(1, now=now, zone=timezone.get_current_timezone())
    total = sums.totals(sums.cells(UsageRecord.objects.owned_by(request.user), over=today))
    return JsonResponse(
        {
            "balance": {name: short(getattr(account, name)) for name in ("available", "held", "debt")},
            "quota": _described(quota) if quota else None,
            "today": {
                "since": today.start.isoformat(),
                "calls": total.calls,
                "failed": total.failed,
                "input_tokens": total.input_tokens,
                "output_tokens": total.output_tokens,
                "cost": short(total.cost),
            },
        }
    )


def _described(quota: Quota) -> dict[str, str | None]:
    amounts = {name: short(getattr(quota, name)) for name in ("used", "limit", "left")}
    return {**amounts, "resets_at": quota.resets_at.isoformat() if quota.resets_at else None}


def _problem(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"error": {"code": code, "message": message, **logs.reference()}}, status=status)
