"""Where seeing begins, in the admin, and where it ends, on every page."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts import passwords
from accounts.models import User
from accounts.seeing import grants
from cozechat.audit.models import REASON_LENGTH


class SeeingForm(forms.Form):
    """Why, and proof that it is the superuser who asks."""

    reason = forms.CharField(
        label=gettext_lazy("reason"),
        min_length=5,
        max_length=REASON_LENGTH,
        help_text=gettext_lazy("The user reads it, with your name, in the account's access log."),
    )
    password = forms.CharField(
        label=gettext_lazy("Your own password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def clean_reason(self) -> str:
        """Words, in one line."""
        reason = " ".join(str(self.cleaned_data["reason"]).split())
        if len(reason) < 5:
            raise forms.ValidationError(_("Say why."))
        return reason


class SeesAsUsers:
    """What `UserAdmin` gets besides: a page that begins it."""

    admin_site: Any
    opts: Any

    def get_urls(self) -> list[URLPattern]:
        """With that page."""
        view = self.admin_site.admin_view(self.see_as)
        own = [path("<path:object_id>/see-as/", view, name="accounts_user_see_as")]
        return [*own, *super().get_urls()]  # type: ignore[misc]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """The button is there for whom it does something."""
        subject = self.get_object(request, object_id)  # type: ignore[attr-defined]
        may = subject is not None and grants.may_see(request.user, subject=subject)
        more = {**(extra_context or {}), "may_see_as": may}
        return super().change_view(request, object_id, form_url, more)  # type: ignore[misc]

    def see_as(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a reason and the password; then the site is the user's, to look at."""
        subject = self.get_object(request, object_id)  # type: ignore[attr-defined]
        actor = request.user
        if (
            not isinstance(subject, User)
            or not isinstance(actor, User)
            or not grants.may_see(actor, subject=subject)
        ):
            raise PermissionDenied
        form = SeeingForm(request.POST or None)
        if form.is_valid():
            if passwords.is_own(request, password=form.cleaned_data["password"]):
                grants.begin(
                    request.session,
                    actor=actor,
                    subject=subject,
                    reason=form.cleaned_data["reason"],
                    now=timezone.now(),
                )
                return redirect("conversations:new")
            form.add_error("password", _("This is not your password, or you have tried too often."))
        context = {
            **self.admin_site.each_context(request),
            "title": _("See the site as %(user)s") % {"user": subject.get_username()},
            "form": form,
            "opts": self.opts,
            "original": subject,
        }
        return TemplateResponse(request, "admin/accounts/user/see_as.html", context)


@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """Be oneself again; nothing happens to whoever is."""
    grant = grants.end(request.session)
    if grant is None:
        return redirect("conversations:new")
    messages.success(request, _("You are yourself again."))
    return redirect("admin:accounts_user_change", grant.subject)
