"""Numbers, codes and names as the page writes them."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from cozechat.monitoring import samples
from cozechat.usage.pages.wording import NOTHING, seconds

STATUSES: dict[str, Promise] = {
    samples.COMPLETED: _("completed"),
    samples.CANCELED: _("stopped"),
    samples.FAILED: _("failed"),
    samples.INTERRUPTED: _("interrupted"),
    samples.REFUSED: _("refused"),
}
# What stands behind a public code, in a few words.
CODES: dict[str, Promise] = {
    "unreachable": _("Coze could not be reached"),
    "timeout": _("Coze was silent for too long"),
    "auth": _("Coze refused our credentials"),
    "not_found": _("something was not there"),
    "not_published": _("not published at Coze"),
    "quota": _("no credits left at Coze"),
    "rate_limited": _("asked Coze too often"),
    "busy": _("Coze was busy"),
    "content_refused": _("Coze refused the content"),
    "truncated": _("the answer broke off"),
    "bad_response": _("an answer that makes no sense"),
    "upstream_error": _("Coze failed"),
    "tool_failed": _("a tool failed"),
    "internal": _("a defect of this site"),
    "interrupted": _("its process ended"),
    "other": pgettext_lazy("a cause", "something else"),
}


def percent(part: int, whole: int) -> str:
    """Two decimals, never rounded up: `100 %` means all."""
    if not whole:
        return NOTHING
    hundredths = part * 10_000 // whole
    return "100 %" if part == whole else f"{hundredths // 100}.{hundredths % 100:02} %"


def took(milliseconds: float | None) -> str:
    """`850 ms`, `2.40 s`."""
    return seconds(None if milliseconds is None else round(milliseconds))


def per_second(count: float, *, of_seconds: int) -> str:
    """`0.35 a second` without the words."""
    rate = count / of_seconds
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}" if rate >= 10 else f"{rate:.2f}"


def size(count: float) -> str:
    """Bytes in MiB or GiB."""
    mebi = count / 2**20
    return f"{mebi / 1024:,.1f} GiB" if mebi >= 1024 else f"{mebi:,.0f} MiB"
