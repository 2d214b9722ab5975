"""Carries a member's language from the account into the browser, where Django looks for it, and back."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_POST
from django.views.i18n import set_language


def remember_language(response: HttpResponse, *, language: str) -> None:
    """Set Django's language cookie; an account without a choice leaves the browser's alone."""
    if not language:
        return
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )


def forget_language(response: HttpResponse) -> None:
    """Leave the choice to the browser again."""
    response.delete_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )


@require_POST
def switch(request: HttpRequest) -> HttpResponseBase:
    """What the switch on every page does: Django's cookie, and a member's account, so that the next log-in agrees."""
    response = set_language(request)
    wished = request.POST.get("language", "")
    if request.user.is_authenticated and wished in dict(settings.LANGUAGES):
        get_user_model()._default_manager.filter(pk=request.user.pk).update(language=wished)
    return response
