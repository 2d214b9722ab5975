"""The balance page: what there is, why, and how it becomes more."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from cozechat.usage import redeeming, requesting
from cozechat.usage.budgets import Period
from cozechat.usage.models import Account, LedgerEntry, TopUpRequest
from cozechat.usage.money import short
from cozechat.usage.pages import rows
from cozechat.usage.pages.forms import AskForm, RedeemForm, WarningForm
from cozechat.usage.pages.listing import BadCursor, Cursor, page
from cozechat.usage.pages.members import members_only, user_id
from cozechat.usage.pages.wording import clock
from cozechat.usage.reports import Quota, quota_of

_REQUESTS = 5


@require_safe
@members_only
def balance(request: HttpRequest) -> HttpResponse:
    """One's own money."""
    return _shown(request)


@require_POST
@members_only
def redeem(request: HttpRequest) -> HttpResponse:
    """Turn a code into credits; an unknown, a used and an expired one are refused alike."""
    form = RedeemForm(request.POST)
    if not form.is_valid():
        return _shown(request, redeem_form=form)
    try:
        amount = redeeming.redeem(form.cleaned_data["code"], user_id=user_id(request), now=timezone.now())
    except redeeming.CodeRefused:
        form.add_error("code", _("This code is unknown, used or expired."))
        return _shown(request, redeem_form=form)
    messages.success(request, _("%(amount)s credits were added to your balance.") % {"amount": short(amount)})
    return redirect("balance")


@require_POST
@members_only
def too_many_codes(request: HttpRequest) -> HttpResponse:
    """The answer to somebody who tries code after code."""
    form = RedeemForm(request.POST)
    form.add_error(None, _("Too many tries. Wait a minute, then try again."))
    return _shown(request, redeem_form=form, status=429)


@require_POST
@members_only
def ask(request: HttpRequest) -> HttpResponse:
    """Ask staff for credits."""
    form = AskForm(request.POST)
    if not form.is_valid():
        return _shown(request, ask_form=form)
    given = form.cleaned_data
    try:
        requesting.ask(user_id(request), amount=given["amount"], note=given["note"], now=timezone.now())
        messages.success(request, _("Your request was sent."))
    except requesting.AlreadyOpen:
        messages.warning(request, _("Your last request is still open."))
    return redirect("balance")


@require_POST
@members_only
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a request back; anybody else's does not exist."""
    found = TopUpRequest.objects.owned_by(request.user).filter(pk=pk).first()
    if found is None:
        raise Http404
    if requesting.withdraw(found, now=timezone.now()):
        messages.success(request, _("Your request is withdrawn."))
    else:
        messages.warning(request, _("This request has been decided."))
    return redirect("balance")


@require_POST
@members_only
def warn(request: HttpRequest) -> HttpResponse:
    """Set or take away the line below which the pages warn."""
    form = WarningForm(request.POST)
    if not form.is_valid():
        return _shown(request, warning_form=form)
    account = Account.objects.of(user_id(request))
    Account.objects.filter(pk=account.pk).update(warn_below=form.cleaned_data["warn_below"])
    messages.success(request, _("Saved."))
    return redirect("balance")


def _shown(request: HttpRequest, *, status: int = 200, **forms: Any) -> HttpResponse:
    """The page, with the forms that were not accepted."""
    user, zone = request.user, timezone.get_current_timezone()
    account = Account.objects.filter(owner_id=user.pk).first() or Account()
    quota = quota_of(user, now=timezone.now())
    found = page(LedgerEntry.objects.owned_by(user), after=_cursor(request))
    wishes = [rows.wish(wish, zone=zone) for wish in TopUpRequest.objects.owned_by(user)[:_REQUESTS]]
    context = {
        "account": account,
        "available": short(account.available),
        "held": short(account.held),
        "debt": short(account.debt) if account.debt else "",
        "quota": _meter(quota, period=account.period, zone=zone) if quota else None,
        "entries": rows.entries(found.rows, zone=zone),
        "next": f"?after={found.next}#ledger" if found.next else "",
        "is_later_page": "after" in request.GET,
        "wishes": wishes,
        "has_open_wish": any(wish["is_open"] for wish in wishes),
        "redeem_form": RedeemForm(),
        "ask_form": AskForm(),
        "warning_form": WarningForm(initial={"warn_below": account.warn_below}),
        "zone": str(zone),
    }
    return render(request, "usage/balance.html", {**context, **forms}, status=status)


def _cursor(request: HttpRequest) -> Cursor | None:
    try:
        return Cursor.parse(request.GET.get("after", ""))
    except BadCursor:
        return None


def _meter(quota: Quota, *, period: str, zone: Any) -> dict[str, Any]:
    """The budget in credits, and in per cent for the meter."""
    used = min(quota.used, quota.limit)
    titles = {
        Period.DAY: _("Daily budget"),
        Period.WEEK: _("Weekly budget"),
        Period.MONTH: _("Monthly budget"),
        Period.EVER: _("Budget"),
    }
    return {
        "used": short(quota.used),
        "limit": short(quota.limit),
        "left": short(quota.left),
        "title": titles[Period(period)],
        "resets_at": clock(quota.resets_at, zone=zone) if quota.resets_at else "",
        "percent": used * 100 // quota.limit if quota.limit else 100,
    }
