"""The pages of privacy: the access log, what is stored, all of it as a file, and the end of the account."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import passwords
from accounts.models import User
from conversations.models import DeletionReceipt
from conversations.privacy import holdings
from conversations.privacy.archive import archive
from conversations.privacy.closing import LastSuperuser, close_account
from conversations.privacy.wording import lines_of
from cozechat.audit.models import AuditEvent, Verb
from cozechat.audit.recording import record_softly
from cozechat.usage.pages.listing import BadCursor, Cursor, page

_PAGE = 30
# How far the sentence at the head of the page looks back.
_LOOKED_BACK = timedelta(days=90)
_SEEN = (Verb.OPENED, Verb.EXPORTED, Verb.SEEING_BEGAN)


class FarewellForm(forms.Form):
    """Proof that it is the owner, and that they have read what will happen."""

    password = forms.CharField(
        label=gettext_lazy("Your password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    name = forms.CharField(
        label=gettext_lazy("Your username"),
        help_text=gettext_lazy("Your account has no password. Type its name, so that this is no slip."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    understood = forms.BooleanField(label=gettext_lazy("I know that this cannot be undone."))

    def __init__(self, data: Any, *, request: HttpRequest) -> None:
        super().__init__(data)
        self._request = request
        del self.fields["name" if _user(request).has_usable_password() else "password"]

    def clean_password(self) -> str:
        """One's own."""
        password = str(self.cleaned_data["password"])
        if not passwords.is_own(self._request, password=password):
            raise forms.ValidationError(_("This is not your password, or you have tried too often."))
        return ""

    def clean_name(self) -> str:
        """One's own."""
        if self.cleaned_data["name"].strip() != _user(self._request).get_username():
            raise forms.ValidationError(_("This is not the name of your account."))
        return ""


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


@require_safe
@login_required
@never_cache
def privacy(request: HttpRequest) -> HttpResponse:
    """Who did what to one's own data, and what there is; of others nothing."""
    user, show = _user(request), request.GET.get("show", "")
    events = AuditEvent.objects.about(user)
    shown = {"staff": events.filter(is_staff_act=True), "own": events.filter(is_staff_act=False)}.get(
        show, events
    )
    try:
        after = Cursor.parse(request.GET["after"]) if request.GET.get("after") else None
    except BadCursor:
        raise Http404 from None
    found = page(shown, after=after, limit=_PAGE)
    since = timezone.now() - _LOOKED_BACK
    seen = events.filter(is_staff_act=True, verb__in=_SEEN, created_at__gte=since)
    context = {
        "lines": lines_of(found.rows, user=user),
        "next": found.next,
        "after": after,
        "show": show if show in {"staff", "own"} else "",
        "choices": _choices(show),
        "seen": seen.count(),
        "seen_days": _LOOKED_BACK.days,
        "holdings": holdings.going(user),
        "zone": str(timezone.get_current_timezone()),
    }
    return render(request, "privacy/privacy.html", context)


def _choices(show: str) -> list[dict[str, Any]]:
    known = (("", _("Everything")), ("staff", _("By administrators")), ("own", _("Sign-ins and changes")))
    current = show if show in {"staff", "own"} else ""
    return [
        {"href": f"?show={key}#log" if key else "?#log", "label": label, "is_current": key == current}
        for key, label in known
    ]


@require_safe
@login_required
@never_cache
def export(request: HttpRequest) -> HttpResponseBase:
    """Everything, as a ZIP file that is written while it is sent."""
    user, now = _user(request), timezone.now()
    record_softly(Verb.EXPORTED, subject_id=user.pk, kind="accounts.user", object_id=str(user.pk))
    return StreamingHttpResponse(
        archive(user, now=now),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="cozechat-{now:%Y-%m-%d}.zip"'},
    )


@require_safe
@login_required
@never_cache
def too_many_exports(request: HttpRequest) -> HttpResponse:
    """The answer to somebody who asks again and again."""
    return render(request, "privacy/too_many.html", status=429)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def delete(request: HttpRequest) -> HttpResponse:
    """Say what goes, ask for the password, and end the account; what is left is a receipt."""
    form = FarewellForm(request.POST if request.method == "POST" else None, request=request)
    if form.is_valid():
        try:
            token = close_account(User.objects.get(pk=_user(request).pk))
        except LastSuperuser:
            form.add_error(None, _("You are the only administrator. Make somebody else one first."))
        else:
            request.session.flush()
            request.user = AnonymousUser()
            return redirect("privacy_receipt", token)
    context = {"form": form, "holdings": holdings.going(_user(request))}
    return render(request, "privacy/delete.html", context)


@require_safe
@never_cache
def receipt(request: HttpRequest, token: str) -> HttpResponse:
    """What became of each conversation of a deleted account, for whoever has the link."""
    found = _receipt(token)
    lines = list(found.lines.all())
    context = {
        "receipt": found,
        "token": token,
        "lines": lines,
        "pending": sum(line.state == line.State.PENDING for line in lines),
    }
    response = render(request, "privacy/receipt.html", context)
    for header, value in _UNLISTED.items():
        response[header] = value
    return response


@require_safe
@never_cache
def receipt_json(request: HttpRequest, token: str) -> HttpResponse:
    """The same, to keep."""
    found = _receipt(token)
    data = {
        "receipt": str(found.pk),
        "deleted_at": found.made_at.isoformat(),
        "kept_until": found.expires_at.isoformat(),
        "conversations": [line.described() for line in found.lines.all()],
    }
    name = f'attachment; filename="receipt-{found.pk}.json"'
    return JsonResponse(
        data, json_dumps_params={"indent": 2}, headers={**_UNLISTED, "Content-Disposition": name}
    )


_UNLISTED = {"X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer"}


def _receipt(token: str) -> DeletionReceipt:
    found = DeletionReceipt.objects.opened_by(token).first()
    if found is None:
        raise Http404
    return found
