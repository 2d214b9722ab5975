"""Users, and the access tokens that Coze issued in their names."""

import secrets
import uuid
from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from accounts.preferences import Preferences
from accounts.signals import login_ended
from cozechat.catalog.models import CozeApp
from cozechat.encryption import EncryptedTextField

_WATCHED = ("session_name", "password", "is_active")


def new_session_name() -> str:
    """A name for Coze that says nothing about the person: `u_` and 128 random bits in hex."""
    return f"u_{secrets.token_hex(16)}"


def new_browser_key() -> str:
    """Tells the people who share a browser apart, and nothing else: 128 random bits in hex."""
    return secrets.token_hex(16)


class SessionNameError(Exception):
    """Somebody tried to give a stored user another name at Coze."""


class User(Preferences, AbstractUser):
    """Whoever owns conversations, member or visitor.

    `session_name` is what tells users apart at Coze. It is drawn at random, once, and never changes. No
    record is kept of the names of deleted users: 128 random bits do not come up a second time, so none is
    needed to keep a name from being given to somebody else.
    """

    session_name = models.CharField(
        _("session name"), max_length=64, unique=True, default=new_session_name, editable=False
    )
    # Under this name the pages keep drafts and unsent questions in the browser, and by it a socket knows
    # whose page it serves. It opens nothing, and says nothing about the person.
    browser_key = models.CharField(
        _("browser key"), max_length=32, unique=True, default=new_browser_key, editable=False
    )
    display_name = models.CharField(_("display name"), max_length=80, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True, choices=settings.LANGUAGES)
    is_visitor = models.BooleanField(
        _("visitor"),
        default=False,
        help_text=_("Uses the site without a password, until the browser forgets."),
    )
    # Somebody whom only the owner of an API key knows: a name at Coze of their own, and no way to log in.
    end_user_of = models.ForeignKey(
        "self",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="end_users",
        verbose_name=_("end user of"),
    )

    # Empty: the site's limits. They belong to staff to set.
    turns_per_minute = models.PositiveIntegerField(
        _("questions a minute"),
        null=True,
        blank=True,
        help_text=_("Empty: as everybody (TURNS_PER_MINUTE). 0: no limit."),
    )
    turns_per_day = models.PositiveIntegerField(
        _("questions a day"),
        null=True,
        blank=True,
        help_text=_("Empty: as everybody (TURNS_PER_DAY). 0: no limit."),
    )

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = (
            models.CheckConstraint(condition=~models.Q(session_name=""), name="user_has_a_session_name"),
            models.UniqueConstraint(Lower("username"), name="one_user_per_username_in_any_case"),
            models.CheckConstraint(
                condition=models.Q(end_user_of=None)
                | models.Q(is_active=False, is_staff=False, is_superuser=False),
                name="end_users_cannot_log_in",
            ),
            models.CheckConstraint(
                condition=models.Q(is_visitor=False) | models.Q(is_staff=False, is_superuser=False),
                name="visitors_have_no_rights",
            ),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What the row said when it was last read or written; empty for a user who is not stored yet.
        self._stored: dict[str, Any] = {}

    def __str__(self) -> str:
        return self.display_name or self.username

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any
    ) -> Self:
        """Remember what was read, so that `save` can see what changes."""
        user = super().from_db(db, field_names, values, **kwargs)
        user._remember()
        return user

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the user; a new password or a deactivation ends the log-ins that there are."""
        if self._differs("session_name"):
            raise SessionNameError(self.pk)
        ends_logins = self._differs("password") or (self._differs("is_active") and not self.is_active)
        super().save(*args, **kwargs)
        self._remember()
        if ends_logins:
            transaction.on_commit(partial(login_ended.send_robust, User, user_id=self.pk, session_key=None))

    def _differs(self, field: str) -> bool:
        return (
            field in self._stored and field in self.__dict__ and self.__dict__[field] != self._stored[field]
        )

    def _remember(self) -> None:
        # Deferred fields are missing from __dict__; asking for them here would cost a query each.
        self._stored = {name: self.__dict__[name] for name in _WATCHED if name in self.__dict__}

    def get_full_name(self) -> str:
        """How the pages greet this user."""
        return self.display_name or super().get_full_name() or self.username

    def get_short_name(self) -> str:
        """The same: a display name is short already."""
        return self.display_name or self.username


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    """Questions to the table of tokens, which many processes share."""

    def seen(self, row: "AccessToken") -> "AccessTokenQuerySet":
        """This row, as long as nobody has put another token into it since it was read."""
        return self.filter(pk=row.pk, version=row.version)

    def claim(self, row: "AccessToken", *, claim: uuid.UUID, now: datetime, until: datetime) -> bool:
        """Win the right to renew this row, unless somebody else holds it or has already renewed."""
        free = models.Q(claim=None) | models.Q(claimed_until__lte=now)
        return self.seen(row).filter(free).update(claim=claim, claimed_until=until) == 1


class AccessToken(models.Model):
    """What Coze lets one user do through one Coze app, until it expires.

    The row carries the `session_name` that the token was issued for; a row whose name is not its user's is
    never used. A claim is the right to fetch the next token, held for a few seconds at a time.
    """

    app = models.ForeignKey(CozeApp, on_delete=models.CASCADE, related_name="+", verbose_name=_("Coze app"))
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="access_tokens", verbose_name=_("user")
    )
    session_name = models.CharField(_("session name"), max_length=64)
    # Which host and OAuth app it came from: the app's row may name others by now.
    origin = models.CharField(_("origin"), max_length=16, blank=True, default="", editable=False)
    token = EncryptedTextField(_("token"), blank=True, default="")
    issued_at = models.DateTimeField(_("issued"), null=True)
    expires_at = models.DateTimeField(_("expires"), null=True)
    version = models.PositiveIntegerField(_("version"), default=0)
    claim = models.UUIDField(_("claim"), null=True)
    claimed_until = models.DateTimeField(_("claimed until"), null=True)

    objects = AccessTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        ordering = ("-issued_at",)
        constraints = (
            models.UniqueConstraint(fields=["app", "user"], name="one_access_token_per_app_and_user"),
            models.CheckConstraint(
                condition=~models.Q(session_name=""), name="access_token_has_a_session_name"
            ),
        )

    def __str__(self) -> str:
        return f"{self.session_name} @ {self.app_id}"

    def masked(self) -> str:
        """Enough of the token to recognise it, never enough to use it."""
        text = self.token or ""
        return f"{text[:4]}…{text[-4:]}" if len(text) >= 24 else "…"


class VisitQuerySet(models.QuerySet["Visit"]):
    """Questions to the table of visits."""

    def living(self, now: datetime) -> "VisitQuerySet":
        """Those that still open something."""
        return self.filter(claimed_at=None, ends_at__gt=now)

    def over(self, now: datetime) -> "VisitQuerySet":
        """Those whose visitors are to go, with everything that is still theirs."""
        forsaken = models.Q(claimed_by=None, claimed_at__isnull=False)
        return self.filter(models.Q(claimed_at=None, ends_at__lte=now) | forsaken)

    def claimed(self) -> "VisitQuerySet":
        """Those whose chats are on their way to a member."""
        return self.filter(claimed_by__isnull=False)


class Visit(models.Model):
    """One tab's stay on the site without an account: it ends by itself, and its chats are claimed once at most.

    The tab holds the key, signed; here is its digest only. A visit that was claimed opens nothing any more.
    """

    visitor = models.OneToOneField(
        User, on_delete=models.CASCADE, related_name="visit", verbose_name=_("visitor")
    )
    key_digest = models.CharField(max_length=64, unique=True, editable=False)
    began_at = models.DateTimeField(_("began"), auto_now_add=True)
    ends_at = models.DateTimeField(_("ends"), db_index=True)
    claimed_at = models.DateTimeField(_("claimed"), null=True, editable=False)
    claimed_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("claimed by"),
    )

    objects = VisitQuerySet.as_manager()

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")

    def __str__(self) -> str:
        return str(self.visitor)
