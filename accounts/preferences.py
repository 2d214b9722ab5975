"""How a person wants the pages to be: kept with the account, each choice by itself, and said on `<html>`."""

from collections.abc import Mapping
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

COOKIE = "look"
_COOKIE_AGE = 365 * 24 * 3600


class Preferences(models.Model):
    """The choices, as fields of the user: a page knows them without asking for another row."""

    class Theme(models.TextChoices):
        """Which of the two designed themes."""

        SYSTEM = "system", _("As the device")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    class TextSize(models.TextChoices):
        """How large everything is written."""

        SMALL = "small", _("Small")
        NORMAL = "normal", _("Normal")
        LARGE = "large", _("Large")
        LARGER = "larger", _("Larger")

    class SendKey(models.TextChoices):
        """What sends; the other one begins a new line."""

        ENTER = "enter", _("Enter")
        CTRL_ENTER = "ctrl_enter", _("Ctrl+Enter (⌘+Enter)")

    class Motion(models.TextChoices):
        """Whether anything moves on the pages."""

        SYSTEM = "system", _("As the device")
        LESS = "less", _("None")

    theme = models.CharField(_("theme"), max_length=8, choices=Theme.choices, default=Theme.SYSTEM)
    text_size = models.CharField(
        _("text size"), max_length=8, choices=TextSize.choices, default=TextSize.NORMAL
    )
    send_key = models.CharField(
        _("key that sends"), max_length=12, choices=SendKey.choices, default=SendKey.ENTER
    )
    motion = models.CharField(_("motion"), max_length=8, choices=Motion.choices, default=Motion.SYSTEM)
    sound = models.BooleanField(_("a short sound when an answer is complete"), default=False)
    notifications = models.BooleanField(
        _("a notification when an answer is complete and the page is not in sight"), default=False
    )
    show_usage = models.BooleanField(_("tokens and duration beside each answer"), default=False)
    use_shortcuts = models.BooleanField(_("keyboard shortcuts"), default=True)
    # What was bound otherwise: the name of an act, and its keys ("" for none).
    shortcuts = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        abstract = True


# What stands on <html>, where it is not the default.
NAMES = ("theme", "text_size", "motion", "send_key", "sound", "notifications", "show_usage", "use_shortcuts")
CHOICES = (*NAMES, "language")
# What the log-in page keeps of whoever was here: nothing that says anything about the person.
_LOOK = ("theme", "text_size", "motion")


class NoSuchChoice(Exception):
    """A choice that there is not, or a value that it does not have."""


def choose(user: Preferences, wishes: Mapping[str, Any]) -> None:
    """Store these choices and no others, so that a page that is behind sets nothing back. Raises NoSuchChoice."""
    if not wishes or not set(wishes) <= set(CHOICES):
        raise NoSuchChoice
    # Not type(user): a request has it wrapped.
    model = user.__class__
    try:
        chosen = {name: _field(name, of=model).clean(value, user) for name, value in wishes.items()}
    except ValidationError as error:
        raise NoSuchChoice from error
    model._default_manager.filter(pk=user.pk).update(**chosen)
    for name, value in chosen.items():
        setattr(user, name, value)


def values(user: Preferences) -> dict[str, Any]:
    """The choices by their names."""
    return {name: getattr(user, name) for name in CHOICES}


def remember_look(response: HttpResponse, *, user: Preferences) -> None:
    """Let the pages before the log-in look as those after it."""
    value = ".".join(getattr(user, name) for name in _LOOK)
    response.set_cookie(COOKIE, value, max_age=_COOKIE_AGE, httponly=True, samesite="Lax")


def context(request: HttpRequest) -> dict[str, Any]:
    """For every template: `look`, the attributes of `<html>`; `theme`, which may be decided already."""
    chosen = _chosen(request)
    pairs = [(name.replace("_", "-"), value) for name, value in chosen.items()]
    look: SafeString = format_html_join(" ", 'data-{}="{}"', pairs)
    return {"look": look, "theme": chosen.get("theme", "system")}


def _chosen(request: HttpRequest) -> dict[str, str]:
    """What differs from the default. A superuser who sees as somebody keeps their own."""
    user = getattr(request, "seen_by", None) or getattr(request, "user", None)
    if isinstance(user, Preferences):
        found = {name: getattr(user, name) for name in NAMES}
    else:
        found = _of_cookie(request.COOKIES.get(COOKIE, ""))
    return {
        name: {True: "on", False: "off"}.get(value, str(value))
        for name, value in found.items()
        if value != _field(name).get_default()
    }


def _of_cookie(text: str) -> dict[str, str]:
    """Cookies are anybody's to write: what is no choice is left out."""
    found = dict(zip(_LOOK, text.split("."), strict=False))
    return {name: value for name, value in found.items() if value in dict(_field(name).flatchoices)}


def _field(name: str, *, of: type[models.Model] = Preferences) -> "models.Field[Any, Any]":
    return cast("models.Field[Any, Any]", of._meta.get_field(name))
