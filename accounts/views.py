"""The profile page."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.forms import ProfileForm
from accounts.languages import forget_language, remember_language
from accounts.models import User


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """Show and change one's own display name and language; nobody else's can be named."""
    user = cast(User, request.user)
    form = ProfileForm(request.POST or None, instance=user)
    if request.method != "POST" or not form.is_valid():
        return render(request, "accounts/profile.html", {"form": form})
    form.save(commit=False).save(update_fields=form.Meta.fields)
    with translation.override(user.language or translation.get_language()):
        messages.success(request, _("Your profile is saved."))
    response = redirect("account_profile")
    if user.language:
        remember_language(response, language=user.language)
    else:
        forget_language(response)
    return response
