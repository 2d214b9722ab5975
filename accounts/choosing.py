"""The settings: a page that works as a plain form, and the JSON by which its script saves one choice at a time."""

from collections.abc import Collection
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import preferences, shortcuts
from accounts.api import body_of, problem
from accounts.haste import unhurried
from accounts.languages import forget_language, remember_language
from accounts.models import User

_EITHER = {
    "theme": gettext_lazy("Theme"),
    "text_size": gettext_lazy("Text size"),
    "motion": gettext_lazy("Motion"),
    "send_key": gettext_lazy("What sends a message"),
}
_LABELS = _EITHER | {
    "sound": gettext_lazy("A short sound"),
    "notifications": gettext_lazy("A notification, while the page is not in sight"),
    "show_usage": gettext_lazy("Tokens and duration beside each answer"),
    "use_shortcuts": gettext_lazy("Keyboard shortcuts"),
    "language": gettext_lazy("Language"),
}


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """All choices; each carries what it was when the page was made, so that only what was changed is saved."""

    class Meta:
        model = User
        fields = preferences.CHOICES
        labels = _LABELS
        widgets = dict.fromkeys(_EITHER, forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True
        languages = [("", _("As the browser")), *settings.LANGUAGES]
        self.fields["language"] = forms.ChoiceField(
            label=_LABELS["language"],
            choices=languages,
            required=False,
            widget=forms.RadioSelect,
            show_hidden_initial=True,
        )


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """Show the settings, and save what a form without scripts says has changed."""
    user = cast(User, request.user)
    form = SettingsForm(request.POST or None, instance=user)
    if request.method != "POST" or not form.is_valid():
        return render(request, "accounts/settings.html", {"form": form})
    changed = {name: form.cleaned_data[name] for name in form.changed_data}
    User.objects.filter(pk=user.pk).update(**changed)
    with translation.override(user.language or translation.get_language()):
        messages.success(request, _("Your settings are saved."))
    return _remembered(redirect("account_settings"), user=User.objects.get(pk=user.pk), changed=changed)


@never_cache
@require_http_methods(["GET", "HEAD", "PATCH"])
@unhurried
def of_scripts(request: HttpRequest) -> HttpResponse:
    """GET tells the choices; PATCH stores those that are in the body, and leaves all others as they are."""
    user = request.user
    if not isinstance(user, User) or user.is_visitor:
        return problem(401, "signed_out", _("Sign in first."))
    if request.method != "PATCH":
        return JsonResponse(preferences.values(user))
    wishes = body_of(request) or {}
    try:
        preferences.choose(user, wishes)
    except preferences.NoSuchChoice:
        return problem(400, "bad_request", _("This request makes no sense."))
    return _remembered(JsonResponse(preferences.values(user)), user=user, changed=wishes)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """Show the shortcuts, and bind one of them otherwise; who has these keys already gives them up."""
    user = cast(User, request.user)
    if request.method != "POST":
        return render(request, "accounts/shortcuts.html", {"shortcuts": shortcuts.table(user)})
    typed = None if "standard" in request.POST else shortcuts.read(request.POST.get("keys", ""))
    try:
        shortcuts.bind(user, wish={"act": request.POST.get("act", ""), "keys": typed})
    except preferences.NoSuchChoice:
        messages.error(request, _("These keys cannot be used here."))
    else:
        messages.success(request, _("Your settings are saved."))
    return redirect("account_shortcuts")


def _remembered(response: HttpResponse, *, user: User, changed: Collection[str]) -> HttpResponse:
    preferences.remember_look(response, user=user)
    if "language" not in changed:
        return response
    if user.language:
        remember_language(response, language=user.language)
    else:
        forget_language(response)
    return response
