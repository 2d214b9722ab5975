"""The usage page: what was spent when and on what, each call, and all of them as a file."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from cozechat.usage.models import Account, UsageRecord
from cozechat.usage.pages import exporting, rows
from cozechat.usage.pages.asked import read
from cozechat.usage.pages.listing import page
from cozechat.usage.pages.members import members_only
from cozechat.usage.pages.overview import overview
from cozechat.usage.pages.wording import NOTHING


@require_safe
@members_only
def usage(request: HttpRequest) -> HttpResponse:
    """Totals, plot and log of one's own calls."""
    zone = timezone.get_current_timezone()
    records = UsageRecord.objects.owned_by(request.user)
    asked = read(request.GET, now=timezone.now(), zone=zone)
    found = page(asked.log(records), after=asked.after)
    context = {
        **overview(records, asked=asked, zone=zone),
        "asked": asked,
        "rows": [rows.call(record, zone=zone) for record in found.rows],
        "next": asked.href(after=found.next, anchor="#log") if found.next else "",
        "newest": asked.href(anchor="#log") if asked.after else "",
        "everything": asked.href(at=None, anchor="#log"),
        "file": asked.href(),
        "zone": str(zone),
        "nothing": NOTHING,
        "account": Account.objects.filter(owner_id=request.user.pk).first(),
    }
    return render(request, "usage/usage.html", context)


@require_safe
@members_only
def record(request: HttpRequest, request_id: str) -> HttpResponse:
    """Everything about one call; anybody else's does not exist."""
    mine = UsageRecord.objects.owned_by(request.user)
    found = mine.filter(request_id=request_id).first() if "\0" not in request_id else None
    if found is None:
        raise Http404
    zone = timezone.get_current_timezone()
    return render(request, "usage/record.html", {"call": rows.details(found, zone=zone), "zone": str(zone)})


@require_safe
@members_only
def export(request: HttpRequest) -> HttpResponseBase:
    """What the log shows, as a CSV file that is written while it is sent."""
    zone = timezone.get_current_timezone()
    asked = read(request.GET, now=timezone.now(), zone=zone)
    records = asked.log(UsageRecord.objects.owned_by(request.user))
    name = f"usage-{asked.span.start.astimezone(zone):%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        exporting.as_csv(records),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
