"""The table of the trail. Triggers of the database hold what the classes here only say first."""

from datetime import datetime, timedelta
from typing import Any, NoReturn, Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

REASON_LENGTH = 300
DETAIL_LENGTH = 200


class AppendOnly(Exception):
    """Somebody tried to change or to take back what the trail says."""


def end_of_keeping() -> datetime:
    """Until when an event of now is kept at least: the setting of today holds for it, whatever it becomes."""
    return timezone.now() + timedelta(days=settings.AUDIT_DAYS)


class Verb(models.TextChoices):
    """What was done; to what says the event's `kind`."""

    LISTED = "listed", _("listed")
    SEARCHED = "searched", _("searched")
    OPENED = "opened", _("opened")
    EXPORTED = "exported", _("exported")
    MADE = "made", _("made")
    RENAMED = "renamed", _("renamed")
    CHANGED = "changed", _("changed")
    DELETED = "deleted", _("deleted")
    ACTED = "acted", _("acted")
    SIGNED_UP = "signed_up", _("signed up")
    SIGNED_IN = "signed_in", _("signed in")
    SIGNED_OUT = "signed_out", _("signed out")
    SIGN_IN_FAILED = "sign_in_failed", _("failed to sign in")
    PASSWORD_CHANGED = "password_changed", _("changed the password")
    EMAIL_CHANGED = "email_changed", _("changed the email address")
    FACTOR_ADDED = "factor_added", _("added a second factor")
    FACTOR_REMOVED = "factor_removed", _("removed a second factor")
    KEY_MADE = "key_made", _("made an API key")
    KEY_ROTATED = "key_rotated", _("rotated an API key")
    KEY_CHANGED = "key_changed", _("changed an API key")
    KEY_REVOKED = "key_revoked", _("revoked an API key")
    SEEING_BEGAN = "seeing_began", _("began to see the site as somebody")
    SEEING_ENDED = "seeing_ended", _("ended seeing the site as somebody")
    CLAIMED = "claimed", _("took over a visitor's conversations")
    SHARED = "shared", _("shared")
    UNSHARED = "unshared", _("ended sharing")
    ACCOUNT_DELETED = "account_deleted", _("deleted the account")


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    """Rows are read; changing them in bulk is refused as one by one."""

    def about(self, user: Any) -> Self:
        """What concerns this user's data and account, whoever did it."""
        return self.filter(subject_id=user.pk)

    owned_by = about

    def update(self, **_values: Any) -> NoReturn:
        """Refused."""
        raise AppendOnly

    def delete(self) -> NoReturn:
        """Refused; `sweep` takes away what need not be kept any more."""
        raise AppendOnly

    def bulk_update(self, *_rows: Any, **_options: Any) -> NoReturn:
        """Refused."""
        raise AppendOnly

    def sweep(self, *, now: datetime, most: int = 500) -> int:
        """Take away the oldest of those whose time is over; says how many. The database refuses any others."""
        over = list(
            self.filter(kept_until__lt=now).order_by("kept_until").values_list("pk", flat=True)[:most]
        )
        return int(self.filter(pk__in=over)._raw_delete(self.db)) if over else 0


class AuditEvent(models.Model):
    """One act. People stand in it as numbers only, so an account that is deleted leaves no name behind.

    No message text, no secret and no value of a field stands in an event: `detail` names fields or an action.
    """

    created_at = models.DateTimeField(_("when"), default=timezone.now, editable=False)
    kept_until = models.DateTimeField(_("kept until"), default=end_of_keeping, editable=False)
    actor_id = models.BigIntegerField(_("who"), null=True, editable=False)
    # In the admin, or seeing the site as the subject: not as the person whose data it is.
    is_staff_act = models.BooleanField(_("as staff"), default=False, editable=False)
    subject_id = models.BigIntegerField(_("whose data"), null=True, editable=False)
    verb = models.CharField(_("act"), max_length=24, choices=Verb.choices, editable=False)
    kind = models.CharField(_("kind of object"), max_length=64, blank=True, editable=False)
    object_id = models.CharField(_("object"), max_length=64, blank=True, editable=False)
    detail = models.CharField(_("detail"), max_length=DETAIL_LENGTH, blank=True, editable=False)
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH, blank=True, editable=False)
    # Cut to its network: it tells a strange country from one's own, and nobody's flat.
    address = models.CharField(_("network"), max_length=48, blank=True, editable=False)
    agent = models.CharField(_("program"), max_length=48, blank=True, editable=False)
    request_id = models.CharField(_("request"), max_length=64, blank=True, editable=False)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        indexes = (
            models.Index(fields=["subject_id", "-created_at", "-id"], name="audit_by_subject"),
            models.Index(fields=["actor_id", "-created_at"], name="audit_by_actor"),
            models.Index(fields=["-created_at"], name="audit_by_time"),
            models.Index(fields=["kept_until"], name="audit_by_end"),
        )

    def __str__(self) -> str:
        return f"{self.pk} {self.verb} {self.kind}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Once."""
        if not self._state.adding:
            raise AppendOnly(self.pk)
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Never."""
        raise AppendOnly(self.pk)
