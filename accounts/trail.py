"""Writes into the audit trail what happens to accounts: sign-ins, passwords, addresses, second factors."""

from typing import Any

from allauth.account import signals as account_signals
from allauth.mfa import signals as mfa_signals
from django.contrib.admin.models import LogEntry
from django.contrib.auth import signals as auth_signals
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from django.db.models.signals import post_delete

from accounts.models import User
from cozechat.audit.models import Verb
from cozechat.audit.recording import record_softly

_KIND = "accounts.user"


def connect() -> None:
    """Listen to Django's and allauth's signals."""
    auth_signals.user_logged_in.connect(_signed_in, dispatch_uid="accounts.trail")
    auth_signals.user_logged_out.connect(_signed_out, dispatch_uid="accounts.trail")
    auth_signals.user_login_failed.connect(_failed, dispatch_uid="accounts.trail")
    post_delete.connect(_forget_name, sender=User, dispatch_uid="accounts.trail")
    for signal, verb, detail in _CHANGES:
        signal.connect(_changed(verb, detail=detail), weak=False, dispatch_uid="accounts.trail")


def _signed_in(sender: Any, *, user: User, **_: Any) -> None:
    # Nobody is kept out because the trail cannot be written.
    record_softly(Verb.SIGNED_IN, subject_id=user.pk, actor_id=user.pk, kind=_KIND, object_id=str(user.pk))


def _signed_out(sender: Any, *, user: User | None, **_: Any) -> None:
    if user is not None and user.pk:
        record_softly(
            Verb.SIGNED_OUT, subject_id=user.pk, actor_id=user.pk, kind=_KIND, object_id=str(user.pk)
        )


def _failed(sender: Any, *, credentials: dict[str, Any], **_: Any) -> None:
    """What was typed is not kept: people type passwords into the box for names."""
    meant = _meant(credentials)
    object_id = str(meant) if meant else ""
    record_softly(Verb.SIGN_IN_FAILED, subject_id=meant, actor_id=None, kind=_KIND, object_id=object_id)


def _meant(credentials: dict[str, Any]) -> int | None:
    name, email = str(credentials.get("username") or ""), str(credentials.get("email") or "")
    if "\0" in name + email:
        return None
    wanted = (Q(username__iexact=name) if name else Q()) | (Q(email__iexact=email) if email else Q())
    return (
        User.objects.filter(wanted, end_user_of=None).values_list("pk", flat=True).first() if wanted else None
    )


def _forget_name(sender: Any, *, instance: User, **_: Any) -> None:
    """The admin's own history keeps what a row was called; of a deleted user only the number is left."""
    about = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(User), object_id=str(instance.pk)
    )
    about.update(object_repr=f"user {instance.pk}")


def _changed(verb: Verb, *, detail: str) -> Any:
    def receiver(sender: Any, *, user: User, **_: Any) -> None:
        # allauth tells when it has happened: a page that failed now would only hide that.
        record_softly(verb, subject_id=user.pk, kind=_KIND, object_id=str(user.pk), detail=detail)

    return receiver


_CHANGES = (
    (account_signals.user_signed_up, Verb.SIGNED_UP, ""),
    (account_signals.password_changed, Verb.PASSWORD_CHANGED, "changed"),
    (account_signals.password_set, Verb.PASSWORD_CHANGED, "set"),
    (account_signals.password_reset, Verb.PASSWORD_CHANGED, "reset"),
    (account_signals.email_changed, Verb.EMAIL_CHANGED, "primary"),
    (account_signals.email_added, Verb.EMAIL_CHANGED, "added"),
    (account_signals.email_removed, Verb.EMAIL_CHANGED, "removed"),
    (mfa_signals.authenticator_added, Verb.FACTOR_ADDED, "added"),
    (mfa_signals.authenticator_removed, Verb.FACTOR_REMOVED, "removed"),
    (mfa_signals.authenticator_reset, Verb.FACTOR_ADDED, "recovery codes"),
)
